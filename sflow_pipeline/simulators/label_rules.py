"""Label rules: corrections of the model's input, by name; label files are never changed by them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Ids that ``split_untagged`` writes; they are the derived classes of label space carla-0.9.9.
SKY_ID, TERRAIN_ID = 13, 22
_ROAD_ID, _SIDEWALK_ID = 7, 8


def split_untagged(label_map: NDArray[Any]) -> NDArray[Any]:
    """Rule ``sky_touches_top``: split CARLA's tag 0 before 0.9.10 into sky and terrain.

    A connected region of tag 0 that touches the top border is sky; so is one that ends above the highest row of
    road or sidewalk, which is sky between leaves. The others are lawns and other untagged ground.

    Args:
        label_map: (h, w) uint8 or uint16 ids of label space carla-0.9.9.

    Returns:
        (h, w) ids, the same type: tag 0 replaced by ``SKY_ID`` or ``TERRAIN_ID``.

    >>> split_untagged(np.array([[0, 0, 9], [9, 9, 0], [7, 0, 7], [0, 7, 7]], np.uint8)).tolist()
    [[13, 13, 9], [9, 9, 13], [7, 13, 7], [13, 7, 7]]
    >>> split_untagged(np.array([[0, 0, 9], [9, 9, 9], [7, 0, 7], [0, 7, 7]], np.uint8)).tolist()
    [[13, 13, 9], [9, 9, 9], [7, 22, 7], [22, 7, 7]]
    """
    import cv2

    untagged = label_map == 0
    _, regions, stats, _ = cv2.connectedComponentsWithStats(untagged.view(np.uint8), connectivity=8)
    paved_rows = np.flatnonzero(((label_map == _ROAD_ID) | (label_map == _SIDEWALK_ID)).any(axis=1))
    horizon = int(paved_rows[0]) if len(paved_rows) else 0
    ends = stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT]
    is_sky = (stats[:, cv2.CC_STAT_TOP] == 0) | (ends <= horizon)
    new_ids = np.where(is_sky, SKY_ID, TERRAIN_ID).astype(label_map.dtype)
    return np.where(untagged, new_ids[regions], label_map)


#: Rule name, as manifests state it -> (h, w) ids in, (h, w) ids out.
LABEL_RULES: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {"sky_touches_top": split_untagged}
#: Rule name -> ids that it leaves nowhere, so that they say nothing about what the model gets.
REPLACED_IDS: Mapping[str, frozenset[int]] = {"sky_touches_top": frozenset({0})}
#: Label space -> the rule for its labels, in whatever layout they are.
RULE_OF_SPACE: Mapping[str, str] = {"carla-0.9.9": "sky_touches_top"}
