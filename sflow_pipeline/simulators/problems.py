"""Problems of a dump, collected by kind; each kind becomes one message for all of its files."""

from dataclasses import dataclass, field

from sflow_pipeline.simulators.dump import Problem, Severity

#: How to write a label that is an array.
PNG_OF_ARRAY = (
    "PNG, such as with PIL: Image.fromarray(numpy.load('0001.npy').astype('uint8')).save('0001.png'), or 'uint16' "
    "for ids above 255"
)

#: kind -> (severity, what it means and the way out). ``{n}`` is how many, ``{first}`` the first few files.
_WORDING: dict[str, tuple[Severity, str]] = {
    "missing_label": (
        "error",
        "{n} pictures without a label were left out: {first}; add the labels or remove the pictures",
    ),
    "missing_render": (
        "error",
        "{n} labels without a picture were left out: {first}; add the pictures or remove the labels",
    ),
    "no_renders": (
        "warning",
        "no pictures beside the labels ({first}): images are made from labels alone, as with --appearance palette",
    ),
    "missing_modality": ("warning", "{n} frames lack a file that the rest of their sequence has: {first}"),
    "unmatched": (
        "warning",
        "{n} pictures beside those of the stated layout match none of its patterns: {first}; correct these if needed",
    ),
    "unread_pictures": (
        "warning",
        "{n} folders hold pictures where this layout reads none: {first}; put them where it does, or state --layout",
    ),
    "duplicate_id": (
        "error",
        "{n} files claim a frame that another file also claims, all were left out: {first}; keep one file per frame",
    ),
    "unsafe_name": ("error", "{n} names cannot be carried to the output and were left out: {first}; rename them"),
    "link_outside": ("error", "{n} links lead out of the dump and were not followed: {first}; copy the files into it"),
    "link_loop": ("error", "{n} links lead back to a folder they are in and were not followed: {first}; remove them"),
    "special_file": (
        "error",
        "{n} FIFOs, sockets or devices were not read: {first}; remove them, or put regular files in their place",
    ),
    "broken_link": ("error", "{n} links lead nowhere: {first}; restore their targets or remove them"),
    "unreadable_folder": ("error", "{n} folders cannot be read: {first}; check their permissions"),
    "unreadable_archive": ("error", "{n} archives cannot be read: {first}"),
    "archive_copy": (
        "warning",
        "{n} archives stand beside their unpacked or otherwise packed copy and were not read: {first}",
    ),
    "packed_archive": (
        "warning",
        "{n} archives were not read: {first}; unpack them (gunzip makes a .tar, which is read, of a .tar.gz)",
    ),
    "remote_archive": (
        "warning",
        "{n} archives in an object store were not read: {first}; unpack them there, or copy the dump to a local folder",
    ),
    "unreadable_record": (
        "warning",
        "{n} files describe many frames at once and cannot be split into frames: {first}",
    ),
    "not_carried": ("warning", "{n} files describe many frames at once and are not carried: {first}"),
    "remote_record": (
        "warning",
        "{n} files in an object store describe many frames at once and stay there: {first}; copy the dump here",
    ),
    "gap": ("warning", "{n} sequences have gaps in their frame numbers: {first}"),
    "label_space_doubted": (
        "warning",
        "the label space that was asked for may be the wrong one: {first}; leave --label-space out to take the other",
    ),
    "mixed_versions": (
        "warning",
        "labels of different versions in one dump: {first}; convert them one by one, each with its --label-space",
    ),
    "mixed_labels": (
        "warning",
        "labels are stored in more than one way: {first}; store all of them as most are, the others will not convert",
    ),
    "lost_16_bits": (
        "warning",
        "labels have 8 bits where SYNTHIA writes 16, their ids may be gone: {first}; copy the original GT/LABELS",
    ),
    "unnamed_ids": (
        "warning",
        "{n} frames do not name all of their ids: {first}; name a label space with --label-space",
    ),
    "missing_table": (
        "error",
        "{n} labels without a table of their colours were left out: {first}; write those frames again",
    ),
    "wrong_format": (
        "error",
        "files of a format that pictures and labels cannot have: {first}; write pictures as PNG or JPEG, labels as "
        + PNG_OF_ARRAY,
    ),
    "strange_class": (
        "warning",
        "classes of unknown meaning, treated as void: {first}; state their concepts in a file for --label-space",
    ),
    "label_space_guessed": ("warning", "{first}; name it with --label-space to be sure"),
}
_SHOWN = 3


@dataclass
class ProblemLog:
    """Notes of one discovery, by kind."""

    _notes: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, kind: str, path: str, detail: str = "") -> None:
        """Note that ``path`` has a problem; the same path counts once per kind."""
        self._notes.setdefault(kind, {})[path] = detail

    def problems(self) -> tuple[Problem, ...]:
        """One problem per kind, worst first."""
        found = []
        for kind, notes in self._notes.items():
            severity, wording = _WORDING[kind]
            shown = [f"{show_path(path)} ({detail})" if detail else show_path(path) for path, detail in notes.items()]
            first = ", ".join(shown[:_SHOWN]) + (", …" if len(shown) > _SHOWN else "")
            message = wording.format(n=len(shown), first=first)
            found.append(Problem(kind, message, tuple(map(show_path, notes)), severity))
        return tuple(sorted(found, key=lambda problem: (problem.severity, problem.kind)))


def show_path(path: str) -> str:
    """A path that can be printed and stored: bytes that are not UTF-8 and control characters are escaped.

    >>> show_path("rgb/\\udcff.png")
    'rgb/\\\\xff.png'
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
