"""``fvd_i3d400``: Fréchet distance between clips of a row and of the real video, over I3D's class scores."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.evaluation.video_frames import find_clips
from sflow_pipeline.metrics import Metric
from sflow_pipeline.metrics.frechet import compute_frechet
from sflow_pipeline.networks.features.i3d import CLIP_FRAMES, SIDE_PX, load_i3d

MIN_CLIPS = 2

FVD = Metric(
    name="fvd_i3d400",
    label="fvd",
    protocol=(
        f"Fréchet distance to the real video between clips of {CLIP_FRAMES} consecutive frames that do not overlap, "
        f"{SIDE_PX}x{SIDE_PX} px, over the class scores of I3D (Unterthiner et al. 2018)"
    ),
    better="lower",
    digits=1,
)


class VideoDistance:
    """See ``Measure``.

    Args:
        weights: I3D's, see ``load_i3d``.
        device: where it runs.

    Raises:
        UsageError: the file cannot be read, or holds other weights.
    """

    name = "video_distance"
    metrics = (FVD,)
    needs_rendered = False

    def __init__(self, weights: str, device: str) -> None:
        self._network = load_i3d(weights).to(device)
        self._device = device
        self._digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {"i3d": {"sha256": self._digest, "frames": CLIP_FRAMES, "size_px": f"{SIDE_PX}x{SIDE_PX}"}}

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  every picture is taken
        """See ``Measure``; pictures are kept at the network's size, 150 kB each."""

        def observe(photo: LabelledPhoto) -> NDArray[np.uint8]:
            return np.asarray(cv2.resize(photo.photo, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``; the real video itself has no distance."""
        if row.is_oracle:
            return MeasureResult({})
        clips = [find_clips(found.source, found.n, CLIP_FRAMES) for found in (row, table[-1])]
        note = f"{len(clips[0])} clips of {CLIP_FRAMES} frames against {len(clips[1])} real ones"
        if min(map(len, clips)) < MIN_CLIPS:
            return MeasureResult(
                {FVD.name: Score(None, row.n, note=f"{note}: at least {MIN_CLIPS} of each are needed")}
            )
        features = [
            np.stack([self._describe([found.evidence[self.name][i] for i in clip]) for clip in chosen])
            for found, chosen in zip((row, table[-1]), clips, strict=True)
        ]
        if min(map(len, clips)) <= features[0].shape[1]:
            note += "; fewer clips than dimensions: biased upwards, comparable at equal counts only"
        return MeasureResult({FVD.name: Score(finite(compute_frechet(*features)), row.n, note=note)})

    @torch.inference_mode()
    def _describe(self, frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """(400,) class scores of a clip."""
        clip = torch.from_numpy(np.stack(frames)).to(self._device).permute(3, 0, 1, 2)[None].float()
        return np.asarray(self._network(clip / 127.5 - 1)[0].double().cpu().numpy())
