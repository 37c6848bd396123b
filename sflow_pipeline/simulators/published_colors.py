"""Colours of published labels, which tell a set from dumps whose files have the same names."""

import re
from itertools import islice

import numpy as np

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import from_colors, load_label_space
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.path_patterns import quick_look

#: Labels that are looked at, and the share of their pixels that must have a colour of the set.
_LOOKED_AT, _OWN_COLORS = 3, 0.9


def has_published_colors(root: str, label: re.Pattern[str], space_name: str) -> bool:
    """Whether a few labels of a dump are drawn, or indexed, in the colours of a label space.

    Args:
        root: the dump.
        label: pattern of label paths.
        space_name: of the set.

    Returns:
        False for grey labels, whose ids may mean anything; files that cannot be read do not count.
    """
    paths = (folder.join(file) for folder in quick_look(root) for file in folder.files)
    return all(_has_own_colors(root, path, space_name) for path in islice(filter(label.fullmatch, paths), _LOOKED_AT))


def _has_own_colors(root: str, path: str, space_name: str) -> bool:
    from sflow_pipeline.storage import image_codec  # loads OpenCV, which listing layouts does not need
    from sflow_pipeline.storage.image_header import read_palette

    space = load_label_space(space_name)
    try:
        data = open_folder(root).read_bytes(path)
        pixels = image_codec.decode_plane(data, name=path)
    except (OSError, FrameError):
        return True
    palette = read_palette(data)
    if pixels.ndim == 2 and palette:
        colors = {item.id: {item.color, *item.also_colors} for item in space.classes}
        own = [index for index, color in enumerate(palette) if color in colors.get(index, ())]
        return bool(np.isin(pixels, own).mean() > _OWN_COLORS)
    if pixels.ndim == 2 or pixels.dtype != np.uint8 or pixels.shape[2] < 3:
        return False
    orders = (pixels[..., :3], pixels[..., 2::-1])  # saved with red and blue swapped, which is reported later
    unknown = min(sum(from_colors(np.ascontiguousarray(rgb), space).unknown_colors.values()) for rgb in orders)
    return bool(unknown < (1 - _OWN_COLORS) * pixels.shape[0] * pixels.shape[1])
