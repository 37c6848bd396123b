"""BlenderProc: one HDF5 file per frame, with colours, category ids and a list of what the ids belong to."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sflow_pipeline.archives.hdf5_file import NOTHING_ID
from sflow_pipeline.errors import DumpError, FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import LabelSpace, derive_label_space
from sflow_pipeline.label_spaces.catalog import MAX_ID
from sflow_pipeline.label_spaces.derived_space import join_names
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.folder_walk import DumpFolder, walk
from sflow_pipeline.simulators.label_sample import read_label_sample
from sflow_pipeline.simulators.label_tables.json_table import parse_json_table
from sflow_pipeline.simulators.named_classes import name_strange_classes, name_twins_apart
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout, quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "blenderproc"
LAYOUT = "<frame>.hdf5 with colors and category_id_segmaps, of one camera or of a stereo pair"

_FILE = HEAD + r"(?P<frame>\d+)\.hdf5/(?:(?P<sequence>left|right)/)?"
_PATTERNS = {
    "render": re.compile(_FILE + r"colors\.png"),
    "label": re.compile(_FILE + r"(?:category_id_segmaps|class_segmaps)\.png"),
    "label_table": re.compile(_FILE + r"instance_attribute_maps\.json"),
    "instance": re.compile(_FILE + r"instance_segmaps\.png"),
    "depth": re.compile(_FILE + r"depth\.npy"),
    "flow": re.compile(_FILE + r"forward_flow\.npy"),
    "camera": re.compile(_FILE + r"campose\.json"),
}
_LABEL_FILES = "the simulator's ids, pixel for pixel, in PNG files made of its arrays"
_UNITS = {
    "depth": "m along the optical axis",
    "flow": "px to the next frame",
    "label": f"category ids, as 16-bit PNG of the file's integer array; -1 as {NOTHING_ID}",
    "label_table": "objects: idx (id in instance), category_id, name",
}
_BACKGROUND_ID = 0
_NOTHING = "unlabeled"
#: What the BOP writer puts beside its pictures.
_BOP_SCENE = "scene_gt.json"
_NAMES_PER_CLASS = 3


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS) or _find_bop(quick_look(root))


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a folder of HDF5 files; classes are named after their objects.

    Raises:
        DumpError: it is what the BOP writer writes, which has objects and no classes.
    """
    finder = PatternFinder(root, _PATTERNS)
    frames = finder.frames()
    scene = None if frames else _find_bop(walk(root, finder.log))
    if scene is not None:
        raise DumpError(
            f"dump {root}: {scene} is of the BOP layout, which has masks and poses of objects but no class of a pixel",
            hint="render again with write_hdf5 and category_id_segmaps, or with write_coco_annotations",
        )
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or _name_categories(root, frames, finder.log),
        label_encoding="ids",
        instance_encoding="numbered",
        frames=frames,
        problems=finder.log.problems(),
        why="HDF5 files with colors and category_id_segmaps",
        metadata={"units": _UNITS, "label_files": _LABEL_FILES},
    )


def _find_bop(folders: Iterable[DumpFolder]) -> str | None:
    for folder in folders:
        if _BOP_SCENE in folder.files and "rgb" in folder.folders:
            return folder.join(_BOP_SCENE)
    return None


def _name_categories(root: str, frames: Sequence[FrameRef], log: ProblemLog) -> LabelSpace:
    names: dict[int, set[str]] = {}
    has_nothing = False
    for frame in frames:
        try:
            if frame.label_table is None:
                continue
            entries = parse_json_table(open_folder(root).read_bytes(frame.label_table), frame.label_table)
            for entry in _flatten(entries):
                category = int(entry["category_id"])
                if category == -1:
                    has_nothing = True
                    continue
                if not 0 <= category <= MAX_ID:
                    raise ValueError(f"category {category}")
                names.setdefault(category, set()).add(str(entry["name"]))
        except (OSError, FrameError, KeyError, TypeError, ValueError):
            log.add("unnamed_ids", frame.label)
    classes = {category: join_names(sorted(of_class), most=_NAMES_PER_CLASS) for category, of_class in names.items()}
    classes.setdefault(_BACKGROUND_ID, "background")
    if has_nothing or any((label == NOTHING_ID).any() for label in read_label_sample(root, [f.label for f in frames])):
        classes[NOTHING_ID] = _NOTHING
    return name_strange_classes(derive_label_space(NAME, name_twins_apart(classes)), log)


def _flatten(entries: Any) -> Iterator[Any]:
    """The entries of one view, or of both of a stereo pair."""
    for entry in entries:
        if isinstance(entry, list):
            yield from entry
        else:
            yield entry
