"""Channel order of pictures, judged by the colours of sky and vegetation: red and blue may have been swapped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.simulators import Problem

#: A class is measured from this share of the picture up; very dark colours have no tint.
_LEAST_SHARE, _DARK = 0.01, 8.0
#: How much bluer vegetation must be than grey and than the sky. In eight genuine sets the largest lead is 0.07.
_BLUE_LEAVES, _LEAD = 0.1, 0.15
_LEAST_MEASURED, _MOST_OF_THEM = 2, 0.8


def measure_tints(render: NDArray[np.uint8], label_map: NDArray[Any], space: LabelSpace) -> tuple[float, float] | None:
    """How blue the sky and the vegetation of a picture are: (blue - red) / mean of their median colours.

    Args:
        render: (h, w, 3) uint8 RGB.
        label_map: (h, w) class ids.
        space: of the ids.

    Returns:
        of the sky and of vegetation, negative for reddish ones; None where the picture has too little of either.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> render = np.array([[[90, 120, 210], [60, 120, 30]]], np.uint8)  # a blue sky above green leaves
    >>> [round(tint, 2) for tint in measure_tints(render, np.array([[10, 8]]), load_label_space("cityscapes19"))]
    [0.86, -0.43]
    """
    if render.shape[:2] != label_map.shape:
        return None
    tints = []
    for root in ("sky", "nature"):
        ids = [item.id for item in space.classes if item.concepts[0].split(".")[0] == root]
        mask = np.isin(label_map, ids)
        if mask.mean() < _LEAST_SHARE:
            return None
        red, green, blue = np.median(render[mask], axis=0)
        tints.append(float((blue - red) / max((red + green + blue) / 3, _DARK)))
    return tints[0], tints[1]


def judge_channel_order(looks: Sequence[SampledFrame]) -> list[Problem]:
    """Pictures whose vegetation is blue, and bluer than their sky, as a program makes them that takes BGR for RGB."""
    measured = [(look, *look.tints) for look in looks if look.tints is not None]
    swapped = [look for look, sky, leaves in measured if leaves > max(_BLUE_LEAVES, sky + _LEAD)]
    if len(swapped) < max(_LEAST_MEASURED, _MOST_OF_THEM * len(measured)):
        return []
    paths = tuple(look.frame.render for look in swapped)
    text = (
        f"red and blue look swapped in {len(swapped)} of {len(measured)} pictures that were compared, first "
        f"{paths[0]}: vegetation is blue, and bluer than the sky, as when a program that reads BGR saves RGB; write "
        f"them again with their channels in order, {GO_ON}"
    )
    return [Problem("swapped_channels", text, paths, "error")]
