"""COCO: instances with exact masks, and panoptic segments; stuff where a dataset has no instances."""

import json
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.row import Row
from sflow_pipeline.export.exporter import ExportTask, FlatNames, Outcome, check_objects
from sflow_pipeline.export.instances import Instance, list_things, read_instances
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage import image_codec

NAME = "coco"
LAYOUT = (
    "<split>/*, annotations/instances_<split>.json (stuff_<split>.json without instances), "
    "panoptic_<split>.json and panoptic_<split>/*.png"
)


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without an instance file are left out and counted.

    In a dataset without instances every class is stuff, one segment for each class and picture.
    """
    label_format = task.contents.label_format
    has_instances = "instance" in task.contents.columns
    tracks: dict[tuple[str, int], int] = {}
    splits: dict[str, _Split] = defaultdict(lambda: _Split(label_format, tracks, has_instances=has_instances))
    rows = skipped = objects = 0
    names = FlatNames()
    for row in task.rows:
        label_map = row.decode_label_map()
        instances = read_instances(row, label_map, label_format) if has_instances else []
        if instances is None:
            skipped += 1
            continue
        name = names.name(row)
        objects += len(instances)
        panoptic = splits[row.split].add(row, name, label_map, instances)
        image_path = f"{row.split}/{name}{row.suffix('image')}"
        task.dest.write(image_path, row.require_file("image"))
        task.dest.write(f"annotations/panoptic_{row.split}/{name}.png", image_codec.encode_label(panoptic))
        task.dest.note_sample(row, image_path)
        rows += 1
    if has_instances:
        check_objects(task, objects, NAME, [item.name for item in list_things(label_format)])
    masks = "instances" if has_instances else "stuff"
    for split, collected in splits.items():
        for kind, content in ((masks, collected.masks), ("panoptic", collected.panoptic)):
            task.dest.write(f"annotations/{kind}_{split}.json", json.dumps(content, ensure_ascii=False).encode("utf-8"))
    notes = [f"{skipped} rows without a readable instance file are left out"] if skipped else []
    if not has_instances:
        notes.append("no instance column: every class is stuff, in stuff_<split>.json; objects are not told apart")
    labels = f"classes of {label_format.space.name} as categories from 1, with their class_id; masks are pixel-exact"
    return Outcome(rows, labels, tuple(notes), objects)


class _Split:
    """The annotations of one split.

    Args:
        label_format: of the dataset.
        tracks: (sequence id, object id) -> track id, shared by all splits.
        has_instances: rows have instance files; without, every class is stuff.
    """

    def __init__(
        self, label_format: LabelFormat, tracks: dict[tuple[str, int], int], *, has_instances: bool = True
    ) -> None:
        self._tracks = tracks
        self._has_instances = has_instances
        space = label_format.space
        self._things = {item.id for item in list_things(label_format)} if has_instances else set()
        named = [item for item in space.classes if item.id != space.void_id]
        #: Class id -> category id. Many readers take category 0 for the background.
        self._category_ids = {item.id: number for number, item in enumerate(named, start=1)}
        categories = [
            {
                "id": self._category_ids[item.id],
                "class_id": item.id,
                "name": item.name,
                "supercategory": item.concepts[0].split(".")[0],
                "isthing": int(item.id in self._things),
                "color": list(item.color),
            }
            for item in named
        ]
        self._images: list[dict[str, Any]] = []
        self._objects: list[dict[str, Any]] = []
        self._segments: list[dict[str, Any]] = []
        things = [item for item in categories if item["isthing"] == int(has_instances)]
        head = {"info": {"description": f"classes of {space.name}"}, "licenses": [], "images": self._images}
        #: Of objects, or of stuff without instances.
        self.masks = {**head, "annotations": self._objects, "categories": things}
        self.panoptic = {**head, "annotations": self._segments, "categories": categories}

    def add(self, row: Row, name: str, label_map: NDArray[Any], found: list[Instance]) -> NDArray[np.uint8]:
        """Note a frame, its name without the ending; (h, w, 3) uint8 RGB of its segment ids."""
        image_id = len(self._images) + 1
        height_px, width_px = label_map.shape
        facts = {"id": image_id, "file_name": f"{name}{row.suffix('image')}", "width": width_px, "height": height_px}
        identity = {name: row.values[name] for name in ("sample_id", "sequence_id", "frame_index", "variant")}
        self._images.append({**facts, **identity})
        ids = np.zeros(label_map.shape, np.uint32)
        infos: list[dict[str, Any]] = []
        for instance in found:
            ids.reshape(-1)[instance.pixels] = len(infos) + 1
            annotation = _describe(self._category_ids[instance.class_id], instance.pixels, width_px, is_crowd=False)
            track = (row.sequence_id, instance.object_id)
            annotation["track_id"] = self._tracks.setdefault(track, len(self._tracks) + 1)
            infos.append({"id": len(infos) + 1, **annotation})
            self._add_mask(image_id, annotation, instance.pixels, label_map.shape)
        rest = ids.reshape(-1) == 0
        for class_id in np.unique(label_map).tolist():
            if class_id not in self._category_ids:
                continue
            pixels = np.flatnonzero(rest & (label_map.reshape(-1) == class_id))
            if len(pixels):
                ids.reshape(-1)[pixels] = len(infos) + 1
                is_crowd = class_id in self._things  # objects without a number of their own
                segment = _describe(self._category_ids[class_id], pixels, width_px, is_crowd=is_crowd)
                infos.append({"id": len(infos) + 1, **segment})
                if not self._has_instances:
                    self._add_mask(image_id, segment, pixels, label_map.shape)
        self._segments.append({"image_id": image_id, "file_name": f"{name}.png", "segments_info": infos})
        return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)

    def _add_mask(
        self, image_id: int, described: dict[str, Any], pixels: NDArray[np.int64], shape: tuple[int, ...]
    ) -> None:
        mask = {"size": list(shape), "counts": encode_runs(pixels, shape)}
        # Counted from 1: evaluation takes an annotation with id 0 for one that was not matched.
        self._objects.append({"id": len(self._objects) + 1, "image_id": image_id, **described, "segmentation": mask})


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


def _describe(category_id: int, pixels: NDArray[np.int64], width_px: int, *, is_crowd: bool) -> dict[str, Any]:
    rows, columns = np.divmod(pixels, width_px)
    left, top = int(columns.min()), int(rows.min())
    box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
    return {"category_id": category_id, "area": len(pixels), "bbox": box, "iscrowd": int(is_crowd)}
