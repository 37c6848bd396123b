"""How many bytes a frame will take in a dataset, about, before anything is converted."""

from collections.abc import Iterable

#: Bytes per pixel that a column takes at worst, about; measured on noisy pictures.
_BYTES_PER_PIXEL = {"image": 1.6, "label": 0.1, "render": 1.6, "depth": 2.0, "flow": 4.0, "instance": 0.3}
_OTHER_BYTES_PER_PIXEL = 0.3


def estimate_row_bytes(size_px: tuple[int, int], columns: Iterable[str]) -> int:
    """Bytes of one row, about.

    Args:
        size_px: (width, height) of the pictures.
        columns: the optional columns; photo and label are in every row.

    >>> estimate_row_bytes((1000, 1000), ["edge"])
    2000000
    """
    per_pixel = sum(_BYTES_PER_PIXEL.get(name, _OTHER_BYTES_PER_PIXEL) for name in ("image", "label", *columns))
    return round(size_px[0] * size_px[1] * per_pixel)
