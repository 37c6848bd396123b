"""BlenderProc's COCO writer: pictures beside ``coco_annotations.json``, whose masks are drawn into label pictures."""

import json
from typing import Any

from sflow_pipeline.errors import DumpError
from sflow_pipeline.label_spaces import LabelSpace, derive_label_space
from sflow_pipeline.label_spaces.derived_space import join_names
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import is_remote, open_folder
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_table import FrameTable, index_files, sequence_of, split_of
from sflow_pipeline.simulators.named_classes import name_strange_classes, name_twins_apart
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "blenderproc-coco"
LAYOUT = "coco_annotations.json beside images/000000.jpg (BlenderProc, masks as run lengths)"

_FILE = "coco_annotations.json"
_PICTURES = "images"
_LABEL_FILES = "the simulator's ids, pixel for pixel, in PNG files drawn from its masks"
_UNITS = {
    "boxes": "the picture's annotations: bbox as x, y, width, height in px, category_id, area, segmentation",
    "instance": "which entry of boxes, counted from 1, as 16-bit PNG drawn from the masks; 0 where no mask is",
    "label": "category ids, as 16-bit PNG drawn from the masks, pixel for pixel; 0 where no mask is",
}
_BACKGROUND_ID = 0


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        if _FILE in folder.files and _PICTURES in folder.folders:
            return folder.join(_FILE)
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a folder with a ``coco_annotations.json``.

    Raises:
        DumpError: masks are polygons, which are not what the simulator rendered, or the file cannot be read.
    """
    log = ProblemLog()
    table = FrameTable(log)
    folders = {folder.path: folder for folder in walk(root, log)}
    classes: dict[int, set[str]] = {_BACKGROUND_ID: {"background"}}
    for folder in folders.values():
        pictures = folders.get(folder.join(_PICTURES))
        if _FILE not in folder.files or pictures is None:
            continue
        record = folder.join(_FILE)
        listed = _read_index(root, record)
        for category in listed["categories"]:
            classes.setdefault(int(category["id"]), set()).add(str(category["name"]))
        stems = {path.rpartition(".")[0] for path in listed["pictures"]}
        renders = index_files(pictures, log)
        described = {name: f"{_PICTURES}/{name}" for name in renders if f"{_PICTURES}/{name}" in stems}
        files = {
            modality: {name: f"{record}/{kind}/{stem}.{suffix}" for name, stem in described.items()}
            for modality, kind, suffix in (
                ("label", "labels", "png"),
                ("instance", "instances", "png"),
                ("boxes", "boxes", "json"),
            )
        }
        table.add_sequence(sequence_of(folder.path), split_of(folder.path), {"render": renders, **files})
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or _name_categories(classes, log),
        label_encoding="ids",
        instance_encoding="numbered",
        frames=table.frames(),
        problems=log.problems(),
        why=f"{_FILE} beside {_PICTURES}",
        metadata={"units": _UNITS, "label_files": _LABEL_FILES},
    )


def _read_index(root: str, record: str) -> dict[str, Any]:
    if is_remote(root):
        raise DumpError(
            f"dump {root}: {record} cannot be read in an object store", hint="copy the dump to a local folder"
        )
    try:
        index: dict[str, Any] = json.loads(open_folder(root).read_bytes(f"{record}/index.json"))
    except OSError as error:
        raise DumpError(
            f"dump {root}: {record}: {error.strerror or error}", hint="run the writer again, or copy the file again"
        ) from error
    if index["outlined"]:
        raise DumpError(
            f"dump {root}: masks of {len(index['outlined'])} pictures in {record} are polygons, which follow the "
            f"rendered objects within 2 px only, first {index['outlined'][0]}",
            hint="write them with mask_encoding_format='rle' (BlenderProc's default), or with write_hdf5 and "
            "category_id_segmaps",
        )
    return index


def _name_categories(classes: dict[int, set[str]], log: ProblemLog) -> LabelSpace:
    names = {number: join_names(sorted(of_class)) for number, of_class in classes.items()}
    return name_strange_classes(derive_label_space(NAME, name_twins_apart(names)), log)
