"""AirSim recordings: ``airsim_rec.txt`` names the pictures that belong to one moment."""

import re

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_records import FrameRecords
from sflow_pipeline.simulators.frame_table import FrameTable, sequence_of, split_of
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "airsim"
LAYOUT = "airsim_rec.txt beside images/img_<vehicle>_<camera>_<type>_<time>.png"

_RECORD = "airsim_rec.txt"
#: The record's column of milliseconds.
_TIME_MS = "TimeStamp"
_IMAGE = re.compile(r"img_(?P<vehicle>.*)_(?P<camera>[^_]*)_(?P<type>\d+)_\d+\.(?:png|pfm|ppm)")
#: AirSim's ImageType -> modality.
_TYPES = {"0": "render", "5": "label", "1": "depth", "9": "flow"}
_UNITS = {
    "camera": "where the vehicle was: POS_* in m, Q_* a quaternion, both north-east-down, and what else its line says",
    "depth": "m along the optical axis, float32 PFM from bottom to top",
    "label": "one colour per segmentation id",
    "flow": "px to the next frame",
}


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        if _RECORD in folder.files and "images" in folder.folders:
            return folder.join(_RECORD)
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is one camera of one recording, numbered by the record's lines.

    Raises:
        DumpError: no label space is named: what AirSim's colours mean is settled in each scene.
    """
    if stated.label_space is None:
        raise DumpError(
            f"dump {root}: nothing states what AirSim's segmentation colours mean",
            hint="write a label space file whose classes have the colours of your segmentation ids, and give it with "
            "--label-space",
        )
    log = ProblemLog()
    table = FrameTable(log)
    records = FrameRecords(root, log)
    folders = {folder.path: folder for folder in walk(root, log)}
    for folder in folders.values():
        if _RECORD not in folder.files:
            continue
        present = frozenset(folders[folder.join("images")].files) if folder.join("images") in folders else frozenset()
        cameras: dict[str, dict[str, dict[str, str]]] = {}
        timestamps_s: dict[str, float] = {}
        lines = open_folder(root).read_bytes(folder.join(_RECORD)).decode("utf-8", "replace").splitlines()
        head = lines[0].split("\t") if lines else []
        for number, line in enumerate(filter(str.strip, lines[1:])):
            time_ms = dict(zip(head, line.split("\t"), strict=False)).get(_TIME_MS, "")
            if time_ms.isascii() and time_ms.isdigit() and len(time_ms) <= 18:
                timestamps_s[f"{number:06}"] = int(time_ms) / 1000
            for name in line.rpartition("\t")[2].split(";"):
                match = _IMAGE.fullmatch(name.strip())
                if match is None or match["type"] not in _TYPES or match[0] not in present:
                    continue
                camera = "_".join(part for part in (match["vehicle"], match["camera"]) if part)
                files = cameras.setdefault(camera, {"render": {}, "label": {}})
                files.setdefault(_TYPES[match["type"]], {})[f"{number:06}"] = folder.join(f"images/{match[0]}")
                line_file = records.find(folder.join(_RECORD), f"{number:06}.json")
                if line_file is not None:
                    files.setdefault("camera", {})[f"{number:06}"] = line_file
        for camera, files in sorted(cameras.items()):
            sequence_id = "/".join(part for part in (folder.path, camera) if part)
            table.add_sequence(sequence_of(sequence_id), split_of(folder.path), files, timestamps_s=timestamps_s)
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space,
        label_encoding="palette",
        frames=table.frames(),
        problems=log.problems(),
        why=f"{_RECORD} beside images",
        metadata={"units": _UNITS},
    )
