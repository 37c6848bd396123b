"""Warping error: consecutive frames compared along their motion, where both show the same surface.

The motion is that of the frames that pictures were made from: a converted image must move as its render does. Errors
stand beside those of the rendered frames and of the real video, because noise, reflections and resampling differ from
frame to frame in any video.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.results.scores import Score
from sflow_pipeline.evaluation.video_frames import VideoFrame, list_places, read_video
from sflow_pipeline.metrics import Metric
from sflow_pipeline.networks.motion.motion_check import MotionCheck
from sflow_pipeline.networks.motion.optical_flow import measure_flow
from sflow_pipeline.networks.motion.warping import find_inside, warp
from sflow_pipeline.simulators.frame_table import find_steps

_ERROR = (
    "mean absolute difference, in grey levels of 255, of a frame and the next one warped back to it along {}, over the "
    "pixels that both show, mean over pairs of consecutive frames"
)
_BY_FLOW = "the optical flow of the frames that the row was made from (DIS, medium; forward-backward check)"
_BY_SIMULATOR = "the simulator's flow (its occlusion column; inside the picture)"
_RATIO = "{} of the row over that of the rendered frames it was made from"

_METRICS = {
    "classical": (
        Metric(name="warping_error_classical", label="warping error", protocol=_ERROR.format(_BY_FLOW), better="lower"),
        Metric(
            name="warping_ratio_classical", label="warping ratio", better="lower", digits=2,
            protocol=_RATIO.format("warping_error_classical"),
        ),
    ),
    "simulator": (
        Metric(
            name="warping_error_simulator", label="warping error (simulator's flow)", better="lower",
            protocol=_ERROR.format(_BY_SIMULATOR),
        ),
        Metric(
            name="warping_ratio_simulator", label="warping ratio (simulator's flow)", better="lower", digits=2,
            protocol=_RATIO.format("warping_error_simulator"),
        ),
    ),
}  # fmt: skip


@dataclass
class _Errors:
    """Errors of a row's pairs, and of the frames they were made from, in grey levels."""

    own: list[float] = field(default_factory=list)
    source: list[float] = field(default_factory=list)


class Warping:
    """See ``Measure``; pictures are read once more, because pairs of two sets are compared."""

    name = "warping"
    metrics = tuple(metric for pair in _METRICS.values() for metric in pair)
    needs_rendered = True

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {"warping": {"flow": f"OpenCV {cv2.__version__} DIS, preset medium", "unit": "grey levels of 255"}}

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  nothing is kept of single pictures
        """See ``Measure``."""

        def observe(photo: LabelledPhoto) -> None: ...

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:  # noqa: ARG002
        """See ``Measure``.

        Raises:
            UsageError: the simulator's flow does not lead from a frame to the next one.
        """
        errors = {kind: _Errors() for kind in _METRICS}
        check = MotionCheck(row.source.uri)
        skipped: dict[str, int] = {}
        for earlier, later, made_from in _read_pairs(row, skipped):
            before, after = made_from or (earlier, later)
            motions = {"classical": measure_flow(before.photo, after.photo)}
            if earlier.motion is not None:
                check.add(before.photo, after.photo, earlier.motion)
                motions["simulator"] = earlier.motion
            for kind, motion in motions.items():
                own = compare_along(earlier.photo, later.photo, motion)
                if own is None:
                    skipped["pairs without a common surface"] = skipped.get("pairs without a common surface", 0) + 1
                    continue
                errors[kind].own.append(own)
                if made_from is not None:
                    errors[kind].source.append(compare_along(before.photo, after.photo, motion) or 0.0)
        check.finish()
        scores: dict[str, Score] = {}
        for kind, (error, ratio) in _METRICS.items():
            scores |= _summarise(errors[kind], error, ratio, skipped, is_expected=kind == "classical")
        return MeasureResult(scores)


