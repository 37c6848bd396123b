"""Simulator dumps: from a folder of files to named frames, and how their labels are read.

``discover`` finds a dump's layout and lists its frames. A new simulator is one new module in ``layouts/`` and one entry
in its ``LAYOUTS``.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from sflow_pipeline.archives import is_archive_name, is_packed_name
from sflow_pipeline.errors import ConfigError, DumpError, UsageError
from sflow_pipeline.frames import FrameList, iterate_column, sort_frames, with_column
from sflow_pipeline.label_spaces import InstanceEncoding, StatedLabelEncoding, load_label_space
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.simulators.adapter import Adapter
from sflow_pipeline.simulators.dump import Dump, Problem
from sflow_pipeline.simulators.dump_files import find_kind, local_path
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_times import add_timestamps
from sflow_pipeline.simulators.label_format import LABEL_FORMAT_FACTS, LabelFormat, restore_label_format
from sflow_pipeline.simulators.label_rules import RULE_OF_SPACE
from sflow_pipeline.simulators.layout_proposal import propose_layout
from sflow_pipeline.simulators.layouts import LAYOUTS, pattern
from sflow_pipeline.simulators.path_patterns import forget_look, quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import FILE_NAME, StatedFacts, read_stated_facts

__all__ = [
    "LABEL_FORMAT_FACTS",
    "SIMULATORS",
    "Dump",
    "LabelFormat",
    "Problem",
    "detect",
    "discover",
    "restore_label_format",
]

_LOOK_FOLDERS = 200
_SHOWN_SEQUENCES = 12
_WORD = re.compile(r"[A-Za-z_]{3,}")
_COMMON_WORDS = frozenset(
    (
        "png",
        "jpg",
        "jpeg",
        "hdf",
        "json",
        "mkv",
        "txt",
        "zip",
        "tar",
        "beside",
        "frame",
        "with",
        "and",
        "real",
        "photos",
        "sequence",
        "optionally",
    )
)

SIMULATORS: Mapping[str, Adapter] = {adapter.NAME: adapter for adapter in LAYOUTS}

_GIVE = "give the folder that the simulator wrote, or for real photos the folder with them and their labels"
_UNPACK = (
    "unpack it: only .zip, .tar and .hdf5 files in a local folder are read as they are (gunzip x.tar.gz makes x.tar)"
)


def detect(root: str, *, simulator: str | None = None) -> Adapter:
    """Find the adapter for a dump.

    Args:
        root: the dump's folder.
        simulator: take this one and do not guess.

    Raises:
        UsageError: no simulator has that name.
        DumpError: the folder is missing, or no adapter or more than one recognises it.
    """
    if simulator is not None and simulator not in SIMULATORS:
        raise UsageError(
            f"simulator {simulator!r} is unknown: expected one of {', '.join(SIMULATORS)}",
            hint=suggest_name(simulator, SIMULATORS, otherwise="`--simulator folder` reads the plain layout"),
            fields=("simulator",),
        )
    root = local_path(root)
    kind = find_kind(root)
    if kind != "folder":
        raise DumpError(
            f"{root}: {'not a folder' if kind == 'file' else 'does not exist'}",
            hint=_UNPACK if kind == "file" and _is_archive(root) else _GIVE,
        )
    if simulator is not None:
        return SIMULATORS[simulator]
    forget_look()
    if pattern.matches(root):
        return pattern
    reasons = {name: why for name, adapter in SIMULATORS.items() if (why := adapter.matches(root)) is not None}
    if len(reasons) == 1:
        return SIMULATORS[next(iter(reasons))]
    if reasons:
        found = "; ".join(f"{name} ({why})" for name, why in reasons.items())
        raise DumpError(
            f"dump {root}: could be more than one thing: {found}",
            hint="choose with --simulator " + " or --simulator ".join(reasons),
        )
    top = quick_look(root)[0]
    if not top.folders and not top.files:
        raise DumpError(f"{root}: the folder is empty", hint=_GIVE)
    packed = [folder.join(file) for folder in quick_look(root) for file in folder.files if _is_archive(file)]
    proposal = propose_layout(root)
    if "render" in proposal.layout or (proposal.layout and not packed):  # pictures may be in an archive
        raise DumpError(f"dump {root}: no known layout, found {proposal.found}", hint=proposal.hint)
    unread = _list_unread(root)
    if unread:
        raise DumpError(f"dump {root}: no known layout, and {unread}", hint="install or repair what it names")
    known = "".join(f"\n  {name}: {adapter.LAYOUT}" for name, adapter in SIMULATORS.items())
    raise DumpError(
        f"dump {root}: no known layout, and no pictures that pair up with labels"
        f"{f'; found {proposal.found}' if proposal.found else ''}. {_name_nearest(root)}Known are{known}",
        hint=(f"{packed[0]}: {_UNPACK}" if packed else proposal.hint)
        or "state the paths with --layout render=…,label=…, or as `layout:` in a dataset.yaml in that folder, which "
        "every command reads; or name the layout with --simulator",
    )


def _list_unread(root: str) -> str:
    """Why archives of a dump could not be read, "" where all could."""
    log = ProblemLog()
    for _ in zip(walk(root, log), range(_LOOK_FOLDERS), strict=False):
        pass
    return "; ".join(problem.message for problem in log.problems() if problem.kind == "unreadable_archive")


def _name_nearest(root: str) -> str:
    """The known layout that shares most names with a dump, and the names that it also needs; "" where none does."""
    names = {name for folder in quick_look(root) for name in (*folder.folders, *folder.path.split("/"))}
    names |= {word for folder in quick_look(root) for file in folder.files for word in _WORD.findall(file)}
    shared = {
        name: set(_WORD.findall(adapter.LAYOUT)) - _COMMON_WORDS
        for name, adapter in SIMULATORS.items()
        if adapter is not pattern
    }
    best = max(shared, key=lambda name: (len(shared[name] & names), -len(shared[name])))
    if not shared[best] & names:
        return ""
    lacking = ", ".join(sorted(shared[best] - names)[:6])
    return f"Nearest is {best} ({SIMULATORS[best].LAYOUT}), of which these names are missing: {lacking}. "


def discover(
    root: str,
    *,
    simulator: str | None = None,
    layout: Mapping[str, str] | None = None,
    label_space: str | None = None,
    label_encoding: StatedLabelEncoding | None = None,
    instance_encoding: InstanceEncoding | None = None,
) -> Dump:
    """List the frames of a dump; few pixels are read, to detect encodings and CARLA versions.

    Layout, encodings and label space are independent: each is what is given here, else what ``dataset.yaml`` states,
    else what the layout prescribes or the files show.

    Args:
        root: the dump's folder, local or in an object store (``s3://bucket/path``).
        simulator: an entry of ``SIMULATORS``; detected where None.
        layout: column -> pattern of its files' paths, in place of a simulator's layout.
        label_space: name or YAML file of the label space that the labels follow.
        label_encoding: how label files hold ids.
        instance_encoding: what the values of instance files mean.

    Raises:
        ConfigError: ``dataset.yaml`` is invalid or splits a sequence that is not there, or ``layout`` is invalid.
        DumpError: the dump as a whole cannot be used: unknown, ambiguous, without a frame.
        LabelSpaceError: the label space does not exist.
    """
    if label_space is not None:
        load_label_space(label_space)
    root = local_path(root)
    if simulator is not None and layout is not None:
        raise UsageError(
            f"simulator {simulator} and layout: a layout takes the place of a simulator's",
            hint="give one of them",
            fields=("simulator", "layout"),
        )
    adapter = detect(root, simulator=pattern.NAME if layout else simulator)
    stated = read_stated_facts(root).override(
        layout=layout, label_space=label_space, label_encoding=label_encoding, instance_encoding=instance_encoding
    )
    try:
        dump = _apply(stated, adapter.discover(root, stated))
    except ConfigError as error:
        error.fields = ("layout",) if layout else ()  # where dataset.yaml states it, it is no field of the job
        raise
    dump.load_label_space()
    if not dump.frames:
        what = "; ".join(problem.message for problem in dump.problems) or "no pictures with labels were found"
        raise DumpError(
            f"dump {root}: empty as {dump.simulator} ({SIMULATORS[dump.simulator].LAYOUT}): {what}",
            hint=propose_layout(root).hint
            or "give the folder that holds the frames, or name another layout with --simulator",
        )
    return dump


def _apply(stated: StatedFacts, dump: Dump) -> Dump:
    """The dump with every stated fact in place of what was detected."""
    if stated.label_encoding and dump.label_table_format and stated.label_space is None:
        raise DumpError(
            f"dump {dump.root}: label_encoding {stated.label_encoding} replaces the tables that name its classes",
            hint="name the label space, too, with --label-space",
        )
    units = [facts["units"] for facts in (dump.metadata, stated.metadata) if isinstance(facts.get("units"), Mapping)]
    merged = {"units": {**units[0], **units[1]}} if len(units) == 2 else {}
    frames = _split(stated, dump) if stated.split else dump.frames
    fps = stated.fps or dump.fps
    return replace(
        dump,
        frames=add_timestamps(frames, fps) if fps else frames,
        label_encoding=stated.label_encoding or dump.label_encoding,
        label_table_format="" if stated.label_encoding else dump.label_table_format,
        label_rule=RULE_OF_SPACE.get(dump.label_space, "") if isinstance(dump.label_space, str) else "",
        instance_encoding=stated.instance_encoding or dump.instance_encoding,
        fps=fps,
        metadata={**dump.metadata, **stated.metadata, **merged},
    )


def _split(stated: StatedFacts, dump: Dump) -> FrameList:
    known = set(iterate_column(dump.frames, "sequence_id"))
    unknown = [] if isinstance(stated.split, str) else [name for name in stated.split or () if name not in known]
    if unknown and known:
        raise ConfigError(
            f"{dump.root.rstrip('/')}/{FILE_NAME}: split: no sequence {unknown[0]!r} in this dump"
            f"{f', nor {len(unknown) - 1} others that it names' if len(unknown) > 1 else ''}",
            hint=f"{suggest_name(unknown[0], sorted(known)[:_SHOWN_SEQUENCES])}; correct the key or remove it",
        )
    columns = (iterate_column(dump.frames, name) for name in ("sequence_id", "split"))
    stated_splits = [stated.split_of(*pair) for pair in zip(*columns, strict=True)]
    return sort_frames(with_column(dump.frames, "split", stated_splits))


def _is_archive(path: str) -> bool:
    """Whether a file that was not entered is an archive: compressed, in another archive, or in an object store."""
    return is_packed_name(path) or is_archive_name(path.rpartition("/")[2])
