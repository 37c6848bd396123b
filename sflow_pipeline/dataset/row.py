"""One row of a dataset: values, stored files, and pixels on demand."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.columns import COLUMNS, TEXT_COLUMNS
from sflow_pipeline.dataset.stored_file import decode_stored_file
from sflow_pipeline.errors import FrameError
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage import image_codec

_COLOR_COLUMNS = frozenset(column.name for column in COLUMNS if column.holds == "picture")

_VARIANT_END = re.compile(r"_v\d+$")


class Row:
    """A row as it is stored; pixels are decoded when asked for.

    Args:
        values: column -> value, files as ``{bytes, path}``.
        label_format: of the dataset's labels.
    """

    def __init__(self, values: Mapping[str, Any], label_format: LabelFormat) -> None:
        self.values = values
        self._label_format = label_format
        self.sample_id: str = values["sample_id"]
        self.sequence_id: str = values["sequence_id"]
        self.frame_index: int = values["frame_index"]
        self.variant: int = values["variant"]
        self.split: str = values["split"]

    @property
    def frame_name(self) -> str:
        """The sample id without its sequence."""
        return self.sample_id.removeprefix(f"{self.sequence_id}/")

    @property
    def variant_sequence(self) -> str:
        """The sequence id with the variant, for files of whole sequences; no two sequences or variants share one.

        The end ``_v`` and a number is the variant's alone: the first variant has it, too, where its sequence ends so.
        """
        is_named = self.variant or _VARIANT_END.search(self.sequence_id)
        return f"{self.sequence_id}_v{self.variant}" if is_named else self.sequence_id

    def read_file(self, column: str) -> bytes | None:
        """The stored file of a column, untouched; None where this row has none."""
        value = self.values.get(column)
        return None if value is None else bytes(value["bytes"])

    def require_file(self, column: str) -> bytes:
        """The stored file of a column that every row has.

        Raises:
            FrameError: this one has not.
        """
        data = self.read_file(column)
        if data is None:
            raise FrameError(f"{self.sample_id}: has no {column}", hint="convert again", reason="missing_file")
        return data

    def require_png(self, column: str) -> bytes:
        """As ``require_file``, for readers that take PNG alone: pictures of other formats are decoded and encoded."""
        data = self.require_file(column)
        if self.suffix(column) == ".png":
            return data
        return image_codec.encode_rgb(image_codec.decode_rgb(data, name=f"{self.sample_id}: {column}"))

    def suffix(self, column: str) -> str:
        """The ending of a column's file, such as ``.png``."""
        return PurePosixPath(self.values[column]["path"] or "").suffix.lower() or ".bin"

    def decode(self, column: str) -> NDArray[Any] | bytes | str | None:
        """A column's content.

        Returns:
            image, render: (h, w, 3) uint8 RGB. label: (h, w) uint8 or uint16 class ids, exactly as the file holds
            them. Other pictures and ``.npy`` arrays: (h, w) or (h, w, channels) as stored. Other files: their bytes.
            boxes, camera: text. None where this row has nothing there.

        Raises:
            FrameError: the file is damaged.
        """
        if column in TEXT_COLUMNS:
            text: str | None = self.values.get(column)
            return text
        value = self.values.get(column)
        if value is None:
            return None
        name = f"{self.sample_id}: {column}"
        if column in _COLOR_COLUMNS:
            return image_codec.decode_rgb(value["bytes"], name=name, check_first=False)
        if column == "label":
            return self._decode_label(bytes(value["bytes"]), name)
        return decode_stored_file(value, name)

    def decode_label_map(self) -> NDArray[Any]:
        """(h, w) uint8 or uint16 class ids of the dataset's label space.

        Raises:
            FrameError: the file is damaged, or there is none.
        """
        return self._decode_label(self.require_file("label"), f"{self.sample_id}: label")

    def decode_label_for_network(self, size_px: tuple[int, int]) -> NDArray[Any]:
        """(h, w) class ids as a network expects them: the dump's label rule applied, of the picture's size.

        Args:
            size_px: (width, height) of the picture.

        Raises:
            FrameError: the file is damaged, there is none, or its size differs.
        """
        name = f"{self.sample_id}: label"
        return self._label_format.read_for_network(self.require_file("label"), self._label_table, name, size_px)

    def decode_plane(self, column: str) -> NDArray[Any] | None:
        """A column that is an array; None where this row has none, or a file that cannot be read as one."""
        plane = self.decode(column)
        return plane if isinstance(plane, np.ndarray) else None

    def _decode_label(self, data: bytes, name: str) -> NDArray[Any]:
        return self._label_format.read(data, self._label_table, name).label_map

    @property
    def _label_table(self) -> bytes | None:
        table = self.values.get("label_table")
        return str(table).encode() if table else None
