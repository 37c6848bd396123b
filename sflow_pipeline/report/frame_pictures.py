"""Pictures of a dataset's rows for pages: rendered frame, converted image and label in class colours."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.dataset.row_reader import RowReader
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.storage.image_codec import decode_rgb, encode_jpeg, encode_label

_COLUMNS = ("image", "label", "render")
#: Classes on fewer pixels of a frame are not listed.
_FEWEST_PIXELS = 16


@dataclass(frozen=True)
class FramePictures:
    """Decoded pictures of a frame.

    Attributes:
        images: per variant, (h, w, 3) uint8 RGB.
        variants: their numbers.
        label: (h, w, 3) uint8 RGB in class colours.
        render: (h, w, 3) uint8 RGB; None where the dataset has none.
        classes: ids of the classes in the label, those with most pixels first.
    """

    images: tuple[NDArray[np.uint8], ...]
    variants: tuple[int, ...]
    label: NDArray[np.uint8]
    render: NDArray[np.uint8] | None
    classes: tuple[int, ...]


class PictureReader:
    """Reads pictures of single rows, wherever they are in a dataset.

    Args:
        contents: the dataset.
        wanted: which columns to read, of those that it has.
    """

    def __init__(self, contents: Contents, wanted: Sequence[str] = _COLUMNS) -> None:
        self._format = contents.label_format
        columns = tuple(name for name in wanted if name in contents.columns)
        self._rows = RowReader(contents, None, columns)
        self._colors = list_colors(contents.label_space)

    def read_frame(self, rows: Sequence[int]) -> FramePictures:
        """The pictures of a frame.

        Args:
            rows: positions of its rows, counted over all shards.

        Raises:
            OutputError: the shard is gone or damaged.
            FrameError: a file of the row is damaged.
        """
        found = [self.read_row(row) for row in rows]
        label_map = found[0].decode_label_map()
        render = found[0].decode_plane("render")
        ids, counts = np.unique(label_map, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        classes = tuple(int(ids[i]) for i in order if counts[i] >= _FEWEST_PIXELS)
        images, variants = tuple(_decode_image(row) for row in found), tuple(row.variant for row in found)
        return FramePictures(images, variants, self._colors[label_map], render, classes)

    def read_image(self, row: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB of one row; errors as in ``read_frame``."""
        return _decode_image(self.read_row(row))

    def read_row(self, row: int) -> Row:
        """One row; errors as in ``read_frame``."""
        return Row(self._rows.read_values(row), self._format)


def list_colors(space: LabelSpace) -> NDArray[np.uint8]:
    """(65536, 3) RGB of each class id; ids without a class are black."""
    colors = np.zeros((65536, 3), np.uint8)
    for item in space.classes:
        colors[item.id] = item.color
    return colors


def shrink(picture: NDArray[np.uint8], width_px: int, *, is_label: bool = False) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB at most ``width_px`` wide; labels by nearest pixel."""
    height, width = picture.shape[:2]
    if width <= width_px:
        return picture
    size_px = (width_px, max(1, round(height * width_px / width)))
    method = cv2.INTER_NEAREST if is_label else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size_px, interpolation=method), np.uint8)


def embed_photo(picture: NDArray[np.uint8], quality: int = 82) -> str:
    """(h, w, 3) uint8 RGB as a JPEG address that is part of the page."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture, quality)).decode()


def embed_label(picture: NDArray[np.uint8]) -> str:
    """(h, w, 3) uint8 RGB class colours as a PNG address that is part of the page."""
    return "data:image/png;base64," + base64.b64encode(encode_label(picture)).decode()


def _decode_image(row: Row) -> NDArray[np.uint8]:
    return decode_rgb(row.require_file("image"), name=f"{row.sample_id}: image", check_first=False)
