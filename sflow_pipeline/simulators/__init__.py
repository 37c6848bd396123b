"""Simulator adapters: from a folder of files to named frames.

``discover`` finds out which simulator wrote a dump and lists its frames. A new simulator is one new module in
``layouts/`` and one entry in its ``LAYOUTS``.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.archives import is_archive_name, is_packed_name
from sflow_pipeline.errors import DumpError, UsageError
from sflow_pipeline.label_spaces import LabelTable, load_label_space
from sflow_pipeline.simulators.adapter import Adapter
from sflow_pipeline.simulators.dump import Dump, LabelEncoding, Problem
from sflow_pipeline.simulators.dump_files import find_kind, local_path
from sflow_pipeline.simulators.layouts import LAYOUTS, carla, replicator, unity_solo
from sflow_pipeline.simulators.path_patterns import forget_look, quick_look

__all__ = [
    "SIMULATORS",
    "Adapter",
    "Dump",
    "LabelEncoding",
    "Problem",
    "detect",
    "discover",
    "read_label_table",
    "refine_label_map",
]

SIMULATORS: Mapping[str, Adapter] = {adapter.NAME: adapter for adapter in LAYOUTS}

_UNPACK = (
    "unpack it: only .zip, .tar and .hdf5 files in a local folder are read as they are (gunzip x.tar.gz makes x.tar)"
)

#: Adapters whose dumps say frame by frame what label pixels mean.
_TABLE_READERS: Mapping[str, Callable[[bytes, str], LabelTable]] = {
    adapter.NAME: adapter.read_label_table for adapter in (replicator, unity_solo)
}
#: Adapters whose dumps may have a label rule.
_RULES: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {carla.NAME: carla.refine_label_map}


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
        near = difflib.get_close_matches(simulator, SIMULATORS, n=1)
        raise UsageError(
            f"simulator {simulator!r} is unknown: expected one of {', '.join(SIMULATORS)}",
            hint=f"did you mean {near[0]}?" if near else "`--simulator folder` reads the plain layout",
        )
    root = local_path(root)
    kind = find_kind(root)
    if kind != "folder":
        raise DumpError(
            f"dump {root}: {'not a folder' if kind == 'file' else 'does not exist'}",
            hint=_UNPACK if kind == "file" and _is_archive(root) else "give the folder that the simulator wrote",
        )
    if simulator is not None:
        return SIMULATORS[simulator]
    forget_look()
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
        raise DumpError(f"dump {root}: the folder is empty", hint="give the folder that the simulator wrote")
    packed = [folder.join(file) for folder in quick_look(root) for file in folder.files if _is_archive(file)]
    known = "".join(f"\n  {name}: {adapter.LAYOUT}" for name, adapter in SIMULATORS.items())
    raise DumpError(
        f"dump {root}: no known layout. Known are{known}",
        hint=f"{packed[0]}: {_UNPACK}"
        if packed
        else "rename the folders to the plain layout, or name the layout with --simulator",
    )


def discover(root: str, *, simulator: str | None = None, label_space: str | None = None) -> Dump:
    """List the frames of a dump; no pixel is read beyond a handful of labels that tell CARLA versions apart.

    Args:
        root: the dump's folder, local or in an object store (``s3://bucket/path``).
        simulator: an entry of ``SIMULATORS``; found out by itself where None.
        label_space: name or YAML file of the label space that the labels follow; the dump's own where None.

    Raises:
        DumpError: the dump as a whole cannot be used: unknown, ambiguous, without a frame.
        LabelSpaceError: the label space does not exist.
    """
    if label_space is not None:
        load_label_space(label_space)
    root = local_path(root)
    dump = detect(root, simulator=simulator).discover(root, label_space)
    dump.load_label_space()
    if not dump.frames:
        what = " ".join(problem.message for problem in dump.problems) or "no pictures with labels were found"
        raise DumpError(
            f"dump {root}: empty as {dump.simulator} ({SIMULATORS[dump.simulator].LAYOUT}): {what}",
            hint="give the folder that holds the frames, or name another layout with --simulator",
        )
    return dump


def _is_archive(path: str) -> bool:
    """Whether a file that was not entered is an archive: compressed, in another archive, or in an object store."""
    return is_packed_name(path) or is_archive_name(path.rpartition("/")[2])


def read_label_table(simulator: str, data: bytes, path: str) -> LabelTable:
    """What one frame's label pixels mean, from the file that its ``label_table`` names.

    Raises:
        FrameError: ``unreadable``: it is no such table.
    """
    return _TABLE_READERS[simulator](data, path)


def refine_label_map(simulator: str, label_map: NDArray[Any]) -> NDArray[Any]:
    """Apply a dump's ``label_rule``: (h, w) ids in, (h, w) ids out; for the model's input only."""
    return _RULES[simulator](label_map)
