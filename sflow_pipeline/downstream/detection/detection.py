"""Task detection: boxes around people, vehicles and other moving things, scored by COCO's average precision."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.arm_crops import CropTensors
from sflow_pipeline.downstream.detection.average_precision import FoundBoxes, check_pycocotools, compute_precision
from sflow_pipeline.downstream.detection.box_loss import build_targets, compute_box_loss
from sflow_pipeline.downstream.detection.detector import Detector, decode_boxes
from sflow_pipeline.downstream.detection.objects import find_boxes, list_countable
from sflow_pipeline.downstream.network_input import scale_photo
from sflow_pipeline.downstream.networks import build_network
from sflow_pipeline.downstream.picture_set import PictureSet
from sflow_pipeline.downstream.task import Measures, RunScores
from sflow_pipeline.errors import UsageError
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.device import Device

#: Version of targets, loss and head; part of every fingerprint.
_VERSION = 1


class Detection:
    """See ``Task``.

    Raises:
        MissingExtraError: pycocotools is not installed.
        UsageError: no class of the label space is countable.
    """

    measures = Measures({"ap50": "AP50", "ap": "AP"}, ("ap50", "ap"), "ap50", "AP50")

    def __init__(self, job: DownstreamJob, label_space: LabelSpace) -> None:
        check_pycocotools()
        self._job = job
        self._space = label_space
        self._channels = list_countable(label_space)
        self.objects = job.objects
        self.class_names = tuple(label_space.names[channel] for channel in self._channels)
        if not self._channels:
            raise UsageError(
                f"task detection: no class of label space {label_space.name} is a person, a vehicle or another moving "
                "thing",
                hint="set label_space to one that has such classes (camvid11, cityscapes19), or task: segmentation",
            )

    def describe(self) -> dict[str, Any]:
        """See ``Task.describe``."""
        return {"task": "detection", "task_version": _VERSION}

    def build_network(self) -> nn.Module:
        """See ``Task.build_network``: the trunk is the network of segmentation, with features in place of classes."""
        features = 2 * self._job.width
        return Detector(build_network(self._job.network, features, self._job.width), features, len(self._channels))

    def compute_loss(self, output: Tensor, crops: CropTensors) -> Tensor:
        """See ``compute_box_loss``."""
        assert crops.objects is not None
        targets = build_targets(
            crops.class_index.cpu().numpy(),
            crops.objects.cpu().numpy(),
            self._channels,
            self._space.void_channel,
            (output.shape[2], output.shape[3]),
        )
        return compute_box_loss(output, targets)

    @torch.inference_mode()
    def score(self, network: nn.Module, test: PictureSet, device: Device) -> dict[str, Any]:
        """Average precision of every class, in px of the labels."""
        truth, found = [], []
        for i in range(len(test)):
            photo, class_index = test.photos.read(i)
            truth.append(find_boxes(class_index, test.photos.read_instances(i), self._channels))
            picture = scale_photo(photo, self._job.test_width, device)
            with device.autocast():
                output = network(picture)[0].float()
            xyxy, places, scores = (tensor.cpu().numpy() for tensor in decode_boxes(output))
            height, width = class_index.shape
            scale = np.array([width / picture.shape[3], height / picture.shape[2]] * 2)
            xyxy = (xyxy * scale).clip(0, [width, height] * 2)
            found.append(FoundBoxes(xyxy, np.array(self._channels)[places], scores))
        names = dict(zip(self._channels, self.class_names, strict=True))
        classes = compute_precision(truth, found, names)
        return {
            "photos": len(test),
            "classes": {
                name: {"ap": score.ap, "ap50": score.ap50, "objects": score.objects} for name, score in classes.items()
            },
        }

    def parse_scores(self, content: Any) -> RunScores:
        """See ``Task.parse_scores``; measures are means over classes that the test has."""
        classes = content["classes"]
        found = {name: float(classes[name]["ap50"]) for name in self.class_names if name in classes}
        if not found:
            raise ValueError("no class")
        strict = [float(classes[name]["ap"]) for name in found]
        return RunScores({"ap50": float(np.mean(list(found.values()))), "ap": float(np.mean(strict))}, found)
