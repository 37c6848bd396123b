"""Ensemble weights alpha, which select the edge map of a scene and so the photo."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.field_types import AlphaName

#: Alphas with names, finest side first: how much DNED's answers at 1/1, 1/2, ... 1/16 resolution count.
ALPHA_PRESETS: dict[AlphaName, tuple[float, float, float, float, float]] = {
    "even": (0.2, 0.2, 0.2, 0.2, 0.2),
    "crisp": (0.6, 0.25, 0.05, 0.05, 0.05),
    "soft": (0.05, 0.15, 0.4, 0.25, 0.15),
    "broad": (0.05, 0.05, 0.1, 0.3, 0.5),
}


def draw_alpha(
    seed: int,
    sequence_id: str,
    variant: int,
    *,
    presets: Sequence[AlphaName] = ("even",),
    concentration: float = 1.0,
) -> NDArray[np.float32]:
    """Alpha of one sequence and variant: (5,) float32 that sums to 1.

    The first variants have the named presets. Others are drawn from a Dirichlet seeded by the identities alone, so
    that every frame of a sequence, on any worker and in any order, gets the same one.

    Args:
        concentration: of the Dirichlet, per side; the one that the generator was trained with, so that it has met
            every alpha that it is given.

    >>> draw_alpha(0, "town01", 0).tolist() == [np.float32(0.2)] * 5
    True
    >>> [round(float(a), 2) for a in draw_alpha(0, "town01", 1, presets=("even", "crisp"))]
    [0.6, 0.25, 0.05, 0.05, 0.05]
    >>> bool((draw_alpha(0, "town01", 1) == draw_alpha(0, "town01", 1)).all())
    True
    """
    if variant < len(presets):
        return np.array(ALPHA_PRESETS[presets[variant]], dtype=np.float32)
    identity = hashlib.sha256(f"{seed}\n{sequence_id}\n{variant}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(identity[:8], "big"))
    return rng.dirichlet(np.full(len(ALPHA_PRESETS["even"]), concentration)).astype(np.float32)
