"""Ensemble weights alpha: which skeleton of a scene DNED answers with, and so which photo is painted."""

import hashlib

import numpy as np
from numpy.typing import NDArray

#: Dirichlet concentration per side of variants 1 and up; lower is more extreme.
_CONCENTRATION = 2.0
_SIDES = 5


def draw_alpha(seed: int, sequence_id: str, variant: int) -> NDArray[np.float32]:
    """Alpha of one sequence and variant: (5,) float32 that sums to 1.

    Variant 0 is uniform. Others are drawn from a Dirichlet seeded by the identities alone, so that every frame of a
    sequence, on any worker and in any order, gets the same one.

    >>> draw_alpha(0, "town01", 0).tolist() == [np.float32(0.2)] * 5
    True
    >>> bool((draw_alpha(0, "town01", 1) == draw_alpha(0, "town01", 1)).all())
    True
    """
    if variant == 0:
        return np.full(_SIDES, 1.0 / _SIDES, dtype=np.float32)
    identity = hashlib.sha256(f"{seed}\n{sequence_id}\n{variant}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(identity[:8], "big"))
    return rng.dirichlet(np.full(_SIDES, _CONCENTRATION)).astype(np.float32)
