"""Training crops: which photo, which window, which scale, all determined by (seed, image number)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
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

    ``renders`` are crops of simulator frames that are trained on in the same step, ``pairs`` of consecutive frames.
    Crops of a sampler say their ``origins``, pairs do not.
    """

    photo: UInt8[Tensor, "b 3 h w"]
    class_index: UInt8[Tensor, "b h w"]
    boundary_map: UInt8[Tensor, "b 1 h w"] | None = None
    renders: "CropBatch | None" = None
    pairs: "PairBatch | None" = None
    origins: "CropOrigins | None" = None


@dataclass(frozen=True)
class CropOrigins:
    """Where crops are from: number of the data folder, and width in px of the whole frame at the crop's scale."""

    source: Int64[Tensor, " b"]
    frame_width_px: Float[Tensor, " b"]


@dataclass(frozen=True)
class PairBatch:
    """Crops of consecutive frames, both at the same place.

    Attributes:
        frames: the earlier frames of all pairs, then the later ones.
        motion: from each pixel of an earlier frame to its place in the later one, x then y, in px; NaN where that does
            not show the same surface. None where it is not known.
    """

    frames: CropBatch
    motion: Float[Tensor, "p 2 h w"] | None = None


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
        renders: simulator frames, of which every batch gets ``schedule.render_batch_size`` crops and
            ``schedule.render_pair_batch_size`` pairs.
        pair_batch_size: pairs of consecutive photos in every batch.
    """

    def __init__(
        self,
        photos: PhotoSet,
        schedule: ScheduleRecipe,
        seed: int,
        renders: PhotoSet | None = None,
        pair_batch_size: int = 0,
    ) -> None:
        self.photos = photos
        self.schedule = schedule
        self.seed = seed
        weights = np.array([facts.weight for facts in photos.facts])
        self._shares = weights / weights.sum()
        self._renders = None
        if renders is not None:
            self._renders = CropSampler(renders, schedule, seed + 1, pair_batch_size=schedule.render_pair_batch_size)
        self._pair_batch_size = pair_batch_size
        self._pairs = find_video_pairs(photos) if pair_batch_size else []

    def cut_batch(self, first_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS) -> CropBatch:
        """Crops number ``first_image`` to ``first_image + batch_size - 1``, or this process's share of them."""
        places = [self.draw_place(first_image + i) for i in group.share(first_image, batch_size)]
        crops = [self.cut_window(*place) for place in places]
        renders = pairs = None
        if self._renders is not None:
            count = self.schedule.render_batch_size
            renders = self._renders.cut_batch(first_image // batch_size * count, count, group)
        if self._pairs:
            count = self._pair_batch_size
            pairs = self.cut_pairs(first_image // batch_size * count, count, group)
        return replace(_stack(crops), renders=renders, pairs=pairs, origins=self._find_origins(places))

    def cut_pairs(self, first_pair: int, count: int, group: ProcessGroup = SINGLE_PROCESS) -> PairBatch:
        """Pairs number ``first_pair`` to ``first_pair + count - 1``, or this process's share of them."""
        earlier, later, motions = [], [], []
        for i in group.share(first_pair, count):
            rng = np.random.default_rng((self.seed, 3, first_pair + i))
            pair = self._pairs[int(rng.integers(len(self._pairs)))]
            window = self.draw_window(self.photos.size_px(pair[0]), rng)
            earlier.append(self.cut_window(pair[0], window))
            later.append(self.cut_window(pair[1], window))
            if self.photos.has_flow:
                motions.append(self._cut_motion(pair[0], window))
        frames = _stack([*earlier, *later])
        return PairBatch(frames, torch.from_numpy(np.stack(motions)) if motions else None)

    def _cut_motion(self, photo: int, window: Window) -> NDArray[np.float32]:
        """(2, h, w) motion of a window, scaled and mirrored as the window is."""
        height, width = self.schedule.crop_px
        place = np.s_[window.top : window.top + window.height, window.left : window.left + window.width]
        flow = self.photos.read_flow(photo)[place].astype(np.float32)
        flow = np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_NEAREST))
        flow = flow * np.array([width / window.width, height / window.height], np.float32)
        if window.is_mirrored:
            flow = flow[:, ::-1] * np.array([-1, 1], np.float32)
        return np.ascontiguousarray(flow.transpose(2, 0, 1))

    def cut_crop(self, number: int) -> list[NDArray[Any]]:
        """Photo (h, w, 3), class indices (h, w), and instance numbers (h, w) if the set has any."""
        return self.cut_window(*self.draw_place(number))

    def draw_place(self, number: int) -> tuple[int, Window]:
        """Position of the photo of crop ``number``, and the crop's window."""
        photo = self.choose_photo(number)
        rng = np.random.default_rng((self.seed, 1, number))
        return photo, self.draw_window(self.photos.size_px(photo), rng)

    def _find_origins(self, places: Sequence[tuple[int, Window]]) -> CropOrigins:
        return CropOrigins(
            torch.tensor([self.photos.facts[photo].source for photo, _ in places]),
            torch.tensor([window.scale * self.photos.size_px(photo)[1] for photo, window in places]),
        )

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


def find_video_pairs(photos: PhotoSet) -> list[tuple[int, int]]:
    """Positions of consecutive frames that motion is known or can be measured between: of videos, or with flow."""
    return [
        (earlier, later)
        for earlier, later in photos.find_pairs()
        if photos.facts[earlier].is_video
        and photos.size_px(earlier) == photos.size_px(later)
        and not (photos.has_flow and np.isnan(photos.read_flow(earlier)).all())
    ]


def _stack(crops: Sequence[list[NDArray[Any]]]) -> CropBatch:
    photo, class_index, *instances = (torch.from_numpy(np.stack(planes)) for planes in zip(*crops, strict=True))
    boundary_map = build_boundary_map(instances[0].int()) if instances else None
    return CropBatch(photo.permute(0, 3, 1, 2).contiguous(), class_index, boundary_map)
