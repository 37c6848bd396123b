"""From a label file's bytes to class ids of the dump's label space, whichever way the pixels hold them."""

from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelReading, LabelSpace, from_colors, from_table
from sflow_pipeline.simulators import LabelEncoding, read_label_table, refine_label_map
from sflow_pipeline.storage import image_codec


def read_label(
    data: bytes, table: bytes | None, *, encoding: LabelEncoding, space: LabelSpace, simulator: str, path: str
) -> LabelReading:
    """Decode a label file.

    Args:
        data: the file.
        table: the frame's label table, where ``encoding`` is ``table``.
        encoding: how pixels hold ids.
        space: the dump's label space.
        simulator: whose tables they are.
        path: what to call the file in errors.

    Returns:
        (h, w) uint8 or uint16 ids, colours that no class has as 65535, and those colours.

    Raises:
        FrameError: as ``image_codec.decode_label``; ``missing`` or ``unreadable`` for the table.
    """
    label = image_codec.decode_label(data, encoding, name=path)
    if encoding == "palette":
        return from_colors(label, space)
    if encoding == "table":
        if table is None:
            raise FrameError(
                f"{path}: nothing says what its colours mean", hint="restore its label table", reason="missing"
            )
        return from_table(label, read_label_table(simulator, table, path), space)
    return LabelReading(label, {})


def read_label_map(
    data: bytes,
    table: bytes | None,
    *,
    encoding: LabelEncoding,
    space: LabelSpace,
    simulator: str,
    path: str,
    has_rule: bool,
    size_px: tuple[int, int],
) -> NDArray[Any]:
    """(h, w) class ids as a network should be told them: decoded, of the picture's size, the dump's label rule applied.

    Args:
        has_rule: whether the dump's label rule applies (see ``Dump.label_rule``).
        size_px: (width, height) of its picture.

    Raises:
        FrameError: as ``read_label``; ``size_mismatch``.
    """
    label_map = read_label(data, table, encoding=encoding, space=space, simulator=simulator, path=path).label_map
    if label_map.shape != (size_px[1], size_px[0]):
        raise FrameError(
            f"{path}: {label_map.shape[1]}x{label_map.shape[0]} pixels, its picture has {size_px[0]}x{size_px[1]}",
            hint="picture and label must have the same size",
            reason="size_mismatch",
        )
    return refine_label_map(simulator, label_map) if has_rule else label_map
