"""Check of a simulator's flow against its pictures: direction, order of the axes and unit."""

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.motion.warping import find_inside, warp

#: Pairs that are compared, and the motion in px from which a pair says something.
_PAIRS, _LEAST_PX = 6, 0.5
#: The stated reading is refused where another one leaves less than this share of its error.
_CLEARLY_BETTER = 0.8


class MotionCheck:
    """Compares pictures along readings of their flow, and refuses flow of which another reading is clearly right.

    Args:
        source: of the pictures, for errors.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._errors: dict[str, list[float]] = {}
        self._pairs = 0

    @property
    def is_full(self) -> bool:
        """Whether enough pairs were compared."""
        return self._pairs >= _PAIRS

    def add(self, before: NDArray[np.uint8], after: NDArray[np.uint8], motion: NDArray[np.float32]) -> None:
        """Compare a pair of frames along every reading of the flow; only the first few pairs are."""
        known = np.asarray(np.isfinite(motion).all(axis=2))
        if self.is_full or not known.any():
            return
        flow = np.where(known[..., None], motion, 0)
        height, width = known.shape
        readings = {
            "": flow,
            "it leads to the place that pixels come from: the signs are reversed": -flow,
            "x and y are exchanged": flow[..., ::-1],
            "its unit is the picture's width and height": flow * np.array([width, height], np.float32),
            "pictures that are taken to stand still agree better": flow * 0,
        }
        if np.linalg.norm(flow, axis=2)[known].mean() < _LEAST_PX and np.abs(flow).max() > 1:
            return
        self._pairs += 1
        tensors = [torch.from_numpy(x.transpose(2, 0, 1).astype(np.float32))[None] for x in (before, after)]
        inside = {
            name: torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None] for name, x in readings.items()
        }
        for name, reading in inside.items():
            counted = torch.from_numpy(known)[None, None] & find_inside(reading)
            distance = (tensors[0] - warp(tensors[1], reading)).abs().mean(dim=1, keepdim=True)
            if counted.float().mean() > 0.1:
                self._errors.setdefault(name, []).append(float(distance[counted].mean()))

    def finish(self) -> None:
        """Decide.

        Raises:
            UsageError: another reading of the flow fits the pictures clearly better.
        """
        means = {name: float(np.mean(errors)) for name, errors in self._errors.items()}
        stated = means.pop("", None)
        if not means or stated is None:
            return
        best = min(means, key=lambda name: means[name])
        if means[best] < _CLEARLY_BETTER * stated:
            raise UsageError(
                f"{self._source}: its flow does not lead from a frame to the next one; {best} "
                f"(difference of {means[best]:.1f} instead of {stated:.1f} grey levels along it)",
                hint="write flow in px to the next frame, x before y; flow that leads to the previous frame has to be "
                "stored with that one",
            )
