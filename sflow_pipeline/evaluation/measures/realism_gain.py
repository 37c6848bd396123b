"""``realism_gain``: kernel distance of crops to crops of real photos, converted images over rendered frames.

Whole frames of two sets differ in layout and tone of their towns; crops compare surfaces and light. Below 1 the
converted images are closer to photos than the frames they were made from.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.network_input import resize_photo
from sflow_pipeline.evaluation.reference_networks.spec import FilterName
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.metrics import GroupedFeatures, Metric, compute_kernel_ratio
from sflow_pipeline.metrics.grouped_kernel import MIN_FRAMES_FOR_INTERVAL

FRAME_WIDTH_PX = 768
CROP_PX = 192
#: Crops of a set, and of one frame, at most.
MAX_CROPS = 1024
MAX_CROPS_PER_FRAME = 32
MIN_FRAMES, MIN_PHOTOS = 2, 20
_FILTER: FilterName = "antialias_bilinear"
_SEED = 20210716

REALISM_GAIN = Metric(
    name="realism_gain",
    label="realism gain",
    protocol=(
        f"unbiased squared MMD with the kernel (x·y/d + 1)³ between features of {CROP_PX} px squares, at random "
        f"positions in frames resized to {FRAME_WIDTH_PX} px width by {_FILTER}, and those of real photos; of the row "
        "over that of the rendered frames it was made from, with the same positions and number of crops"
    ),
    better="lower",
    digits=2,
)


class RealismGain:
    """See ``Measure``.

    Args:
        extractor: the feature extractor.
    """

    name = "realism_gain"
    metrics = (REALISM_GAIN,)
    needs_rendered = True

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {
            "realism_gain": {
                "extractor": self._extractor.name,
                "sha256": self._extractor.digest,
                "frame_width_px": FRAME_WIDTH_PX,
                "crop_px": CROP_PX,
                "filter": _FILTER,
                "max_crops": MAX_CROPS,
                "max_crops_per_frame": MAX_CROPS_PER_FRAME,
            }
        }

    def start(self, source: PhotoSource, count: int) -> Observe:
        """See ``Measure``; of variants only the first is used, so that every set has one picture per frame."""
        frames = -(-count // source.variants)
        total = min(MAX_CROPS, MAX_CROPS_PER_FRAME * frames)
        index = -1

        def observe(photo: LabelledPhoto) -> NDArray[np.float32] | None:
            nonlocal index
            if photo.variant != 0:
                return None
            index += 1
            crops = (index + 1) * total // frames - index * total // frames
            if not crops:
                return None
            return self._extractor.extract_batch(cut_crops(photo.photo, photo.sample_id, crops))

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``."""
        if row.is_oracle or (row.rendered is None and not row.why_not_rendered):
            return MeasureResult({})
        if row.rendered is None:
            return MeasureResult({REALISM_GAIN.name: Score(None, row.n, note=row.why_not_rendered)})
        evidence = zip(row.sample_ids, row.evidence[self.name], strict=True)
        frames, photos = len({name for name, features in evidence if features is not None}), table[-1].n
        if frames < MIN_FRAMES or photos < MIN_PHOTOS:
            note = f"{frames} frames and {photos} photos: at least {MIN_FRAMES} and {MIN_PHOTOS} are needed"
            return MeasureResult({REALISM_GAIN.name: Score(None, row.n, note=note)})
        order = {name: index for index, name in enumerate(dict.fromkeys([*row.sample_ids, *row.rendered.sample_ids]))}
        converted, rendered = (self._gather(found, order) for found in (row, row.rendered))
        reference = self._gather(table[-1], {name: i for i, name in enumerate(dict.fromkeys(table[-1].sample_ids))})
        ratio = compute_kernel_ratio(converted, rendered, reference)
        note = (
            f"{len(converted.groups)} crops of {frames} frames, {len(rendered.groups)} of the rendered ones, "
            f"{len(reference.groups)} of {photos} photos; {CROP_PX} px from {FRAME_WIDTH_PX} px width by {_FILTER}; "
            f"{self._extractor.name}, sha256 {self._extractor.digest[:12]}; kernel distance {ratio.numerator:.4f} "
            f"converted, {ratio.denominator:.4f} rendered"
        )
        if frames < MIN_FRAMES_FOR_INTERVAL:
            note += f"; no interval with fewer than {MIN_FRAMES_FOR_INTERVAL} frames"
        elif ratio.denominator <= 0:
            note += "; no ratio, because rendered frames are not farther from the photos than chance"
        details = {
            "kernel_converted": ratio.numerator,
            "kernel_rendered": ratio.denominator,
            "crops_converted": len(converted.groups),
            "crops_rendered": len(rendered.groups),
            "crops_reference": len(reference.groups),
            "photos": photos,
        }
        score = Score(finite(ratio.value), row.n, ratio.interval, note=note, details=details)
        return MeasureResult({REALISM_GAIN.name: score})

    def _gather(self, found: Observations, order: dict[str, int]) -> GroupedFeatures:
        pairs = zip(found.sample_ids, found.evidence[self.name], strict=True)
        kept = [(order[sample_id], features) for sample_id, features in pairs if features is not None]
        groups = np.repeat([index for index, _ in kept], [len(features) for _, features in kept])
        return GroupedFeatures(np.concatenate([features for _, features in kept]), groups.astype(np.int64), len(order))


def cut_crops(picture: NDArray[np.uint8], sample_id: str, count: int) -> NDArray[np.uint8]:
    """(count, 192, 192, 3) squares of a (h, w, 3) picture resized to 768 px width, and to 192 px height at least.

    Positions follow from the sample id, so that a frame and what was made of it are cut alike.
    """
    height, width = picture.shape[:2]
    size_px = (FRAME_WIDTH_PX, max(round(height * FRAME_WIDTH_PX / width), CROP_PX))
    batch = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    resized = resize_photo(batch, size_px, _FILTER)[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    rng = np.random.default_rng([_SEED, zlib.crc32(sample_id.encode("utf-8", "surrogateescape"))])
    corners = (rng.random((count, 2)) * (size_px[1] - CROP_PX + 1, size_px[0] - CROP_PX + 1)).astype(int)
    return np.stack([resized[top : top + CROP_PX, left : left + CROP_PX] for top, left in corners])
