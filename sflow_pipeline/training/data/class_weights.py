"""Loss weights of classes, larger for rare ones."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.training.data.photo_set import PhotoSet

#: Rarer classes than this share of all pixels are not weighted any higher.
_RAREST = 1e-4


def compute_class_weights(photos: PhotoSet, label_space: LabelSpace) -> Float[Tensor, " classes"]:
    """One over the square root of each class's share of pixels, scaled to 1 for the mean pixel; 0 for void.

    Raises:
        TrainingError: a label has no such classes.
    """
    counts = np.zeros(label_space.num_classes)
    for i in range(len(photos)):
        found = np.bincount(photos.read(i)[1].ravel(), minlength=label_space.num_classes)
        if len(found) > len(counts):
            raise TrainingError(
                f"{photos.folder}: damaged: class {len(found) - 1} in a label of {len(counts)} classes",
                hint="remove the folder; it is made again",
            )
        counts += found
    counts[list(label_space.void_channels)] = 0
    share = counts / max(counts.sum(), 1.0)
    weights = np.where(share > 0, 1 / np.sqrt(np.maximum(share, _RAREST)), 0.0)
    return torch.from_numpy((weights / max(float((weights * share).sum()), 1e-9)).astype(np.float32))
