"""Groups of picture files of an unknown dump: files of one folder whose names differ in their numbers only."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sflow_pipeline.columns import PICTURE_SUFFIXES
from sflow_pipeline.simulators.folder_walk import DumpFolder

_ARRAYS = (".npy", ".npz", ".exr", ".tif", ".tiff", ".flo", ".pfm", ".bmp", ".tga", ".ppm", ".jp2")
_NUMBER = re.compile(r"([0-9]+)")
_FIRST_WORD, _LAST_WORD = re.compile(r"[^_\-. ]+[_\-. ]"), re.compile(r"[_\-. ][^_\-. ]+$")
#: So many names, most of which differ in more than numbers, have no order.
_LEAST_RANDOM = 4
#: Folders with at most so many files without numbers may hold one frame each: ``0001/rgb.png``, ``0001/label.png``.
_ROLES = 12

#: What tells files of a group apart: their numbers, without leading zeros, or the part of their names that differs.
Key = tuple[str, ...]


@dataclass(frozen=True)
class FileGroup:
    """Files of one folder: ``texts`` are what stands before, between and after the parts of a key in each name.

    >>> group = FileGroup("town", ("cam", "_rgb_", ""), ".png", {("2", "7"): "cam2_rgb_0007.png"})
    >>> group.title, group.first
    ('town/cam*_rgb_*.png', 'town/cam2_rgb_0007.png')
    """

    folder: str
    texts: tuple[str, ...]
    suffix: str
    names: dict[Key, str]

    @property
    def is_picture(self) -> bool:
        return self.suffix.lower() in PICTURE_SUFFIXES

    @property
    def title(self) -> str:
        """How to name it, without its frame."""
        return f"{self.folder}/{'*'.join(self.texts)}{self.suffix}".lstrip("/")

    @property
    def paths(self) -> list[str]:
        """Paths of its files, sorted by name."""
        return [f"{self.folder}/{name}" if self.folder else name for name in sorted(self.names.values())]

    @property
    def first(self) -> str:
        """A file from its middle: first frames are often black."""
        return self.paths[len(self.names) // 2]

    @property
    def words(self) -> str:
        """The part of the path that tells what it holds."""
        return f"{self.folder}/{'/'.join(self.texts)}".lower()

    def without_constants(self) -> "FileGroup":
        """The same files, numbers that all names share as text: ``id24_0001.png`` is then of frame 1 alone."""
        keys = list(self.names)
        varying = [i for i in range(len(keys[0])) if len({key[i] for key in keys}) > 1]
        if len(keys) < 2 or len(varying) == len(keys[0]) or not varying:
            return self
        parts = _NUMBER.split(self.names[keys[0]].removesuffix(self.suffix))
        texts = [parts[0]]
        for i in range(len(keys[0])):
            number, after = parts[2 * i + 1 : 2 * i + 3]
            if i in varying:
                texts.append(after)
            else:
                texts[-1] += number + after
        names = {tuple(key[i] for i in varying): name for key, name in self.names.items()}
        return FileGroup(self.folder, tuple(texts), self.suffix, names)


def group_files(folders: Iterable[DumpFolder]) -> list[FileGroup]:
    """The groups of a few folders."""
    groups: dict[tuple[str, tuple[str, ...], str], dict[Key, str]] = {}
    for folder in folders:
        by_suffix: dict[str, list[str]] = {}
        for file in folder.files:
            stem, dot, suffix = file.rpartition(".")
            if dot and stem and f".{suffix.lower()}" in (*PICTURE_SUFFIXES, *_ARRAYS):
                by_suffix.setdefault(f".{suffix}", []).append(stem)
        for suffix, stems in by_suffix.items():
            shapes = {stem: tuple(_NUMBER.split(stem)[::2]) for stem in stems}
            is_random = len(stems) >= _LEAST_RANDOM and 2 * len(set(shapes.values())) > len(stems)  # as digests are
            for stem in list(stems) if not is_random else ():
                numbers = _NUMBER.findall(stem)
                if numbers:
                    key = tuple(number.lstrip("0") or "0" for number in numbers)
                    groups.setdefault((folder.path, shapes[stem], suffix), {}).setdefault(key, f"{stem}{suffix}")
                    stems.remove(stem)
            for (before, after), cores in _split_affixes(stems).items():
                names: dict[Key, str] = {(core,): f"{before}{core}{after}{suffix}" for core in cores}
                groups[folder.path, (before, after), suffix] = names
            if len(stems) <= _ROLES:
                groups |= {(folder.path, (stem,), suffix): {(): f"{stem}{suffix}"} for stem in stems}
    return [FileGroup(*key, names) for key, names in groups.items()]


def _split_affixes(stems: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Names without numbers by the first and the last word that several of them share.

    >>> _split_affixes(["oak_rgb", "elm_rgb", "oak_id", "elm_id"])
    {('', '_rgb'): ['oak', 'elm'], ('', '_id'): ['oak', 'elm']}
    """

    def find(pattern: re.Pattern[str], name: str) -> str:
        match = pattern.search(name) if pattern is _LAST_WORD else pattern.match(name)
        return match.group() if match and len(match.group()) < len(name) else ""

    endings = Counter(find(_LAST_WORD, stem) for stem in stems)
    starts = Counter(find(_FIRST_WORD, stem) for stem in stems)
    found: dict[tuple[str, str], list[str]] = {}
    for stem in stems:
        after, before = find(_LAST_WORD, stem), find(_FIRST_WORD, stem)
        after = after if endings[after] > 1 else ""
        before = before if starts[before] > 1 and len(before) + len(after) < len(stem) else ""
        found.setdefault((before, after), []).append(stem[len(before) : len(stem) - len(after)])
    return found
