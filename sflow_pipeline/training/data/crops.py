"""Training crops: which photo, which place, which scale, all decided by (seed, image number)."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from sflow_pipeline.config.recipe import ScheduleRecipe
from sflow_pipeline.tensors import build_boundary_map
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup


@dataclass(frozen=True)
class CropBatch:
    """photo (b, 3, h, w) uint8 RGB, class_index (b, h, w) uint8, and boundary_map (b, 1, h, w) {0, 1} if any."""

    photo: UInt8[Tensor, "b 3 h w"]
    class_index: UInt8[Tensor, "b h w"]
    boundary_map: UInt8[Tensor, "b 1 h w"] | None = None


class CropSampler:
    """Random crops without state: image number ``n`` is the same crop whoever asks, so there is no position to resume.

    Every epoch visits each photo once, in an order drawn from (seed, epoch).
    """

    def __init__(self, photos: PhotoSet, schedule: ScheduleRecipe, seed: int) -> None:
        self.photos = photos
        self.schedule = schedule
        self.seed = seed

    def cut_batch(self, first_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS) -> CropBatch:
        """Crops number ``first_image`` to ``first_image + batch_size - 1``, or a team member's share of them."""
        crops = [self._crop(first_image + i) for i in group.share(first_image, batch_size)]
        photo, class_index, *instances = (torch.from_numpy(np.stack(planes)) for planes in zip(*crops, strict=True))
        boundary_map = build_boundary_map(instances[0].int()) if instances else None
        return CropBatch(photo.permute(0, 3, 1, 2).contiguous(), class_index, boundary_map)

    def _crop(self, number: int) -> list[np.ndarray]:
        """Photo, class indices, and instance numbers if the set has any."""
        epoch, position = divmod(number, len(self.photos))
        order = np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.photos))
        rng = np.random.default_rng((self.seed, 1, number))
        photo, classes = self.photos.read(int(order[position]))
        maps: list[np.ndarray] = [classes]
        if self.photos.has_instances:
            maps.append(self.photos.read_instances(int(order[position])))
        height, width = self.schedule.crop_px
        # The crop is cut from the source first and resized after, which touches far fewer pixels than the reverse.
        fit = max(height / photo.shape[0], width / photo.shape[1])
        if self.schedule.frame_width_px is None:
            scale = rng.uniform(*self.schedule.scale)
        else:
            low, high = self.schedule.frame_width_px
            scale = min(np.exp(rng.uniform(np.log(low), np.log(high))) / photo.shape[1], 1.25)
        scale = max(fit, scale)
        cut_h, cut_w = min(photo.shape[0], round(height / scale)), min(photo.shape[1], round(width / scale))
        top, left = rng.integers(photo.shape[0] - cut_h + 1), rng.integers(photo.shape[1] - cut_w + 1)
        place = np.s_[top : top + cut_h, left : left + cut_w]
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        near = cv2.INTER_NEAREST
        crop = [np.asarray(cv2.resize(photo[place], (width, height), interpolation=smooth))]
        crop += [np.asarray(cv2.resize(plane[place], (width, height), interpolation=near)) for plane in maps]
        return [plane[:, ::-1] for plane in crop] if rng.random() < 0.5 else crop
