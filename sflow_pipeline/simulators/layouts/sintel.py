"""MPI Sintel: ``training/{final,clean,albedo,flow,depth,camdata_left}/<scene>``; it has no classes of its own."""

import re
from collections.abc import Mapping

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_records import FrameRecords
from sflow_pipeline.simulators.frame_table import FrameTable, split_of
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "sintel"
LAYOUT = "training/{final,clean,albedo}/<scene>/frame_0001.png, with flow, depth, camdata_left; labels in semantic"

#: Renderings of the same moments, best first; one of them is read.
_PASSES = ("final", "clean", "albedo")
#: folder -> modality. ``semantic`` holds labels that were added to the data set.
_FOLDERS = {
    "semantic": ("label", "png"),
    "flow": ("flow", "flo"),
    "depth": ("depth", "dpt"),
    "camdata_left": ("camera", "cam"),
    "occlusions": ("occlusion", "png"),
}
#: Pictures, flow and depth are downloads of their own: what stands above ``training`` does not matter.
_FOLDER = re.compile(
    rf"(?:.+/)?(?P<set>training|test)/(?P<kind>{'|'.join((*_PASSES, *_FOLDERS))})/(?P<scene>[a-z]+_\d+)"
)
_FRAME = re.compile(r"(?P<frame>frame_\d{4})\.(?P<suffix>png|flo|dpt|cam)")
_UNITS = {
    "camera": "intrinsic in px, extrinsic world to camera in m",
    "depth": "m along the optical axis, float32 of the .dpt file",
    "flow": "px to the next frame, float32 of the .flo file",
    "occlusion": "255 where the next frame does not show the surface",
}
_FPS = 24.0

_Files = dict[str, dict[str, str]]


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        match = _FOLDER.fullmatch(folder.path)
        if match is not None and match["kind"] in _PASSES and any(map(_FRAME.fullmatch, folder.files)):
            return folder.path
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a scene, in the best of its passes.

    Raises:
        DumpError: there are no labels, or no label space is stated.
    """
    log = ProblemLog()
    found: dict[tuple[str, str], _Files] = {}
    for folder in walk(root, log):
        match = _FOLDER.fullmatch(folder.path)
        if match is None:
            continue
        modality, suffix = _FOLDERS.get(match["kind"], (match["kind"], "png"))
        paths = found.setdefault((split_of(match["set"]), match["scene"]), {}).setdefault(modality, {})
        for file in folder.files:
            name = _FRAME.fullmatch(file)
            if name is not None and name["suffix"] == suffix:
                paths[name["frame"]] = folder.join(file)
    _check_labels(root, stated.label_space, found)
    table, records = FrameTable(log), FrameRecords(root, log)
    for (split, scene), files in sorted(found.items()):
        cameras = {frame: records.find(path, "camera.json") for frame, path in files.pop("camera", {}).items()}
        renders = next((files[name] for name in _PASSES if files.get(name)), {})
        carried = {modality: paths for modality, paths in files.items() if modality not in _PASSES}
        carried["camera"] = {frame: path for frame, path in cameras.items() if path is not None}
        table.add_sequence(scene, split, {"label": {}, **carried, "render": renders})
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=str(stated.label_space),
        label_encoding="ids",
        frames=table.frames(),
        fps=_FPS,
        problems=log.problems(),
        why="folders of scenes in training/final, clean or albedo, the first of which is read; labels from semantic",
        metadata={"units": _UNITS},
    )


def _check_labels(root: str, label_space: str | None, found: Mapping[tuple[str, str], _Files]) -> None:
    if not any(files.get("label") for files in found.values()):
        counts: dict[str, int] = {}
        for files in found.values():
            for modality, paths in files.items():
                counts[modality] = counts.get(modality, 0) + len(paths)
        held = ", ".join(f"{count} {modality}" for modality, count in counts.items())
        raise DumpError(
            f"dump {root}: MPI Sintel, {len(found)} scenes ({held}), without class labels, which is what the model "
            "paints from",
            hint="label the pictures, write class ids as grey PNG to training/semantic/<scene>/frame_0001.png, and "
            "name their label space with --label-space",
        )
    if label_space is None:
        raise DumpError(
            f"dump {root}: no label space is stated for the ids in its semantic folder",
            hint="name the label space with --label-space",
        )
