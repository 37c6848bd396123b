"""Virtual KITTI 2: ``Scene<n>/<variation>/frames/<kind>/Camera_<n>``, classes as colours."""

import re
from collections.abc import Mapping

from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_records import FrameRecords
from sflow_pipeline.simulators.frame_table import DEFAULT_SPLIT
from sflow_pipeline.simulators.path_patterns import FrameIdentity, PatternFinder, find_layout
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "vkitti2"
LAYOUT = "Scene<n>/<variation>/frames/{rgb,classSegmentation,…}/Camera_<n>/{rgb,classgt,…}_<frame>"


def _pattern(folder: str, name: str, suffix: str) -> re.Pattern[str]:
    """Each kind of file comes in an archive of its own: folders above the scene are not part of a sequence id."""
    where = rf"(?:.+/)?(?P<scene>Scene\d+)/(?P<variation>[^/]+)/frames/{folder}/(?P<camera>Camera_\d+)"
    return re.compile(rf"{where}/{name}_(?P<frame>[0-9]{{1,18}})\.{suffix}")


_PATTERNS = {
    "render": _pattern("rgb", "rgb", "(?:jpg|png)"),
    "label": _pattern("classSegmentation", "classgt", "png"),
    "instance": _pattern("instanceSegmentation", "instancegt", "png"),
    "depth": _pattern("depth", "depth", "png"),
    "flow": _pattern("forwardFlow", "flow", "png"),
}
_UNITS = {
    "boxes": "cars of bbox.txt, pose.txt and info.txt: edges in px, sizes and places in m, angles in rad",
    "camera": "extrinsic: world to camera, m; intrinsic: px",
    "depth": "cm, 16 bits; 65535 is far away",
    "flow": "16 bits, px to the next frame: x = (2 * R / 65535 - 1) * (width - 1), y = (2 * G / 65535 - 1) * "
    "(height - 1), valid where B > 0",
    "instance": "track id + 1, 0 where there is none",
}
_FPS = 10.0
#: modality -> files of a scene that are split by frame, together with those beside them; the first that is there.
_TEXTS = {"boxes": ("bbox.txt", "pose.txt"), "camera": ("extrinsic.txt", "intrinsic.txt")}
_TEXT_FILES = frozenset(file for files in _TEXTS.values() for file in files)


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a scene in one variation (weather, light, camera angle) and camera."""
    finder = PatternFinder(root, _PATTERNS, _identify)
    texts: dict[str, str] = {}
    for folder in walk(root, ProblemLog()):
        scene = "/".join(folder.path.split("/")[-2:])
        for file in _TEXT_FILES.intersection(folder.files):
            texts.setdefault(f"{scene}/{file}", folder.join(file))
    records = FrameRecords(root, finder.log)
    frames = [_add_records(frame, texts, records) for frame in finder.frames()]
    return Dump(
        root=root,
        simulator=NAME,
        version="2",
        label_space=stated.label_space or "vkitti2",
        label_encoding="palette",
        instance_encoding="numbered_road_users",
        frames=frames,
        fps=_FPS,
        problems=finder.log.problems(),
        why="scenes with frames/rgb and frames/classSegmentation",
        metadata={"units": _UNITS},
    )


def _add_records(frame: FrameRef, texts: Mapping[str, str], records: FrameRecords) -> FrameRef:
    scene, _, camera = frame.sequence_id.rpartition("/")
    found = {}
    for modality, files in _TEXTS.items():
        record = next((texts[f"{scene}/{file}"] for file in files if f"{scene}/{file}" in texts), None)
        found[modality] = records.find(record, f"{camera}/{frame.frame_index:05}.json")
    return frame.with_files(boxes=found["boxes"], camera=found["camera"])


def _identify(match: re.Match[str]) -> FrameIdentity:
    sequence_id = "/".join((match["scene"], match["variation"], match["camera"]))
    return FrameIdentity(sequence_id, match["frame"], DEFAULT_SPLIT, int(match["frame"]))
