"""From a label file to class ids, whoever wrote it."""

from typing import Any

from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelSpace, from_colors
from sflow_pipeline.simulators import SIMULATORS, LabelEncoding
from sflow_pipeline.storage.image_codec import decode_label


def read_label_map(
    data: bytes,
    name: str,
    *,
    label_space: LabelSpace,
    encoding: LabelEncoding,
    rule_of: str | None,
    size_px: tuple[int, int],
) -> NDArray[Any]:
    """(h, w) ids of the label space.

    Args:
        data: the file.
        name: what to call it in errors.
        label_space: that it follows.
        encoding: how its pixels hold ids.
        rule_of: simulator whose label rule applies, None where there is none.
        size_px: (width, height) of its picture.

    Raises:
        FrameError: it cannot be read, or has another size.
    """
    if encoding == "table":
        raise FrameError(
            f"{name}: its pixels mean something else in every frame, which evaluate cannot read",
            hint="write labels whose ids mean the same in every frame",
            reason="label_table",
        )
    decoded = decode_label(data, encoding, name=name)
    label_map = from_colors(decoded, label_space).label_map if encoding == "palette" else decoded
    if label_map.shape != (size_px[1], size_px[0]):
        raise FrameError(
            f"{name}: {label_map.shape[1]}x{label_map.shape[0]} pixels, its picture has {size_px[0]}x{size_px[1]}",
            hint="picture and label must have the same size",
            reason="size_mismatch",
        )
    return label_map if rule_of is None else SIMULATORS[rule_of].refine_label_map(label_map)
