"""Cityscapes: ``leftImg8bit`` beside ``gtFine``, or pix2pixHD's ``train_img`` beside ``train_label``."""

import re

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_table import FrameTable, split_of
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "cityscapes"
LAYOUT = "leftImg8bit beside gtFine, or train_img beside train_label (real photos)"

_FILE = re.compile(
    r"(?P<name>(?P<sequence>.+_[0-9]{6})_(?P<frame>[0-9]{6}))_"
    r"(?P<kind>leftImg8bit|gtFine_labelIds|gtFine_labelTrainIds|gtFine_instanceIds)\.\w+"
)
_TRAIN_IDS = "train_ids"
_MODALITY = {
    "leftImg8bit": "render",
    "gtFine_labelIds": "label",
    "gtFine_labelTrainIds": _TRAIN_IDS,
    "gtFine_instanceIds": "instance",
}
_FPS = 17.0


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        for render, label in (("leftImg8bit", "gtFine"), ("train_img", "train_label"), ("test_img", "test_label")):
            if render in folder.folders and label in folder.folders:
                return f"{folder.path or 'the folder'} holds {render} and {label}"
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one 30-frame snippet of a city, its frames numbered as named.

    Train ids are the labels of dumps that have nothing else.
    """
    log = ProblemLog()
    table = FrameTable(log)
    sequences: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    numbers: dict[str, int] = {}
    twice: set[tuple[str, str, str]] = set()
    for folder in walk(root, log):
        split = split_of(folder.path.replace("_", "/"))
        for file in folder.files:
            parts = _FILE.fullmatch(file)
            if parts is None:
                continue
            files = sequences.setdefault((split, parts["sequence"]), {"render": {}, "label": {}})
            paths = files.setdefault(_MODALITY[parts["kind"]], {})
            first = paths.setdefault(parts["name"], folder.join(file))
            if first != folder.join(file):
                log.add("duplicate_id", first)
                log.add("duplicate_id", folder.join(file))
                twice.add((split, parts["sequence"], parts["name"]))
            numbers[parts["name"]] = int(parts["frame"])
    for split, sequence_id, name in twice:
        for paths in sequences[split, sequence_id].values():
            paths.pop(name, None)
    has_label_ids = any(files["label"] for files in sequences.values())
    has_train_ids = False
    for (split, sequence_id), files in sorted(sequences.items()):
        train_ids = files.pop(_TRAIN_IDS, {})
        if not has_label_ids and train_ids:
            files["label"], has_train_ids = train_ids, True
        table.add_sequence(sequence_id, split, files, numbers)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space or ("cityscapes19" if has_train_ids else "cityscapes34"),
        label_encoding="ids",
        instance_encoding="class_times_1000",
        frames=table.frames(),
        fps=_FPS,
        problems=log.problems(),
        why=f"files named leftImg8bit and gtFine_label{'TrainIds' if has_train_ids else 'Ids'}",
    )
