"""SHIFT: ``images/<split>/<view>/{img,semseg,depth,flow}`` as folders, zip, tar or HDF5 archives of videos."""

import re
from collections.abc import Mapping

from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_records import FrameRecords
from sflow_pipeline.simulators.frame_table import SPLIT_NAMES, split_of
from sflow_pipeline.simulators.path_patterns import HEAD, FrameIdentity, PatternFinder, find_layout
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "shift"
LAYOUT = "images/<split>/<view>/{img,semseg,depth,flow}[.zip|.tar|.hdf5]/<video>/<frame>_img_<view>.jpg"

#: SHIFT was made with CARLA 0.9.12 and uses its tags.
_LABEL_SPACE = "carla-0.9.13"
_UNITS = {
    "depth": "m = 1000 * (R + 256 * G + 65536 * B) / (2**24 - 1)",
    "boxes": "2-D boxes in px, 3-D boxes in m in camera space, run-length masks; by frame, of all det_*.json",
    "camera": "focal length and centre in px, place in m, weather and time of day",
    "flow": "px to the next frame, float16, array flow of the .npz file",
    "label": "tag in the red channel",
}
#: The file that is split; it is read together with those beside it.
_BOX_FILES = ("det_3d.json", "det_insseg_2d.json", "det_2d.json")
_FPS = {"discrete": 1.0, "continuous": 10.0}


def _pattern(kind: str, suffix: str) -> re.Pattern[str]:
    folder = rf"{HEAD}(?P<view>[^/]+)/{kind}(?:\.zip|\.tar|\.hdf5)?/(?P<video>[^/]+)/"
    return re.compile(rf"{folder}(?P<frame>[0-9]{{1,18}})_{kind}_(?P=view){suffix}")


_PATTERNS = {
    "render": _pattern("img", r"\.(?:jpg|png)"),
    "label": _pattern("semseg", r"\.png"),
    "depth": _pattern("depth", r"\.png"),
    "flow": _pattern("flow", r"\.npz"),
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one video seen from one view."""
    finder = PatternFinder(root, _PATTERNS, _identify)
    files = {
        folder.path: next((file for file in _BOX_FILES if file in folder.files), None)
        for folder in walk(root, ProblemLog())
    }
    records = FrameRecords(root, finder.log)
    frames = [_add_records(frame, files, records) for frame in finder.frames()]
    sets = {part for frame in frames for part in _FPS if part in frame.render.split("/")}
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or _LABEL_SPACE,
        label_encoding="red_channel",
        frames=frames,
        fps=_FPS[sets.pop()] if len(sets) == 1 else None,
        problems=finder.log.problems(),
        why="files named <frame>_img_<view> and <frame>_semseg_<view>",
        metadata={"units": _UNITS},
    )


def _add_records(frame: FrameRef, files: Mapping[str, str | None], records: FrameRecords) -> FrameRef:
    view, _kind, video, picture = frame.render.rsplit("/", 3)
    record = f"{view}/{files[view]}" if files.get(view) else None
    member = f"{video}/{picture.rpartition('.')[0]}.json"
    return frame.with_files(
        boxes=records.find(record, f"boxes/{member}"), camera=records.find(record, f"camera/{member}")
    )


def _identify(match: re.Match[str]) -> FrameIdentity:
    head = [part for part in (match["head"] or "").split("/") if part and part not in ("images", *SPLIT_NAMES)]
    sequence_id = "/".join([*head, match["video"], match["view"]])
    return FrameIdentity(sequence_id, match["frame"], split_of(match["head"] or ""), int(match["frame"]))
