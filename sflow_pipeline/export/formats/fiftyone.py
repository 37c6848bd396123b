"""FiftyOne: images, label masks, boxes and every score as a FiftyOneDataset, written without the library.

``fiftyone.Dataset.from_dir("DEST", dataset_type=fiftyone.types.FiftyOneDataset)`` reads it.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.columns import BY_NAME, SCORE_COLUMNS
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.export.exporter import ExportTask, FlatNames, Outcome
from sflow_pipeline.export.instances import Instance, read_instances
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.storage.image_codec import encode_label

NAME = "fiftyone"
LAYOUT = "data/<split>/*, fields/ground_truth/<split>/*.png (class ids), metadata.json and samples.json"

_MIME_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without a readable instance file have no boxes."""
    label_format = task.contents.label_format
    space = label_format.space
    has_instances = "instance" in task.contents.columns
    names = FlatNames()
    samples = []
    objects = unnumbered = 0
    for row in task.rows:
        name = f"{row.split}/{names.name(row)}"
        label_map = row.decode_label_map()
        found = read_instances(row, label_map, label_format) if has_instances else []
        unnumbered += found is None
        instances = found or []
        objects += len(instances)
        image_path = f"data/{name}{row.suffix('image')}"
        mask_path = f"fields/ground_truth/{name}.png"
        image = row.require_file("image")
        task.dest.write(image_path, image)
        task.dest.write(mask_path, encode_label(label_map))
        task.dest.note_sample(row, image_path)
        samples.append(_describe(row, image_path, mask_path, len(image), label_map, instances, space))
    task.dest.write("metadata.json", _encode({"media_type": "image", "info": _describe_classes(space)}))
    task.dest.write("samples.json", _encode({"samples": samples}))
    notes = [] if has_instances else ["no instance column: there are masks and scores, but no boxes"]
    if unnumbered:
        notes.append(f"{unnumbered} rows without a readable instance file have no boxes")
    zero = next((item.name for item in space.classes if item.id == 0 and item.id != space.void_id), None)
    if zero is not None:
        notes.append(f"FiftyOne draws id 0 as background: {zero} has no colour there, its pixels keep their id")
    labels = f"masks with the class ids of {space.name}; boxes of countable objects, relative to the image"
    return Outcome(len(samples), labels, tuple(notes), objects if has_instances else None)


def _describe(
    row: Row,
    image_path: str,
    mask_path: str,
    size_bytes: int,
    label_map: NDArray[Any],
    instances: list[Instance],
    space: LabelSpace,
) -> dict[str, Any]:
    """A sample as FiftyOne serialises it; paths are relative to the folder."""
    height_px, width_px = label_map.shape
    scores = {name: row.values.get(name) for name in SCORE_COLUMNS if name in row.values}
    words = {name: value or "" for name, value in scores.items() if BY_NAME[name].holds == "string"}
    numbers = {name: value for name, value in scores.items() if name not in words and value is not None}
    boxes = [_describe_box(item, width_px, height_px, space) for item in instances]
    return {
        "filepath": image_path,
        "tags": [row.split],
        "metadata": {
            "_cls": "ImageMetadata",
            "size_bytes": size_bytes,
            "mime_type": _MIME_TYPES.get(row.suffix("image"), "application/octet-stream"),
            "width": width_px,
            "height": height_px,
            "num_channels": 3,
        },
        "ground_truth": {"_cls": "Segmentation", "tags": [], "mask_path": mask_path},
        **({"objects": {"_cls": "Detections", "detections": boxes}} if boxes else {}),
        "source_sample": row.sample_id,
        "sequence": row.sequence_id,
        "frame_index": row.frame_index,
        "variant": row.variant,
        **{name: float(np.float64(value)) for name, value in numbers.items()},
        **{name: value for name, value in words.items() if name != "failed_checks"},
        **({"failed_checks": words["failed_checks"].split(",")} if words.get("failed_checks") else {}),
    }


def _describe_box(item: Instance, width_px: int, height_px: int, space: LabelSpace) -> dict[str, Any]:
    left, top, right, bottom = item.xyxy
    name = next(entry.name for entry in space.classes if entry.id == item.class_id)
    box = [left / width_px, top / height_px, (right - left) / width_px, (bottom - top) / height_px]
    return {"_cls": "Detection", "tags": [], "label": name, "bounding_box": box, "index": item.object_id}


def _describe_classes(space: LabelSpace) -> dict[str, Any]:
    return {
        "description": f"written by sflow-pipeline; classes of {space.name}",
        "default_classes": [item.name for item in space.classes],
        "default_mask_targets": {str(item.id): item.name for item in space.classes},
    }


def _encode(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=True, allow_nan=False).encode()
