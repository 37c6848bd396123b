"""From a label file to class ids, whoever wrote it."""

from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelSpace, from_colors, from_table
from sflow_pipeline.simulators import SIMULATORS, LabelEncoding, read_label_table
from sflow_pipeline.storage.image_codec import decode_label


def read_label_map(
    data: bytes,
    name: str,
    *,
    label_space: LabelSpace,
    encoding: LabelEncoding,
    simulator: str,
    has_rule: bool,
    size_px: tuple[int, int],
    table: bytes | None = None,
) -> NDArray[Any]:
    """(h, w) ids of the label space.

    Args:
        data: the file.
        name: what to call it in errors.
        label_space: that it follows.
        encoding: how its pixels hold ids.
        simulator: who wrote it.
        has_rule: whether the dump's label rule applies.
        size_px: (width, height) of its picture.
        table: the frame's label table, where ``encoding`` is ``table``.

    Raises:
        FrameError: it cannot be read, or has another size.
    """
    label_map: NDArray[Any] = decode_label(data, encoding, name=name)
    if encoding == "palette":
        label_map = from_colors(label_map, label_space).label_map
    if encoding == "table":
        if table is None:
            raise FrameError(
                f"{name}: nothing says what its colours mean", hint="restore its label table", reason="missing"
            )
        label_map = from_table(label_map, read_label_table(simulator, table, name), label_space).label_map
    if label_map.shape != (size_px[1], size_px[0]):
        raise FrameError(
            f"{name}: {label_map.shape[1]}x{label_map.shape[0]} pixels, its picture has {size_px[0]}x{size_px[1]}",
            hint="picture and label must have the same size",
            reason="size_mismatch",
        )
    return SIMULATORS[simulator].refine_label_map(label_map) if has_rule else label_map
