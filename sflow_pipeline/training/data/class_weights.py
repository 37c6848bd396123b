"""Loss weights of classes, larger for rare ones."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.training.data.photo_set import PhotoSet

#: Rarer classes than this share of all pixels are not weighted any higher.
_RAREST = 1e-4


def compute_class_weights(photos: PhotoSet, label_space: LabelSpace) -> Float[Tensor, " classes"]:
    """One over the square root of each class's share of pixels, scaled to 1 for the mean pixel; void has 0."""
    counts = np.zeros(label_space.num_classes)
    for i in range(len(photos)):
        counts += np.bincount(photos.read(i)[1].ravel(), minlength=label_space.num_classes)
    if label_space.void_channel is not None:
        counts[label_space.void_channel] = 0
    share = counts / max(counts.sum(), 1.0)
    weights = np.where(share > 0, 1 / np.sqrt(np.maximum(share, _RAREST)), 0.0)
    return torch.from_numpy((weights / max(float((weights * share).sum()), 1e-9)).astype(np.float32))
