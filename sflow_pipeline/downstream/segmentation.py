"""Task segmentation: a class for every pixel, scored by IoU."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.arm_crops import CropTensors
from sflow_pipeline.downstream.network_input import scale_photo
from sflow_pipeline.downstream.networks import build_network
from sflow_pipeline.downstream.picture_set import PictureSet
from sflow_pipeline.downstream.task import Measures, RunScores
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.metrics.confusion import count_confusion
from sflow_pipeline.metrics.miou import compute_iou, compute_miou
from sflow_pipeline.metrics.pixel_accuracy import compute_pixel_accuracy
from sflow_pipeline.networks.device import Device


class Segmentation:
    """See ``Task``."""

    measures = Measures({"miou": "mIoU", "pixel_accuracy": "pixel accuracy"}, ("miou",), "iou", "IoU")
    objects = None

    def __init__(self, job: DownstreamJob, label_space: LabelSpace) -> None:
        self._job = job
        self._space = label_space
        self._scored = [c for c in range(label_space.num_classes) if c not in label_space.void_channels]
        self.class_names = tuple(label_space.names[channel] for channel in self._scored)

    def describe(self) -> dict[str, Any]:
        """See ``Task.describe``."""
        return {}

    def build_network(self) -> nn.Module:
        """See ``Task.build_network``."""
        return build_network(self._job.network, self._space.num_classes, self._job.width)

    def compute_loss(self, output: Tensor, crops: CropTensors) -> Tensor:
        """Cross-entropy. Each pixel weighs as its class does in the pictures of its crop; void weighs nothing."""
        truth = crops.class_index.long()
        weight = crops.class_weights.gather(1, truth.flatten(1)).view_as(truth)
        return (F.cross_entropy(output, truth, reduction="none") * weight).sum() / weight.sum().clamp(min=1.0)

    @torch.inference_mode()
    def score(self, network: nn.Module, test: PictureSet, device: Device) -> dict[str, Any]:
        """Pixels by true and predicted class over all photos, counted at the size of their labels; none of void's."""
        classes = self._space.num_classes
        confusion = np.zeros((classes, classes), np.int64)
        for i in range(len(test)):
            photo, truth = test.photos.read(i)
            with device.autocast():
                logits = network(scale_photo(photo, self._job.test_width, device)).float()
            enlarged = F.interpolate(logits, size=truth.shape, mode="bilinear", align_corners=False)
            predicted = enlarged.argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
            confusion += count_confusion(truth, predicted, classes, self._space.void_channel)
        confusion[list(self._space.void_channels)] = 0
        return {"confusion": confusion.tolist(), "photos": len(test)}

    def parse_scores(self, content: Any) -> RunScores:
        """See ``Task.parse_scores``.

        >>> from sflow_pipeline.label_spaces import load_label_space
        >>> job = DownstreamJob(sources={"real": "x"}, tests={"t": "y"}, arms=["real"])
        >>> counts = np.zeros((12, 12), np.int64)
        >>> counts[0, 0], counts[3, 3], counts[3, 0] = 3, 4, 1
        >>> scores = Segmentation(job, load_label_space("camvid11")).parse_scores({"confusion": counts.tolist()})
        >>> round(scores.measures["miou"], 3), scores.classes
        (0.775, {'sky': 0.75, 'road': 0.8})
        """
        classes = self._space.num_classes
        counts = np.array(content["confusion"], np.int64)
        if counts.shape != (classes, classes) or (counts < 0).any():
            raise ValueError(f"counts of {counts.shape} classes, expected {classes}")
        iou = compute_iou(counts)
        measures = {"miou": compute_miou(counts, self._scored), "pixel_accuracy": compute_pixel_accuracy(counts)}
        found = {self._space.names[i]: float(iou[i]) for i in self._scored if math.isfinite(iou[i])}
        return RunScores(measures, found)
