"""White balance of photos by what is grey in them: roads and pavements.

Cameras and the light of a day tint photos: roads of a pack of many towns are greenish on average, and what is trained
on them paints everything so. A photo's light is made neutral as cameras do it, by a factor for each channel of linear
light (von Kries).
"""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelSpace

#: Beginnings of the concepts that are grey, and how many pixels of them a photo needs.
_GREY = ("flat.road", "flat.sidewalk")
_LEAST_PIXELS = 2000
#: Pixels of these levels alone say something about the light; and the largest change of a channel.
_LEVELS, _LARGEST_GAIN = (35, 225), 1.33
_GAMMA = 2.2


def balance_white(
    photo: NDArray[np.uint8], class_index: NDArray[np.uint8], label_space: LabelSpace, share: float
) -> NDArray[np.uint8]:
    """A photo whose roads and pavements are grey on average, or nearer to it; as it is where it has too few of them.

    Args:
        photo: (h, w, 3) RGB.
        class_index: (h, w) channels of ``label_space``.
        share: of the way to neutral light, 0 to 1.
    """
    grey = [
        channel
        for channel, item in enumerate(label_space.classes)
        if any(concept.startswith(_GREY) for concept in item.concepts[:1])
    ]
    level = photo.mean(axis=2)
    is_lit = np.isin(class_index, grey) & (level > _LEVELS[0]) & (level < _LEVELS[1])
    if not share or is_lit.sum() < _LEAST_PIXELS:
        return photo
    to_linear = (np.arange(256) / 255) ** _GAMMA
    mean = to_linear[photo[is_lit]].mean(axis=0)
    gain = np.clip((mean.mean() / mean.clip(1e-4)) ** share, 1 / _LARGEST_GAIN, _LARGEST_GAIN)
    tables = ((to_linear[:, None] * gain).clip(0, 1) ** (1 / _GAMMA) * 255).round().astype(np.uint8)  # (256, 3)
    return np.stack([tables[:, k][photo[..., k]] for k in range(3)], axis=2)
