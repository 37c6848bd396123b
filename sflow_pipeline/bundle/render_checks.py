"""Checks of an image against the render that it follows."""

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from sflow_pipeline.bundle.label_agreement import Agreement, ReducedPair
from sflow_pipeline.bundle.label_likelihood import find_largest_mean
from sflow_pipeline.bundle.structure import check_structure

#: How far regions of void may differ between image and render, as a share of the height.
_NEAR = 1 / 24


def check_against_render(
    image: Agreement, render: Agreement, followed: NDArray[np.uint8], pair: ReducedPair, void_channel: int | None
) -> Mapping[str, float]:
    """The checks of ``structure``, and ``blank`` relative to the render, in place of that of the image alone.

    Args:
        image, render: what the segmenter says of both.
        followed: (h, w, 3) the picture whose detail the image follows, at the working size.
        pair: the image and its label, at the working size.
    """
    return {**check_structure(followed, *pair, void_channel), "blank": compare_blank(image.void, render.void)}


def compare_blank(image: Float[NDArray[np.float32], "h w"], render: Float[NDArray[np.float32], "h w"]) -> float:
    """Minus the mean by which void is more probable in the image than in the render, in the window with most of it.

    What is blank in the render within a short distance counts, because the segmenter ends regions of void differently.
    Large plain panels of flat simulators are blank to the segmenter, and are the same in images that follow them.

    >>> panel = np.zeros((24, 32), np.float32); panel[4:12, 4:12] = 0.5
    >>> compare_blank(panel, panel), compare_blank(panel, 0 * panel)
    (0.0, -0.5)
    """
    side = 2 * round(_NEAR * render.shape[0]) + 1
    gained = np.maximum(image - cv2.dilate(render, np.ones((side, side), np.uint8)), 0)
    return 0.0 - float(find_largest_mean(torch.from_numpy(gained)[None]))
