"""The contact sheet: a few frames of a dataset, from the simulator's picture to the photo, on one PNG."""

import json
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.networks.edges import extract_edges
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_label, decode_plane, decode_rgb, encode_rgb
from sflow_pipeline.storage.manifest import list_shards, load_manifest
from sflow_pipeline.storage.shard_file import read_shard

CAPTIONS = ("CG", "label", "Laplacian edges", "DNED edges", "converted")
CONTACT_SHEET_PATH = "report/contact_sheet.png"
_CELL_WIDTH_PX = 320
_GAP_PX = 4
_HEADER_PX = 28
_PAPER = 255
_INK = (30, 30, 30)
_MISSING = 225


def write_contact_sheet(out_dir: str, path: str | Path | None = None, *, rows: int = 6) -> str | None:
    """Draw rows of CG | label | Laplacian edges | DNED edges | converted from a finished dataset.

    Args:
        out_dir: the dataset; everything shown is read from it.
        path: a local PNG to write; ``report/contact_sheet.png`` of the dataset where None.
        rows: how many frames, spread evenly over the dataset.

    Returns:
        where it is, None where the dataset has no rows.

    Raises:
        OutputError: there is no finished dataset, or the file cannot be written.
    """
    folder = Folder(out_dir)
    manifest = load_manifest(folder)
    total = sum(shard.rows for shard in list_shards(manifest))
    wanted = {int((i + 0.5) * total / rows) for i in range(rows)} if total > rows else set(range(total))
    sheet = draw_contact_sheet(folder, manifest, wanted)
    if sheet is None:
        return None
    if path is None:
        folder.write_bytes(CONTACT_SHEET_PATH, encode_rgb(sheet))
        return f"{out_dir.rstrip('/')}/{CONTACT_SHEET_PATH}"
    target = Path(path)
    Folder(str(target.parent)).write_bytes(target.name, encode_rgb(sheet))
    return str(target)


def draw_contact_sheet(folder: Folder, manifest: Mapping[str, Any], wanted: Set[int]) -> NDArray[np.uint8] | None:
    """The sheet of the rows with these numbers, counted over all shards: (h, w, 3) RGB, None where there is no row."""
    colors = _read_colors(folder)
    strips = [_draw_row(row, manifest, colors) for row in _pick_rows(folder, manifest, wanted)]
    return np.concatenate([_draw_header(), *strips]) if strips else None


def _pick_rows(folder: Folder, manifest: Mapping[str, Any], wanted: Set[int]) -> Iterator[dict[str, Any]]:
    first = 0
    for shard in list_shards(manifest):
        local = {index - first for index in wanted if first <= index < first + shard.rows}
        first += shard.rows
        if not local or shard.path is None:
            continue
        for index, row in enumerate(read_shard(folder, shard.path)):
            if index in local:
                yield row


def _draw_row(row: dict[str, Any], manifest: Mapping[str, Any], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    photo = decode_rgb(row["image"]["bytes"])
    render = decode_rgb(row["render"]["bytes"]) if row.get("render") else None
    label = decode_label(row["label"]["bytes"], manifest["source"]["label_encoding"])
    laplacian = None if render is None else _draw_laplacian(render, float(manifest["edge_threshold"]))
    edge = decode_plane(row["edge"]["bytes"]) if row.get("edge") else None
    height = max(1, round(photo.shape[0] * _CELL_WIDTH_PX / photo.shape[1]))
    cells = (render, colors[label] if label.ndim == 2 else label[..., :3], laplacian, edge, photo)
    strip = [_fit(cell, height, is_label=index == 1) for index, cell in enumerate(cells)]
    gap = np.full((height, _GAP_PX, 3), _PAPER, np.uint8)
    spaced = [part for cell in strip for part in (cell, gap)][:-1]
    return np.concatenate([np.concatenate(spaced, axis=1), np.full((_GAP_PX, _width(), 3), _PAPER, np.uint8)])


def _draw_laplacian(render: NDArray[np.uint8], threshold: float) -> NDArray[np.uint8]:
    edges = extract_edges(torch.from_numpy(render).permute(2, 0, 1)[None], threshold)
    return (edges[0, 0] * 255).to(torch.uint8).numpy()


def _fit(cell: NDArray[np.uint8] | None, height: int, *, is_label: bool) -> NDArray[np.uint8]:
    """A cell at the sheet's size; edges are drawn dark on paper, what the dataset lacks is grey."""
    if cell is None:
        blank = np.full((height, _CELL_WIDTH_PX, 3), _MISSING, np.uint8)
        return _write(blank, "not in the dataset", (10, height // 2))
    if cell.ndim == 2:
        cell = (255 - cell)[:, :, None].repeat(3, axis=2)
    method = cv2.INTER_NEAREST if is_label else cv2.INTER_AREA
    return np.asarray(cv2.resize(cell, (_CELL_WIDTH_PX, height), interpolation=method), np.uint8)


def _draw_header() -> NDArray[np.uint8]:
    header = np.full((_HEADER_PX, _width(), 3), _PAPER, np.uint8)
    for index, caption in enumerate(CAPTIONS):
        header = _write(header, caption, (index * (_CELL_WIDTH_PX + _GAP_PX) + 4, _HEADER_PX - 9))
    return header


def _write(picture: NDArray[np.uint8], text: str, place: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA), np.uint8)


def _width() -> int:
    return len(CAPTIONS) * (_CELL_WIDTH_PX + _GAP_PX) - _GAP_PX


def _read_colors(folder: Folder) -> NDArray[np.uint8]:
    """(65536, 3) RGB of each class id, as the dataset's own labels.json has them."""
    colors = np.zeros((65536, 3), np.uint8)
    for item in json.loads(folder.read_bytes("labels.json"))["source"]["classes"]:
        colors[item["id"]] = item["color"]
    return colors
