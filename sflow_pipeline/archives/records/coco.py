"""BlenderProc's ``coco_annotations.json``: masks of all objects in all pictures, drawn into label pictures."""

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive
from sflow_pipeline.archives.png import encode_png
from sflow_pipeline.archives.records.record_table import Read, encode_json, stream_json
from sflow_pipeline.untrusted.limits import read_limits

_INDEX = "index.json"
_MAX_ID = 65534


def split_coco(name: str, read: Read) -> Archive:
    """Split a COCO file into one set of files per picture.

    - ``labels/<picture>.png``: category ids, 16 bits; 0 where no mask is
    - ``instances/<picture>.png``: which entry of the picture's boxes, counted from 1; 0 where no mask is
    - ``boxes/<picture>.json``: the picture's annotations as they came
    - ``index.json``: ``categories``, ``pictures`` (their paths), and ``outlined``, those whose masks are polygons
    """
    categories: list[dict[str, Any]] = []
    pictures: dict[int, dict[str, Any]] = {}
    listed: dict[int, list[bytes]] = {}
    outlined: set[int] = set()
    for key, item in stream_json(read(name)):
        if key == "categories":
            categories.append(item)
        elif key == "images":
            if int(item["id"]) in pictures:
                raise ValueError(f"two pictures have id {item['id']}")
            pictures[int(item["id"])] = item
        elif key == "annotations":
            number = int(item["image_id"])
            listed.setdefault(number, []).append(encode_json(item))
            if isinstance(item["segmentation"], list):
                outlined.add(number)
    stems = {number: str(image["file_name"]).rpartition(".")[0] for number, image in pictures.items()}
    if not pictures or len(set(stems.values())) < len(stems):
        raise ValueError("it lists no pictures, or two of one name")
    if unlisted := listed.keys() - pictures.keys():
        raise ValueError(f"annotations are of image {min(unlisted)}, which it does not list")
    index = {
        "categories": categories,
        "pictures": [str(image["file_name"]) for image in pictures.values()],
        "outlined": [str(pictures[number]["file_name"]) for number in sorted(outlined)],
    }
    texts = {_INDEX: encode_json(index)}
    for number, stem in stems.items():
        texts[f"boxes/{stem}.json"] = b"[" + b",".join(listed.pop(number, ())) + b"]"
    marks = {path: zlib.crc32(text) for path, text in texts.items()}
    sizes = {path: len(text) for path, text in texts.items()}
    drawn = {}
    for number, stem in stems.items():
        for folder in ("labels", "instances"):
            drawn[f"{folder}/{stem}.png"] = number
            marks[f"{folder}/{stem}.png"] = marks[f"boxes/{stem}.json"]

    def read_member(path: str) -> bytes:
        if path in texts:
            return texts[path]
        number = drawn[path]
        try:
            size = int(pictures[number]["height"]), int(pictures[number]["width"])
            annotations = json.loads(texts[f"boxes/{stems[number]}.json"])
            return encode_png(_draw(annotations, size, path.startswith("labels/")))
        except (ValueError, TypeError, KeyError) as error:
            raise ArchiveError(0, f"masks of {stems[number]} cannot be drawn: {error}") from error

    return build_archive(marks, sizes, read_member)


def _draw(annotations: list[dict[str, Any]], size: tuple[int, int], is_label: bool) -> NDArray[np.uint16]:
    """(h, w) ids from masks in run lengths, which go down the columns."""
    if not 0 < size[0] * size[1] <= read_limits().pixels:
        raise ValueError(f"size {size[1]}x{size[0]}")
    columns = np.zeros(size[0] * size[1], np.uint16)
    for position, annotation in enumerate(annotations, start=1):
        value = int(annotation["category_id"]) if is_label else position
        if not 0 <= value <= _MAX_ID:
            raise ValueError(f"id {value} does not fit 16 bits")
        mask = annotation["segmentation"]
        if not isinstance(mask, dict) or not isinstance(mask["counts"], list):
            raise ValueError("they are not run lengths; write them with mask_encoding_format='rle'")
        runs = np.array(mask["counts"], np.int64)
        if list(mask["size"]) != list(size) or runs.min(initial=0) < 0 or int(runs.sum()) != columns.size:
            raise ValueError(f"mask {position} is not one of {size[1]}x{size[0]} pixels")
        inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        if bool(np.any((columns[inside] != 0) & (columns[inside] != value))):
            raise ValueError(f"mask {position} lies over another one")
        columns[inside] = value
    return np.ascontiguousarray(columns.reshape(size, order="F"))
