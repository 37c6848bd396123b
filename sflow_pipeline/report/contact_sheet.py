"""The contact sheet: some frames of a dataset on one PNG, from the render to the converted image."""

from collections.abc import Set
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.addresses import join_address
from sflow_pipeline.dataset.contents import Contents, load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.networks.edges.picture_edges import detect_edges
from sflow_pipeline.report.frame_choice import spread_evenly
from sflow_pipeline.report.frame_pictures import PictureReader, list_colors
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb, encode_rgb

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
        out_dir: the dataset; nothing else is read.
        path: a local PNG to write; ``report/contact_sheet.png`` of the dataset where None.
        rows: how many frames, spread evenly over the dataset.

    Returns:
        where it is, None where the dataset has no rows.

    Raises:
        OutputError: there is no finished dataset, or the file cannot be written.
    """
    contents = load_contents(out_dir)
    total = sum(contents.splits.values())
    wanted = set(spread_evenly(total, rows))
    sheet = draw_contact_sheet(contents, wanted)
    if sheet is None:
        return None
    if path is None:
        contents.folder.write_bytes(CONTACT_SHEET_PATH, encode_rgb(sheet))
        return join_address(contents.folder.uri, CONTACT_SHEET_PATH)
    target = Path(path)
    Folder(str(target.parent)).write_bytes(target.name, encode_rgb(sheet))
    return str(target)


def draw_contact_sheet(contents: Contents, wanted: Set[int]) -> NDArray[np.uint8] | None:
    """The sheet of some rows.

    Args:
        contents: the dataset.
        wanted: positions of the rows, counted over all shards; only their row groups are read.

    Returns:
        (h, w, 3) uint8 RGB; None without rows.
    """
    colors = list_colors(contents.label_space)
    reader = PictureReader(contents, ("image", "label", "render", "edge"))
    strips = [_draw_row(reader.read_row(index), contents.manifest.edge_threshold, colors) for index in sorted(wanted)]
    return np.concatenate([_draw_header(), *strips]) if strips else None


def _draw_row(row: Row, edge_threshold: float, colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    photo = decode_rgb(row.require_file("image"), name=f"{row.sample_id}: image")
    render = row.decode_plane("render")
    laplacian = None if render is None else detect_edges(render, edge_threshold) * np.uint8(255)
    height = max(1, round(photo.shape[0] * _CELL_WIDTH_PX / photo.shape[1]))
    cells = (render, colors[row.decode_label_map()], laplacian, row.decode_plane("edge"), photo)
    strip = [_fit(cell, height, is_label=index == 1) for index, cell in enumerate(cells)]
    gap = np.full((height, _GAP_PX, 3), _PAPER, np.uint8)
    spaced = [part for cell in strip for part in (cell, gap)][:-1]
    return np.concatenate([np.concatenate(spaced, axis=1), np.full((_GAP_PX, _width(), 3), _PAPER, np.uint8)])


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
