"""Features of consecutive frames: how far they move from frame to frame, and how clips differ from real ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.evaluation.video_frames import find_clips
from sflow_pipeline.metrics import Metric
from sflow_pipeline.metrics.frechet import compute_frechet

#: Frames of a clip.
CLIP_FRAMES = 4
MIN_CLIPS = 2


class ClipFeatures:
    """See ``Measure``.

    Args:
        extractor: the feature extractor.
    """

    name = "clip_features"
    needs_rendered = True

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self._distance = Metric(
            name=f"frame_distance_{extractor.name}",
            label="frame distance",
            protocol="Euclidean distance between the features of consecutive frames, mean over pairs",
            better="lower",
        )
        self._ratio = Metric(
            name=f"frame_distance_ratio_{extractor.name}",
            label="frame distance ratio",
            protocol="frame distance of the row over that of the rendered frames it was made from",
            better="lower",
            digits=2,
        )
        self._frechet = Metric(
            name=f"clip_frechet_{extractor.name}",
            label="clip frechet",
            protocol=(
                f"Fréchet distance to the real video between clips of {CLIP_FRAMES} consecutive frames, each described "
                "by the mean of its frames' features and the root mean square of their changes from frame to frame"
            ),
            better="lower",
        )
        self.metrics = (self._distance, self._ratio, self._frechet)

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {"clips": {"frames": CLIP_FRAMES, "extractor": self._extractor.name, "sha256": self._extractor.digest}}

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  every picture is taken
        """See ``Measure``."""

        def observe(photo: LabelledPhoto) -> NDArray[np.float32]:
            return self._extractor.extract(photo.photo)

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``; the real video has a frame distance alone."""
        own = self._measure_distance(row)
        if own is None:
            return MeasureResult({self._distance.name: Score(None, row.n, note="no two consecutive frames")})
        scores = {self._distance.name: Score(finite(own), row.n)}
        rendered = None if row.rendered is None else self._measure_distance(row.rendered)
        if rendered:
            note = f"{rendered:.3f} rendered, {own:.3f} own"
            scores[self._ratio.name] = Score(finite(own / rendered), row.n, note=note)
        if not row.is_oracle:
            scores[self._frechet.name] = self._compare_clips(row, table[-1])
        return MeasureResult(scores)

    def _measure_distance(self, row: Observations) -> float | None:
        features = row.evidence[self.name]
        pairs = find_clips(row.source, row.n, 2, overlap=1)
        distances = [np.linalg.norm(features[later] - features[earlier]) for earlier, later in pairs]
        return float(np.mean(distances)) if distances else None

    def _compare_clips(self, row: Observations, oracle: Observations) -> Score:
        described = [self._describe_clips(found) for found in (row, oracle)]
        counts = [len(clips) for clips in described]
        note = f"{counts[0]} clips of {CLIP_FRAMES} frames against {counts[1]} real ones"
        if min(counts) < MIN_CLIPS:
            return Score(None, row.n, note=f"{note}: at least {MIN_CLIPS} of each are needed")
        if min(counts) <= described[0].shape[1]:
            note += "; fewer clips than dimensions: biased upwards, comparable at equal counts only"
        return Score(finite(compute_frechet(*described)), row.n, note=note)

    def _describe_clips(self, row: Observations) -> NDArray[np.float64]:
        features = row.evidence[self.name]
        clips = [np.stack([features[i] for i in clip]) for clip in find_clips(row.source, row.n, CLIP_FRAMES)]
        return np.array([describe_clip(clip) for clip in clips], np.float64)


def describe_clip(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """(2d,) from (frames, d): mean, and root mean square of the changes from frame to frame.

    >>> describe_clip(np.array([[1.0, 0.0], [1.0, 3.0], [1.0, -1.0], [1.0, 2.0]])).round(2).tolist()
    [1.0, 1.0, 0.0, 3.37]
    """
    changes = np.sqrt((np.diff(features.astype(np.float64), axis=0) ** 2).mean(axis=0))
    return np.concatenate([features.mean(axis=0, dtype=np.float64), changes])
