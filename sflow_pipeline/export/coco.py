"""COCO: instances with exact masks, and panoptic segments; category ids are the dataset's class ids."""

import json
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.row import Row
from sflow_pipeline.export.exporter import ExportTask, Outcome, build_flat_name, require_column
from sflow_pipeline.export.instances import Instance, find_instances, is_thing
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.storage import image_codec

NAME = "coco"
LAYOUT = "<split>/*.png, annotations/instances_<split>.json, panoptic_<split>.json and panoptic_<split>/*.png"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without an instance file are left out and counted."""
    require_column(task.contents, "instance", NAME)
    space, simulator = task.contents.label_space, task.contents.label_format.simulator
    splits: dict[str, _Split] = defaultdict(lambda: _Split(space))
    rows = skipped = 0
    for row in task.rows:
        instance_map = row.decode_plane("instance")
        label_map = row.decode_label_map()
        if instance_map is None or instance_map.shape[:2] != label_map.shape:
            skipped += 1
            continue
        name = f"{build_flat_name(row)}.png"
        panoptic = splits[row.split].add(
            row, name, label_map, find_instances(instance_map, label_map, space, simulator)
        )
        task.dest.write(f"{row.split}/{name}", row.require_file("image"))
        task.dest.write(f"annotations/panoptic_{row.split}/{name}", image_codec.encode_label(panoptic))
        task.dest.note_sample(row, f"{row.split}/{name}")
        rows += 1
    for split, collected in splits.items():
        for kind, content in (("instances", collected.instances), ("panoptic", collected.panoptic)):
            task.dest.write(f"annotations/{kind}_{split}.json", json.dumps(content, ensure_ascii=False).encode("utf-8"))
    notes = (f"{skipped} rows without a readable instance file are left out",) if skipped else ()
    return Outcome(rows, f"class ids of {space.name} are the category ids; masks are pixel-exact", notes)


class _Split:
    """The annotations of one split."""

    def __init__(self, space: LabelSpace) -> None:
        self._things = {item.id for item in space.classes if is_thing(item)}
        categories = [
            {
                "id": item.id,
                "name": item.name,
                "supercategory": item.concepts[0].split(".")[0],
                "isthing": int(is_thing(item)),
                "color": list(item.color),
            }
            for item in space.classes
            if item.id != space.void_id
        ]
        self._images: list[dict[str, Any]] = []
        self._objects: list[dict[str, Any]] = []
        self._segments: list[dict[str, Any]] = []
        self._known = {item["id"] for item in categories}
        things = [item for item in categories if item["isthing"]]
        head = {"info": {"description": f"classes of {space.name}"}, "licenses": [], "images": self._images}
        self.instances = {**head, "annotations": self._objects, "categories": things}
        self.panoptic = {**head, "annotations": self._segments, "categories": categories}

    def add(self, row: Row, name: str, label_map: NDArray[Any], found: list[Instance]) -> NDArray[np.uint8]:
        """Note a frame; (h, w, 3) uint8 RGB of its segment ids."""
        image_id = len(self._images) + 1
        height_px, width_px = label_map.shape
        facts = {"id": image_id, "file_name": name, "width": width_px, "height": height_px}
        self._images.append({**facts, "sample_id": row.sample_id, "variant": row.variant})
        ids = np.zeros(label_map.shape, np.uint32)
        infos: list[dict[str, Any]] = []
        for instance in found:
            ids.reshape(-1)[instance.pixels] = len(infos) + 1
            annotation = _describe(instance.class_id, instance.pixels, width_px, is_crowd=False)
            infos.append({"id": len(infos) + 1, **annotation})
            mask = {"size": [height_px, width_px], "counts": encode_runs(instance.pixels, label_map.shape)}
            # Counted from 1: evaluation takes an annotation with id 0 for one that was not matched.
            self._objects.append(
                {"id": len(self._objects) + 1, "image_id": image_id, **annotation, "segmentation": mask}
            )
        rest = ids.reshape(-1) == 0
        for class_id in np.unique(label_map).tolist():
            if class_id not in self._known:
                continue
            pixels = np.flatnonzero(rest & (label_map.reshape(-1) == class_id))
            if len(pixels):
                ids.reshape(-1)[pixels] = len(infos) + 1
                is_crowd = class_id in self._things  # objects that nobody counted
                infos.append({"id": len(infos) + 1, **_describe(class_id, pixels, width_px, is_crowd=is_crowd)})
        self._segments.append({"image_id": image_id, "file_name": name, "segments_info": infos})
        return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)


def encode_runs(pixels: NDArray[np.int64], shape: tuple[int, ...]) -> list[int]:
    """COCO's run lengths of a mask, down the columns: zeros, ones, zeros, ….

    >>> encode_runs(np.array([1, 3]), (2, 2))
    [2, 2]
    """
    rows, columns = np.divmod(pixels, shape[1])
    order = np.sort(columns * shape[0] + rows)
    breaks = np.flatnonzero(np.diff(order) > 1)
    starts = order[np.concatenate([[0], breaks + 1])]
    stops = order[np.concatenate([breaks, [len(order) - 1]])] + 1
    borders = np.stack([starts, stops], axis=1).reshape(-1)
    end = shape[0] * shape[1]
    runs: list[int] = np.diff(borders, prepend=0, append=end).tolist()
    return runs[:-1] if runs[-1] == 0 else runs


def _describe(class_id: int, pixels: NDArray[np.int64], width_px: int, *, is_crowd: bool) -> dict[str, Any]:
    rows, columns = np.divmod(pixels, width_px)
    left, top = int(columns.min()), int(rows.min())
    box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
    return {"category_id": class_id, "area": len(pixels), "bbox": box, "iscrowd": int(is_crowd)}
