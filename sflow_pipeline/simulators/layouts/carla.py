"""CARLA recordings: picture and tag folders side by side, or pairs that differ in their endings."""

import re

from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import DumpFolder, walk
from sflow_pipeline.simulators.frame_table import FrameTable, index_files, merge_files, sequence_of, split_of
from sflow_pipeline.simulators.label_sample import read_label_sample
from sflow_pipeline.simulators.layouts.carla_tags import VERSIONS, count_versions, identify_version
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "carla"
LAYOUT = (
    "CameraRGB beside CameraSeg, RGB beside Segmentation_Images, sensor.camera.rgb beside "
    "sensor.camera.semantic_segmentation, camera/rgb_front beside camera/semantic_front, or <frame>_img.png with "
    "<frame>_labelIds.png"
)

#: Folder of a sensor -> modality. Folders belong together that share what is before or after these names.
_FOLDERS = {
    "CameraRGB": "render",
    "CameraSeg": "label",
    "CameraInstance": "instance",
    "CameraDepth": "depth",
    "RGB": "render",
    "Segmentation_Images": "label",
    "sensor.camera.rgb": "render",
    "sensor.camera.semantic_segmentation": "label",
    "sensor.camera.instance_segmentation": "instance",
    "sensor.camera.depth": "depth",
    "sensor.camera.optical_flow": "flow",
}
_FOLDER = re.compile("(?P<sensor>" + "|".join(map(re.escape, _FOLDERS)) + r")(?P<camera>[._-]\w+)?")
#: Bench2Drive: ``camera/rgb_front`` beside ``camera/semantic_front``.
_VIEW = re.compile(r"(?P<sensor>rgb|semantic|instance|depth)_(?P<camera>\w+)")
_VIEWS = {"rgb": "render", "semantic": "label", "instance": "instance", "depth": "depth"}
_VIEWS_FOLDER = "camera"
_UNITS = {
    "depth": "m = 1000 * (R + 256 * G + 65536 * B) / (2**24 - 1) as the sensor writes it; logarithmic where it is grey",
    "instance": "tag in the red channel, object in green and blue",
    "flow": "hue is the direction, value the length: for looking at, CARLA saves no numbers as pictures",
}
#: Endings of loose files -> modality.
_ENDINGS = {"_img": "render", "_labelIds": "label", "_instance": "instance"}
_TOWN_FRAME_TICK = re.compile(r"(?P<town>.+)_(?P<frame>[0-9]{1,18})_(?P<tick>[0-9]+)")


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for folder in quick_look(root):
        where = folder.path or "the folder"
        by_camera: dict[str, dict[str, str]] = {}
        for name in folder.folders:
            sensor = _find_sensor(folder.join(name))
            if sensor:
                by_camera.setdefault(sensor[1], {})[sensor[0]] = name
        for names in by_camera.values():
            label = names.get("label") or names.get("instance")
            if "render" in names and label:
                return f"{where} holds {names['render']} and {label}"
        stems = {file.rpartition(".")[0] for file in folder.files}
        if all(any(stem.endswith(ending) for stem in stems) for ending in ("_img", "_labelIds")):
            return f"{where} holds files that end in _img and in _labelIds"
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``.

    Raises:
        DumpError: the labels do not tell which CARLA version wrote them, and no label space is stated.
    """
    log = ProblemLog()
    table = FrameTable(log)
    sensors: dict[str, dict[str, dict[str, str]]] = {}
    for folder in walk(root, log):
        sensor = _find_sensor(folder.path)
        if sensor:
            camera = "/".join(part for part in (folder.path.rpartition("/")[0], sensor[1].lstrip("._-")) if part)
            files = sensors.setdefault(camera, {"render": {}, "label": {}})
            merge_files(files.setdefault(sensor[0], {}), index_files(folder, log), log)
        _add_loose_pairs(folder, table, log)
    for path, files in sorted(sensors.items()):
        if not files["label"] and files.get("instance"):
            files["label"] = files["instance"]  # its red channel holds the tags
        if files["label"]:
            table.add_sequence(sequence_of(path), split_of(path), files)
    frames = table.frames()
    sample = read_label_sample(root, [frame.label for frame in frames])
    holds_objects = bool(frames) and all(frame.label == frame.instance for frame in frames)
    tags = [label[..., 0] for label in sample if label.ndim == 3] if holds_objects else sample
    evidence = identify_version(tags, stated.label_encoding)
    label_space = stated.label_space
    if label_space is None and frames:
        label_space = evidence.label_space
        if label_space is None:
            if frames[0].label.lower().endswith((".jpg", ".jpeg")):
                raise DumpError(
                    f"dump {root}: labels are JPEG files, whose compression changes class ids, first {frames[0].label}",
                    hint="write labels as PNG",
                )
            raise DumpError(
                f"dump {root}: {evidence.text}",
                hint=f"name its label space with --label-space: {', '.join(VERSIONS)}, or a YAML file with your own "
                "tags; --unknown-ids ignore takes ids that it lacks as void",
            )
        if not evidence.is_sure:
            log.add("label_space_guessed", frames[0].label, f"taken for {label_space}: {evidence.text}")
    elif frames and label_space in VERSIONS and evidence.is_sure and evidence.label_space != label_space:
        doubt = f"{label_space} was asked for, the labels look like {evidence.text}"
        log.add("label_space_doubted", frames[0].label, doubt)
    if not holds_objects and len(mixed := count_versions(sample)) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in mixed.items())
        log.add("mixed_versions", frames[0].label, f"of {len(sample)} labels that were opened, {found}")
    label_space = label_space or next(iter(VERSIONS))
    return Dump(
        root=root,
        simulator=NAME,
        version=VERSIONS.get(label_space, ""),
        label_space=label_space,
        label_encoding="red_channel" if holds_objects else evidence.encoding,
        instance_encoding="class_in_red",
        frames=frames,
        problems=log.problems(),
        why=evidence.text,
        metadata={"units": _UNITS},
    )


def _find_sensor(path: str) -> tuple[str, str] | None:
    """Modality and camera of a sensor's folder; None for another folder."""
    parent, _, name = path.rpartition("/")
    sensor = _FOLDER.fullmatch(name)
    if sensor:
        return _FOLDERS[sensor["sensor"]], sensor["camera"] or ""
    view = _VIEW.fullmatch(name) if parent.rpartition("/")[2] == _VIEWS_FOLDER else None
    return (_VIEWS[view["sensor"]], view["camera"]) if view else None


def _add_loose_pairs(folder: DumpFolder, table: FrameTable, log: ProblemLog) -> None:
    """``<town>_<frame>_<tick>_{img,labelIds,instance}.png``, one sequence per town."""
    sequences: dict[str, dict[str, dict[str, str]]] = {}
    numbers: dict[str, dict[str, int]] = {}
    for name, path in index_files(folder, log).items():
        for ending, modality in _ENDINGS.items():
            if name.endswith(ending):
                frame = name.removesuffix(ending)
                parts = _TOWN_FRAME_TICK.fullmatch(frame)
                sequence_id = folder.join(parts["town"]) if parts else sequence_of(folder.path)
                files = sequences.setdefault(sequence_id, {"render": {}, "label": {}})
                files.setdefault(modality, {})[frame] = path
                if parts:
                    numbers.setdefault(sequence_id, {})[frame] = int(parts["frame"])
    for sequence_id, files in sorted(sequences.items()):
        if files["label"]:
            table.add_sequence(sequence_id, split_of(folder.path), files, numbers.get(sequence_id))
