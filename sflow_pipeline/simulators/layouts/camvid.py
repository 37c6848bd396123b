"""CamVid in SegNet's layout: photos in ``train``, their labels in ``trainannot``, and so for val and test."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_numbers import number_frames
from sflow_pipeline.simulators.frame_table import FrameTable, find_usual_step, index_files
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "camvid"
LAYOUT = "train beside trainannot, val beside valannot, test beside testannot (real photos)"

_SPLITS = ("train", "val", "test")
_CAMERA_FPS = 30.0  # frame numbers count the film's frames
_RECORDING = re.compile(r"(?P<recording>[^_]+)_")
_OWN_RECORDINGS = re.compile(r"(?:0001TP|0006R0|0016E5|Seq05VD)_")


def matches(root: str) -> str | None:
    """See ``Adapter.matches``; other sets are in this layout, too, so that the names of the recordings count."""
    folders = quick_look(root)
    has_own_names = any(_OWN_RECORDINGS.match(file) for folder in folders for file in folder.files)
    for folder in folders if has_own_names else ():
        for split in _SPLITS:
            if split in folder.folders and f"{split}annot" in folder.folders:
                return f"{folder.path or 'the folder'} holds {split} and {split}annot"
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a recording, the part of a file's name before ``_``."""
    log = ProblemLog()
    table = FrameTable(log)
    halves: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for folder in walk(root, log):
        parent, _, name = folder.path.rpartition("/")
        split = name.removesuffix("annot")
        if split in _SPLITS:
            files = halves.setdefault((parent, split), {"render": {}, "label": {}})
            files["label" if name.endswith("annot") else "render"] = index_files(folder, log)
    for (_, split), files in sorted(halves.items()):
        if files["label"]:
            _add(table, split, files)
    frames = table.frames()
    steps = {step for _, numbers in table.numbers() if (step := find_usual_step(numbers))}
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or "camvid11",
        label_encoding="ids",
        frames=frames,
        fps=_CAMERA_FPS / steps.pop() if len(steps) == 1 else None,
        problems=log.problems(),
        why="photo folders beside folders of the same name with annot",
    )


def _add(table: FrameTable, split: str, files: dict[str, dict[str, str]]) -> None:
    recordings: dict[str, dict[str, dict[str, str]]] = {}
    for modality, paths in files.items():
        for name, path in paths.items():
            parts = _RECORDING.match(name)
            recording = recordings.setdefault(parts["recording"] if parts else split, {"render": {}, "label": {}})
            recording[modality][name] = path
    for recording_id, recording in sorted(recordings.items()):
        names = sorted(recording["render"].keys() | recording["label"].keys())
        table.add_sequence(recording_id, split, recording, number_frames(names))
