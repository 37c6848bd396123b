"""Training crops: which photo, which window, which scale, all determined by (seed, image number)."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.config.recipe import ScheduleRecipe
from sflow_pipeline.tensors import build_boundary_map
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup

#: Largest enlargement of a photo that ``frame_width_px`` asks for.
_MAX_ENLARGEMENT = 1.25


@dataclass(frozen=True)
class CropBatch:
    """photo (b, 3, h, w) uint8 RGB, class_index (b, h, w) uint8, and boundary_map (b, 1, h, w) {0, 1} if any.

    ``renders`` are crops of simulator frames that are trained on in the same step.
    """

    photo: UInt8[Tensor, "b 3 h w"]
    class_index: UInt8[Tensor, "b h w"]
    boundary_map: UInt8[Tensor, "b 1 h w"] | None = None
    renders: "CropBatch | None" = None


@dataclass(frozen=True)
class Window:
    """A window of a photo, in the photo's pixels, the factor that scales it to a crop, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    scale: float
    is_mirrored: bool


class CropSampler:
    """Random crops without state: image number ``n`` is always the same crop, so there is no position to resume.

    Photos are drawn by their weights, in an order drawn from (seed, epoch). An epoch has as many crops as there are
    photos; where all weights are equal, it has one of each.

    Args:
        renders: simulator frames, of which every batch gets ``schedule.render_batch_size`` crops.
    """

    def __init__(self, photos: PhotoSet, schedule: ScheduleRecipe, seed: int, renders: PhotoSet | None = None) -> None:
        self.photos = photos
        self.schedule = schedule
        self.seed = seed
        weights = np.array([facts.weight for facts in photos.facts])
        self._shares = weights / weights.sum()
        self._renders = None if renders is None else CropSampler(renders, schedule, seed + 1)

    def cut_batch(self, first_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS) -> CropBatch:
        """Crops number ``first_image`` to ``first_image + batch_size - 1``, or this process's share of them."""
        crops = [self.cut_crop(first_image + i) for i in group.share(first_image, batch_size)]
        photo, class_index, *instances = (torch.from_numpy(np.stack(planes)) for planes in zip(*crops, strict=True))
        boundary_map = build_boundary_map(instances[0].int()) if instances else None
        renders = None
        if self._renders is not None:
            count = self.schedule.render_batch_size
            renders = self._renders.cut_batch(first_image // batch_size * count, count, group)
        return CropBatch(photo.permute(0, 3, 1, 2).contiguous(), class_index, boundary_map, renders)

    def cut_crop(self, number: int) -> list[NDArray[Any]]:
        """Photo (h, w, 3), class indices (h, w), and instance numbers (h, w) if the set has any."""
        photo = self.choose_photo(number)
        rng = np.random.default_rng((self.seed, 1, number))
        return self.cut_window(photo, self.draw_window(self.photos.size_px(photo), rng))

    def choose_photo(self, number: int) -> int:
        """Position of the photo that crop ``number`` is cut from."""
        count = len(self.photos)
        epoch, position = divmod(number, count)
        order = np.random.default_rng((self.seed, 0, epoch)).permutation(count)
        if np.ptp(self._shares) == 0:
            return int(order[position])
        # Systematic resampling: a photo of share s occurs floor(s * count) or ceil(s * count) times in an epoch.
        offset = np.random.default_rng((self.seed, 2, epoch)).random()
        drawn = np.searchsorted(np.cumsum(self._shares) * count, np.arange(count) + offset, side="right")
        return int(drawn.clip(max=count - 1)[order[position]])

    def draw_window(self, size_px: tuple[int, int], rng: np.random.Generator) -> Window:
        """A random window of a photo of ``size_px`` (height, width) that fills a crop."""
        height, width = self.schedule.crop_px
        photo_h, photo_w = size_px
        if self.schedule.frame_width_px is None:
            scale = rng.uniform(*self.schedule.scale)
        else:
            low, high = self.schedule.frame_width_px
            scale = min(np.exp(rng.uniform(np.log(low), np.log(high))) / photo_w, _MAX_ENLARGEMENT)
        scale = max(height / photo_h, width / photo_w, scale)
        cut_h, cut_w = min(photo_h, round(height / scale)), min(photo_w, round(width / scale))
        top, left = int(rng.integers(photo_h - cut_h + 1)), int(rng.integers(photo_w - cut_w + 1))
        return Window(top, left, cut_h, cut_w, float(scale), is_mirrored=bool(rng.random() < 0.5))

    def cut_window(self, photo: int, window: Window) -> list[NDArray[Any]]:
        """A window of a photo and of its maps, scaled to a crop.

        Cutting before scaling touches far fewer pixels than the reverse.
        """
        height, width = self.schedule.crop_px
        smooth = cv2.INTER_AREA if window.scale < 1 else cv2.INTER_CUBIC
        planes: list[tuple[NDArray[Any], int]] = [
            (plane, mode) for plane, mode in zip(self.photos.read(photo), (smooth, cv2.INTER_NEAREST), strict=True)
        ]
        if self.photos.has_instances:
            planes.append((self.photos.read_instances(photo), cv2.INTER_NEAREST))
        place = np.s_[window.top : window.top + window.height, window.left : window.left + window.width]
        crop = [np.asarray(cv2.resize(plane[place], (width, height), interpolation=mode)) for plane, mode in planes]
        return [plane[:, ::-1] for plane in crop] if window.is_mirrored else crop
