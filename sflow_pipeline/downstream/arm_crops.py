"""Training crops of an arm: a batch of every step, determined by (seed, step)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor

from sflow_pipeline.config.arms import Arm, ArmPart
from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.config.recipe import ScheduleRecipe
from sflow_pipeline.downstream.picture_set import PictureSet
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.crops import CropSampler


@dataclass(frozen=True)
class CropTensors:
    """Crops of a step.

    Attributes:
        photo, class_index: pictures and labels.
        class_weights: of the pictures that each crop is from.
        objects: number of the object at every pixel, 0 for none; None where the pictures have no numbers.
    """

    photo: UInt8[Tensor, "b 3 h w"]
    class_index: UInt8[Tensor, "b h w"]
    class_weights: Float[Tensor, "b classes"]
    objects: UInt16[Tensor, "b h w"] | None = None

    def place(self, device: str) -> "CropTensors":
        """The same tensors on a device."""
        objects = None if self.objects is None else self.objects.to(device)
        return CropTensors(self.photo.to(device), self.class_index.to(device), self.class_weights.to(device), objects)


class ArmCrops:
    """Crops of an arm's parts.

    Every summand of the arm adds ``batch_size`` crops to each step. Parts of one summand take turns, crop by crop.
    Each crop comes with the class weights of the pictures that it is cut from.

    Args:
        sets: the pictures of every part.
    """

    def __init__(
        self, arm: Arm, sets: Mapping[ArmPart, PictureSet], job: DownstreamJob, label_space: LabelSpace, seed: int
    ) -> None:
        width, height = job.crop_px
        schedule = ScheduleRecipe(crop_px=(height, width), frame_width_px=job.frame_width_px)
        self._batch_size = job.batch_size
        self._weights = {part: compute_class_weights(sets[part].photos, label_space) for part in arm.parts}
        self._summands = [
            [(part, CropSampler(sets[part].photos, schedule, _draw_seed(seed, position, part))) for part in parts]
            for position, parts in enumerate(arm.summands)
        ]

    def cut(self, step: int) -> CropTensors:
        """The crops of step ``step``."""
        planes, weights = [], []
        for parts in self._summands:
            for i in range(step * self._batch_size, (step + 1) * self._batch_size):
                part, sampler = parts[i % len(parts)]
                planes.append([torch.from_numpy(plane.copy()) for plane in sampler.cut_crop(i // len(parts))])
                weights.append(self._weights[part])
        photos, labels, *objects = (torch.stack(crops) for crops in zip(*planes, strict=True))
        return CropTensors(photos.permute(0, 3, 1, 2), labels, torch.stack(weights), *objects)


def _draw_seed(seed: int, position: int, part: ArmPart) -> int:
    """Another order for every part of every summand, so that ``real + real`` has different crops in one step."""
    return int.from_bytes(hashlib.sha256(f"{seed} {position} {part.name}".encode()).digest()[:4])
