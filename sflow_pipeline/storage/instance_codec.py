"""Instance files as one number per pixel, whatever they hold: 8 or 16-bit pictures of one or more channels, arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.array_codec import decode_array

#: Channels of 16 bits that fit into one number.
_MOST_PACKED = 4


def decode_samples(data: bytes, *, name: str = "instance") -> NDArray[Any]:
    """(h, w) or (h, w, channels) whole numbers of a picture or ``.npy`` file, as they are stored.

    Raises:
        FrameError: the file is neither a picture nor a NumPy array, or is damaged.
    """
    samples = decode_array(data, name) if name.lower().endswith(".npy") else image_codec.decode_plane(data, name=name)
    if samples.ndim not in (2, 3) or samples.dtype.kind not in "iub":
        raise FrameError(
            f"{name}: {samples.dtype} of shape {samples.shape}, expected whole numbers, (h, w) or (h, w, channels)",
            hint="write one number or colour per object",
            reason="unreadable",
        )
    return np.asarray(samples)


def decode_instance(data: bytes, *, name: str = "instance") -> NDArray[np.int64]:
    """(h, w) numbers that differ wherever the file's samples do; they tell objects apart and mean nothing else.

    Raises:
        FrameError: as ``decode_samples``.

    >>> colours = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint8)
    >>> len(np.unique(decode_instance(image_codec.encode_plane(colours))))
    2
    """
    samples = decode_samples(data, name=name)
    channels = samples.reshape(*samples.shape[:2], -1)
    count = channels.shape[2]
    if count > _MOST_PACKED or (count > 1 and (channels.min(initial=0) < 0 or channels.max(initial=0) > 0xFFFF)):
        _, numbers = np.unique(channels.reshape(-1, count), axis=0, return_inverse=True)
        return np.asarray(numbers.reshape(channels.shape[:2]), np.int64)
    return np.asarray(sum(channels[..., i].astype(np.int64) << 16 * i for i in range(count)), np.int64)
