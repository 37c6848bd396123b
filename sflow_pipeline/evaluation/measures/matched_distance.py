"""``skvd`` and ``ckvd``: kernel distances of VGG-16 features between crops that were matched by label.

``skvd`` is the semantically aligned kernel VGG distance of Richter et al. (2021), ``ckvd`` the class-specific one of
Stuhr et al. (2023): the same with everything but one class painted grey, averaged over the classes. With HED's VGG-16,
whose activations are of the size of 0 to 255 input, features are divided by their root mean square on the real photos;
such numbers compare with each other, not with published ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.matched_crops import (
    CROP_SHARE,
    FILTER,
    FRAME_WIDTH_PX,
    LEAST_AGREEMENT,
    MAX_CROPS,
    MAX_CROPS_PER_FRAME,
    VOID,
    LabelledCrop,
    cut_labelled_crops,
    match_crops,
)
from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.feature_depths import FeatureDepths
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.label_spaces import UNMAPPED, LabelSpace, build_mapping
from sflow_pipeline.metrics import GroupedFeatures, Metric, compute_draw_interval, draw_matched_distances

#: A class counts in a crop from this share of its pixels.
LEAST_CLASS_SHARE = 0.05
#: With fewer matched crops there is no distance.
LEAST_PAIRS = 50
#: With fewer matched crops a class is left out of ``ckvd``.
LEAST_CLASS_PAIRS = 20

_HOW = (
    f"unbiased squared MMD with the kernel (x·y/d + 1)³ between VGG-16 features of squares of {CROP_SHARE:.3g} of the "
    f"frame, resized to {FRAME_WIDTH_PX} px width by {FILTER}, and of the real photos' squares whose labels agree "
    f"most, on more than {LEAST_AGREEMENT:.0%} of 16x16 cells; mean over relu1_2, 2_2, 3_3, 4_3 and 5_3"
)
_SKVD = Metric(name="skvd", label="skvd", protocol=_HOW, better="lower", digits=4)
_CKVD = Metric(
    name="ckvd",
    label="ckvd",
    protocol=f"as skvd with all but one class painted grey, mean over classes with {LEAST_CLASS_PAIRS} pairs or more",
    better="lower",
    digits=4,
)


class CropFeatures(NamedTuple):
    """Evidence of one crop.

    Attributes:
        layout: (256,) label at 16x16 cells.
        whole: (c,) features of each depth.
        classes: channel -> the same with everything else painted grey.
    """

    layout: NDArray[np.uint8]
    whole: list[NDArray[np.float32]]
    classes: Mapping[int, list[NDArray[np.float32]]]


class MatchedDistance:
    """See ``Measure``.

    Args:
        depths: of VGG-16.
        space: label space in which labels are compared.
    """

    name = "matched_crops"
    needs_rendered = False

    def __init__(self, depths: FeatureDepths, space: LabelSpace) -> None:
        self._depths = depths
        self._space = space
        name = depths.extractor.name
        self.metrics = tuple(replace(metric, name=f"{metric.name}_{name}") for metric in (_SKVD, _CKVD))

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {
            "matched_crops": {
                "extractor": self._depths.extractor.name,
                "sha256": self._depths.extractor.digest,
                "label_space": self._space.name,
                "frame_width_px": FRAME_WIDTH_PX,
                "crop_share": CROP_SHARE,
                "filter": FILTER,
                "max_crops": MAX_CROPS,
                "max_crops_per_frame": MAX_CROPS_PER_FRAME,
                "least_agreement": LEAST_AGREEMENT,
                "features_divided_by": "root mean square on the real photos" if self._depths.is_relative else 1,
            }
        }

    def start(self, source: PhotoSource, count: int) -> Observe:
        """See ``Measure``; of variants only the first is used."""
        table = build_mapping(source.label_space, self._space).table.copy()
        void = self._space.void_channel
        table[(table == UNMAPPED) | (table == (VOID if void is None else void))] = VOID
        frames = -(-count // source.variants)
        total = min(MAX_CROPS, MAX_CROPS_PER_FRAME * frames)
        index = -1

        def observe(photo: LabelledPhoto) -> list[CropFeatures]:
            nonlocal index
            if photo.variant != 0:
                return []
            index += 1
            crops = (index + 1) * total // frames - index * total // frames
            channels = table[photo.label_map].astype(np.uint8)
            return [self._measure(crop) for crop in cut_labelled_crops(photo.photo, channels, photo.sample_id, crops)]

        return observe

    def _measure(self, crop: LabelledCrop) -> CropFeatures:
        counted = np.bincount(crop.channels.ravel(), minlength=256) / crop.channels.size
        present = [c for c in np.flatnonzero(counted > LEAST_CLASS_SHARE).tolist() if c != VOID]
        masks = torch.from_numpy(np.stack([np.ones_like(crop.channels), *(crop.channels == c for c in present)]))
        pooled = self._depths.pool(crop.picture * masks[:, None])
        rows = [[depth[i] for depth in pooled] for i in range(1 + len(present))]
        return CropFeatures(crop.layout, rows[0], dict(zip(present, rows[1:], strict=True)))

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``."""
        if row.is_oracle:
            return MeasureResult({})
        own, groups = self._flatten(row)
        reference, _ = self._flatten(table[-1])
        layouts = [np.stack([crop.layout for crop in crops]) for crops in (own, reference)]
        matches = match_crops(*layouts)
        pairs = [(own[i], reference[j], groups[i]) for i, j in zip(matches.own, matches.reference, strict=True)]
        frames = len(set(row.sample_ids))
        facts = (
            f"{len(pairs)} matched of {len(own)} crops of {frames} frames, {len(reference)} crops of {table[-1].n} "
            f"photos; {self._depths.extractor.name}, sha256 {self._depths.extractor.digest[:12]}"
        )
        skvd, ckvd = (metric.name for metric in self.metrics)
        if len(pairs) < LEAST_PAIRS:
            needed = "label more frames alike" if len(own) >= LEAST_PAIRS else "evaluate more frames"
            note = f"{facts}: at least {LEAST_PAIRS} matched crops are needed; {needed}"
            return MeasureResult({name: Score(None, row.n, note=note) for name in (skvd, ckvd)})
        whole = [(a.whole, b.whole, group) for a, b, group in pairs]
        scales = self._find_scales(reference)
        drawn = self._draw(whole, frames, scales)
        scores = {skvd: self._build_score(row.n, drawn, facts)}
        by_class = {}
        for channel in sorted({channel for a, b, _ in pairs for channel in a.classes if channel in b.classes}):
            masked = [
                (a.classes[channel], b.classes[channel], group)
                for a, b, group in pairs
                if channel in a.classes and channel in b.classes
            ]
            if len(masked) >= LEAST_CLASS_PAIRS:
                by_class[self._space.classes[channel].name] = self._draw(masked, frames, scales)
        if by_class:
            mean = np.stack(list(by_class.values())).mean(axis=0)
            values = {name: finite(float(drawn[0])) for name, drawn in by_class.items()}
            note = f"{facts}; over {len(by_class)} classes: {', '.join(by_class)}"
            scores[ckvd] = self._build_score(row.n, mean, note, {"classes": values})
        else:
            note = f"{facts}: no class is on {LEAST_CLASS_PAIRS} matched crops; evaluate more frames"
            scores[ckvd] = Score(None, row.n, note=note)
        return MeasureResult(scores)

    def _flatten(self, found: Observations) -> tuple[list[CropFeatures], list[int]]:
        """Crops of a set, and the number of the frame that each was cut from."""
        order = {name: index for index, name in enumerate(dict.fromkeys(found.sample_ids))}
        crops, groups = [], []
        for sample_id, evidence in zip(found.sample_ids, found.evidence[self.name], strict=True):
            crops += evidence
            groups += [order[sample_id]] * len(evidence)
        return crops, groups

    def _find_scales(self, reference: Sequence[CropFeatures]) -> list[float]:
        """What the features of each depth are divided by."""
        depths = len(reference[0].whole)
        if not self._depths.is_relative:
            return [1.0] * depths
        stacked = (np.stack([crop.whole[i] for crop in reference]).astype(np.float64) for i in range(depths))
        return [max(float(np.sqrt((features**2).mean())), 1e-12) for features in stacked]

    def _draw(
        self,
        pairs: Sequence[tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], int]],
        frames: int,
        scales: Sequence[float],
    ) -> NDArray[np.float64]:
        """(draws,) distances, the mean over depths."""
        groups = np.array([group for _, _, group in pairs], np.int64)
        distances = []
        for depth, scale in enumerate(scales):
            sides = (np.stack([own[depth] for own, _, _ in pairs]), np.stack([other[depth] for _, other, _ in pairs]))
            first, second = (GroupedFeatures(side / scale, groups, frames) for side in sides)
            distances.append(draw_matched_distances(first, second))
        mean: NDArray[np.float64] = np.stack(distances).mean(axis=0)
        return mean

    def _build_score(
        self, n: int, drawn: NDArray[np.float64], note: str, details: Mapping[str, Any] | None = None
    ) -> Score:
        interval = compute_draw_interval(drawn[1:])
        return Score(finite(float(drawn[0])), n, interval, note=note, details=details or {})
