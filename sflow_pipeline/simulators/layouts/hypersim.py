"""Hypersim: rooms as tone-mapped previews, beside HDF5 files with NYU40 classes, instances and distances."""

import re

from sflow_pipeline.archives import is_archive_name
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.folder_walk import DumpFolder, walk
from sflow_pipeline.simulators.frame_records import FrameRecords
from sflow_pipeline.simulators.frame_table import FrameTable, split_of
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "hypersim"
LAYOUT = "ai_<volume>_<scene>/images/scene_cam_<n>_{final_preview,geometry_hdf5}/frame.0000.{tonemap.jpg,semantic.hdf5}"

_FOLDER = re.compile(
    r"(?P<scene>(?:.+/)?ai_\d+_\d+)/images/scene_(?P<camera>cam_\d+)_(?P<kind>final_preview|geometry_hdf5)"
)
_PICTURE = re.compile(r"frame\.(?P<frame>\d+)\.(?P<tone>tonemap|color)\.jpg")
_ARRAY = re.compile(r"frame\.(?P<frame>\d+)\.(?P<content>semantic|semantic_instance|depth_meters)\.hdf5")
#: What an HDF5 file holds -> modality, and the name that its only array has when it is read.
_ARRAYS = {
    "semantic": ("label", "dataset.png"),
    "semantic_instance": ("instance", "dataset.png"),
    "depth_meters": ("depth", "dataset.npy"),
}
_LABEL_FILES = "the simulator's ids, pixel for pixel, in PNG files made of its arrays"
_UNITS = {
    "camera": "position and look_at in the scene's units, of meters_per_asset_unit m each; orientation camera to world",
    "depth": "m from the camera's centre, not along the optical axis; NaN where there is no surface",
    "instance": "semantic instance, as 16-bit PNG of the file's integers; 0 where the file has -1",
    "label": "NYU40 ids, as 16-bit PNG of the file's integers; 0 where the file has -1",
}
_SPLITS = "metadata_images_split_scene_v1.csv"
_PER_SCENE = re.compile(r"metadata_semantic_instance_bounding_box_object_aligned_2d_\w+\.hdf5")


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        if _FOLDER.fullmatch(folder.path):
            return folder.path
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one camera trajectory.

    Splits of scenes follow Hypersim's own list, if it is at the top of the dump.
    """
    log = ProblemLog()
    table = FrameTable(log)
    records = FrameRecords(root, log)
    splits: dict[str, str] = {}
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for folder in walk(root, log, enter_archives=False):
        if not folder.path and _SPLITS in folder.files:
            splits = _read_splits(root)
        for name in folder.folders:
            if is_archive_name(name) and not name.endswith((".hdf5", ".h5")):
                log.add("packed_archive", folder.join(name))
            if _PER_SCENE.fullmatch(name):
                log.add("not_carried", folder.join(name))
        match = _FOLDER.fullmatch(folder.path)
        if match is not None:
            files = found.setdefault((match["scene"], match["camera"]), {"render": {}, "label": {}})
            _add_files(folder, match["kind"], files)
    for (scene, camera), files in sorted(found.items()):
        record = f"{scene}/_detail/{camera}/camera_keyframe_positions.hdf5"
        poses = {frame: records.find(record, f"{frame}.json") for frame in files["render"]} if files["render"] else {}
        files["camera"] = {frame: path for frame, path in poses.items() if path is not None}
        split = splits.get(scene.rpartition("/")[2], split_of(scene))
        table.add_sequence(f"{scene}/{camera}", split, files)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or "nyu40",
        label_encoding="ids",
        instance_encoding="numbered",
        frames=table.frames(),
        problems=log.problems(),
        why="folders scene_cam_<n>_final_preview and scene_cam_<n>_geometry_hdf5",
        metadata={"units": _UNITS, "label_files": _LABEL_FILES, "nan_depth": "no surface"},
    )


def _add_files(folder: DumpFolder, kind: str, files: dict[str, dict[str, str]]) -> None:
    if kind == "final_preview":
        for name in folder.files:  # "color" comes before "tonemap", which is the better picture
            match = _PICTURE.fullmatch(name)
            if match is not None:
                files["render"][match["frame"]] = folder.join(name)
        return
    for name in folder.folders:
        match = _ARRAY.fullmatch(name)
        if match is not None:
            modality, array = _ARRAYS[match["content"]]
            files.setdefault(modality, {})[match["frame"]] = f"{folder.join(name)}/{array}"


def _read_splits(root: str) -> dict[str, str]:
    """Scene -> split, from the first and last column of Hypersim's list."""
    lines = open_folder(root).read_bytes(_SPLITS).decode("utf-8", "replace").splitlines()[1:]
    rows = [[field.strip() for field in line.split(",")] for line in lines]
    return {row[0]: split_of(row[-1]) for row in rows if len(row) > 1 and row[-1]}