def compare_along(before: NDArray[np.uint8], after: NDArray[np.uint8], motion: NDArray[np.float32]) -> float | None:
    """Mean absolute difference along the motion in grey levels; None where no pixel can be compared.

    >>> picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    >>> compare_along(picture, picture + np.uint8(2), np.zeros((4, 5, 2), np.float32))
    2.0
    """
    known = np.asarray(np.isfinite(motion).all(axis=2))
    flow = _as_tensor(np.where(known[..., None], motion, 0))
    counted = known & find_inside(flow)[0, 0].numpy()
    if not counted.any():
        return None
    warped = warp(_as_tensor(after), flow)[0].permute(1, 2, 0).numpy()
    return float(np.abs(before.astype(np.float32) - warped).mean(axis=2)[counted].mean())


def _read_pairs(
    row: Observations, skipped: dict[str, int]
) -> Iterator[tuple[VideoFrame, VideoFrame, tuple[VideoFrame, VideoFrame] | None]]:
    """Consecutive frames of each sequence and variant, with the frames they were made from."""
    sources = None if row.rendered is None else _Lookup(row.rendered.source)
    steps = find_steps((sequence, index) for sequence, index, _ in list_places(row.source))
    last: dict[int, tuple[VideoFrame, VideoFrame | None]] = {}
    for count, frame in enumerate(read_video(row.source)):
        if count >= row.n:
            break
        made_from = None if sources is None else sources.find(frame)
        earlier = last.get(frame.variant)
        last[frame.variant] = (frame, made_from)
        if earlier is None or earlier[0].sequence_id != frame.sequence_id:
            continue
        reason = _why_apart(earlier[0], frame, steps[frame.sequence_id])
        if sources is not None and not reason and (made_from is None or earlier[1] is None):
            reason = "pairs without their rendered frames"
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
        elif made_from is None or earlier[1] is None:
            yield earlier[0], frame, None
        else:
            yield earlier[0], frame, (earlier[1], made_from)


def _why_apart(earlier: VideoFrame, later: VideoFrame, step: int) -> str:
    if earlier.photo.shape != later.photo.shape:
        return "pairs of different sizes"
    return "" if later.frame_index == earlier.frame_index + step else "gaps"


class _Lookup:
    """Frames by place, read in order as far as needed; two sets of the same frames are mostly in the same order."""

    def __init__(self, source: PhotoSource) -> None:
        self._frames = read_video(source)
        self._found: dict[tuple[str, int], VideoFrame] = {}

    def find(self, frame: VideoFrame) -> VideoFrame | None:
        key = (frame.sequence_id, frame.frame_index)
        while key not in self._found:
            following = next(self._frames, None)
            if following is None:
                return None
            if following.variant == 0:
                self._found[following.sequence_id, following.frame_index] = following
                if len(self._found) > 64:  # what lies far back is not asked for again
                    self._found.pop(next(iter(self._found)))
        found = self._found[key]
        return found if found.photo.shape == frame.photo.shape else None


def _summarise(
    errors: _Errors, error: Metric, ratio: Metric, skipped: dict[str, int], *, is_expected: bool
) -> dict[str, Score]:
    pairs = len(errors.own)
    left_out = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    note = f"{pairs} pairs of frames" + (f"; left out: {left_out}" if left_out else "")
    if not pairs:
        if not is_expected:
            return {}
        return {error.name: Score(None, 0, note=f"no two consecutive frames{f'; {left_out}' if left_out else ''}")}
    own = float(np.mean(errors.own))
    scores = {error.name: Score(own, pairs, note=note, details={"pairs": pairs, "errors": errors.own})}
    if errors.source:
        source = float(np.mean(errors.source))
        details = {"own": own, "rendered": source}
        value = own / source if source > 0 else None
        scores[ratio.name] = Score(value, pairs, note=f"{note}; {source:.3f} rendered, {own:.3f} own", details=details)
    return scores


def _as_tensor(plane: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane.transpose(2, 0, 1), dtype=np.float32))[None]
