"""``perceptual_diversity_<network>``: how different the variants of a frame look, by the distance that LPIPS learns on.

LPIPS (Zhang et al. 2018) weighs channels by weights that were learned from people's judgements. This is its distance
without them, hence the name of its own: unit-length features, squared differences, averaged over positions, summed
over channels and depths.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.feature_depths import FeatureDepths
from sflow_pipeline.evaluation.reference_networks.network_input import resize_photo
from sflow_pipeline.evaluation.reference_networks.spec import FilterName
from sflow_pipeline.evaluation.results.scores import Score
from sflow_pipeline.metrics import Metric, compute_mean_interval

WIDTH_PX = 256
#: More variants of a frame are not compared.
MAX_VARIANTS = 8
_FILTER: FilterName = "antialias_bilinear"
_SMALLEST_PX = 32


class PerceptualDiversity:
    """See ``Measure``.

    Args:
        depths: of a perceptual network.
    """

    name = "perceptual_diversity"
    needs_rendered = False

    def __init__(self, depths: FeatureDepths) -> None:
        self._depths = depths
        self._metric = Metric(
            name=f"perceptual_diversity_{depths.extractor.name}",
            label="perceptual diversity",
            protocol=(
                "mean over pairs of variants of a frame of the squared distance between unit-length feature vectors, "
                f"averaged over positions, summed over depths, at {WIDTH_PX} px width by {_FILTER}: LPIPS without its "
                "learned weights"
            ),
            better="higher",
        )
        self.metrics = (self._metric,)

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        network = {"network": self._depths.extractor.name, "sha256": self._depths.extractor.digest}
        return {"perceptual_diversity": {**network, "width_px": WIDTH_PX, "filter": _FILTER}}

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  every picture is taken
        """See ``Measure``; the evidence of a picture is its distances to the variants before it."""
        sample_id, earlier = "", list[list[Tensor]]()

        def observe(photo: LabelledPhoto) -> list[float]:
            nonlocal sample_id, earlier
            if source.variants == 1:
                return []
            if photo.sample_id != sample_id:
                sample_id, earlier = photo.sample_id, []
            if len(earlier) >= MAX_VARIANTS:
                return []
            maps = self._extract(photo)
            found = [compute_perceptual_distance(maps, other) for other in earlier]
            earlier.append(maps)
            return found

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:  # noqa: ARG002  by itself
        """See ``Measure``."""
        if row.source.variants == 1:
            return MeasureResult({})
        by_frame: dict[str, list[float]] = {}
        for sample_id, distances in zip(row.sample_ids, row.evidence[self.name], strict=True):
            by_frame.setdefault(sample_id, []).extend(distances)
        frames = np.array([[sum(found), len(found)] for found in by_frame.values() if found])
        if not len(frames):
            note = "no frame with two variants among the measured ones: measure more pictures"
            return MeasureResult({self._metric.name: Score(None, row.n, note=note)})
        value = float(frames[:, 0].sum() / frames[:, 1].sum())
        note = (
            f"{int(frames[:, 1].sum())} pairs of variants of {len(frames)} frames; {self._depths.extractor.name}, "
            f"sha256 {self._depths.extractor.digest[:12]}"
        )
        return MeasureResult({self._metric.name: Score(value, row.n, compute_mean_interval(frames), note=note)})

    def _extract(self, photo: LabelledPhoto) -> list[Tensor]:
        height, width = photo.photo.shape[:2]
        batch = torch.from_numpy(np.ascontiguousarray(photo.photo)).permute(2, 0, 1)[None].float()
        size_px = (WIDTH_PX, max(_SMALLEST_PX, round(height * WIDTH_PX / width)))
        return self._depths.extract_maps(resize_photo(batch, size_px, _FILTER).clamp(0, 255) / 127.5 - 1.0)


def compute_perceptual_distance(
    first: Sequence[Float[Tensor, "1 c h w"]], second: Sequence[Float[Tensor, "1 c h w"]]
) -> float:
    """The distance of two pictures from their feature maps at several depths.

    >>> a = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    >>> compute_perceptual_distance([a, a], [a.flip(1), 3 * a])
    2.0
    """
    total = 0.0
    for a, b in zip(first, second, strict=True):
        unit = [maps / (maps.square().sum(dim=1, keepdim=True).sqrt() + 1e-10) for maps in (a, b)]
        total += float((unit[0] - unit[1]).square().sum(dim=1).mean())
    return total
