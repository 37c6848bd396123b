"""Scores of a trained network on labelled photos: confusion counts, kept in a file for each test."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sflow_pipeline.downstream.picture_set import PictureSet
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.metrics.confusion import count_confusion
from sflow_pipeline.networks.device import Device
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.write_whole import write_whole
from sflow_pipeline.tensors import to_unit_range

_LARGEST_ENLARGEMENT = 1.25


def read_confusion(path: Path, label_space: LabelSpace) -> NDArray[np.int64] | None:
    """Counts that ``score_network`` wrote; None where there are none, or a damaged file."""
    classes = label_space.num_classes
    try:
        counts = np.array(json.loads(path.read_bytes())["confusion"], np.int64)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return counts if counts.shape == (classes, classes) and (counts >= 0).all() else None


@torch.inference_mode()
def score_network(
    network: nn.Module, test: PictureSet, width_px: int, label_space: LabelSpace, device: Device, path: Path
) -> NDArray[np.int64]:
    """Count pixels by true and predicted class, over all photos, and write the counts to ``path``.

    Photos are scaled to ``width_px`` for the network, and its logits back to the size of the label.

    Returns:
        (classes, classes) counts, rows by truth; the row of void is zero.

    Raises:
        OutputError: the file cannot be written.
    """
    classes = label_space.num_classes
    confusion = np.zeros((classes, classes), np.int64)
    for i in range(len(test)):
        photo, truth = test.photos.read(i)
        predicted = _predict(network, photo, width_px, device)
        confusion += count_confusion(truth, predicted, classes, label_space.void_channel)
    write_whole(path, encode_json({"confusion": confusion.tolist(), "photos": len(test)}))
    return confusion


def _predict(network: nn.Module, photo: NDArray[np.uint8], width_px: int, device: Device) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    scale = min(width_px / width, _LARGEST_ENLARGEMENT)
    size = (max(32, round(width * scale)), max(32, round(height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.ascontiguousarray(cv2.resize(photo, size, interpolation=smooth))
    picture = to_unit_range(torch.from_numpy(scaled).permute(2, 0, 1)[None].to(device.name))
    with device.autocast():
        logits = network(picture.contiguous(memory_format=torch.channels_last)).float()
    enlarged = nn.functional.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    found: NDArray[np.uint8] = enlarged.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
    return found
