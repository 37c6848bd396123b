"""Planted errors: changes that make a labelled photo and its label disagree, to measure what a gate detects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelSpace

#: A class counts as large from this share of the pixels.
_LARGE = 0.03
#: Shares of the pixels that an erased or added object may cover.
_OBJECT = (0.002, 0.08)
#: Classes of countable things, by concept.
_THINGS = ("car", "pedestrian", "bicyclist", "sign", "pole", "truck", "bus", "person", "rider", "motorcycle")


@dataclass(frozen=True)
class Pair:
    """A photo (h, w, 3) uint8 RGB and its class indices (h, w) uint8."""

    photo: NDArray[np.uint8]
    class_index: NDArray[np.uint8]


@dataclass(frozen=True)
class PlantedError:
    """One kind of error.

    Attributes:
        name: for tables.
        extent: whether the whole frame, a region or one object is wrong.
        plant: (pair, another pair of the same size, label space, rng) -> the wrong pair; None where the pair offers
            no place for this error, such as a frame without sky.
    """

    name: str
    extent: Literal["frame", "region", "object"]
    plant: Callable[[Pair, Pair, LabelSpace, np.random.Generator], Pair | None]


def _use_label_of_another(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair:  # noqa: ARG001
    return Pair(pair.photo, other.class_index)


def _swap_classes(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair | None:  # noqa: ARG001
    shares = _class_shares(pair, space)
    large = [c for c, share in shares.items() if share >= _LARGE]
    if len(large) < 2:
        return None
    first, second = rng.choice(large, 2, replace=False)
    swapped = pair.class_index.copy()
    swapped[pair.class_index == first] = second
    swapped[pair.class_index == second] = first
    return Pair(pair.photo, swapped)


def _mirror_photo(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair:  # noqa: ARG001
    return Pair(np.ascontiguousarray(pair.photo[:, ::-1]), pair.class_index)


def _shift_label(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair:  # noqa: ARG001
    """16 px to the left or the right; the border repeats."""
    moved = np.arange(pair.class_index.shape[1]) + 16 * int(rng.choice((-1, 1)))
    return Pair(pair.photo, pair.class_index[:, moved.clip(0, len(moved) - 1)])


def _blank_region(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair:  # noqa: ARG001
    rows, columns = _draw_region(pair, rng)
    photo = pair.photo.copy()
    photo[rows, columns] = photo.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return Pair(photo, pair.class_index)


def _paste_region(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair:  # noqa: ARG001
    """A region of the other photo, from another height where there is room."""
    rows, columns = _draw_region(pair, rng)
    source_rows, source_columns = _draw_region(other, rng)
    photo = pair.photo.copy()
    photo[rows, columns] = other.photo[source_rows, source_columns]
    return Pair(photo, pair.class_index)


def _repaint_sky(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair | None:
    """Sky filled with tiles of foliage, from this photo or the other."""
    sky, tree = (_find_channel(space, name) for name in ("sky", "tree"))
    if sky is None or tree is None or (pair.class_index == sky).mean() < _LARGE:
        return None
    tile = next((t for source in (pair, other) if (t := _cut_tile(source, tree, rng)) is not None), None)
    if tile is None:
        return None
    height, width = pair.class_index.shape
    side = len(tile)
    mirrored = np.concatenate([tile, tile[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]], axis=0)
    repeats = (-(-height // (2 * side)), -(-width // (2 * side)), 1)
    filling = np.tile(mirrored, repeats)[:height, :width]
    return Pair(np.where((pair.class_index == sky)[..., None], filling, pair.photo), pair.class_index)


def _erase_object(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair | None:  # noqa: ARG001
    """One object painted over from its surroundings; its label stays."""
    mask = _draw_object(pair, space, rng)
    if mask is None:
        return None
    hole = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    return Pair(np.asarray(cv2.inpaint(pair.photo, hole, 5, cv2.INPAINT_TELEA), np.uint8), pair.class_index)


def _add_object(pair: Pair, other: Pair, space: LabelSpace, rng: np.random.Generator) -> Pair | None:
    """One object of the other photo, at its place there, where the label says something else."""
    mask = _draw_object(other, space, rng)
    if mask is None:
        return None
    channel = other.class_index[mask][0]
    if (pair.class_index[mask] == channel).mean() > 0.1:
        return None
    return Pair(np.where(mask[..., None], other.photo, pair.photo), pair.class_index)


PLANTED_ERRORS = (
    PlantedError("label of another frame", "frame", _use_label_of_another),
    PlantedError("two classes swapped", "frame", _swap_classes),
    PlantedError("mirrored picture", "frame", _mirror_photo),
    PlantedError("label shifted by 16 px", "frame", _shift_label),
    PlantedError("sky repainted as trees", "frame", _repaint_sky),
    PlantedError("blanked region", "region", _blank_region),
    PlantedError("pasted region", "region", _paste_region),
    PlantedError("object erased", "object", _erase_object),
    PlantedError("object added", "object", _add_object),
)


def _class_shares(pair: Pair, space: LabelSpace) -> Mapping[int, float]:
    counts = np.bincount(pair.class_index.ravel(), minlength=space.num_classes)
    return {c: n / pair.class_index.size for c, n in enumerate(counts) if n and c != space.void_channel}


def _find_channel(space: LabelSpace, name: str) -> int | None:
    return next((i for i, entry in enumerate(space.classes) if entry.name == name), None)


def _draw_region(pair: Pair, rng: np.random.Generator) -> tuple[slice, slice]:
    """A rectangle of 3/10 of the width and of the height, anywhere."""
    starts_and_sides = []
    for length in pair.class_index.shape:
        side = round(0.3 * length)
        start = int(rng.integers(0, length - side + 1))
        starts_and_sides.append(slice(start, start + side))
    return starts_and_sides[0], starts_and_sides[1]


def _draw_object(pair: Pair, space: LabelSpace, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """(h, w) mask of one connected region of a countable class; None where there is none of a fitting size."""
    masks = []
    for channel, entry in enumerate(space.classes):
        if entry.name not in _THINGS or channel == space.void_channel:
            continue
        count, regions, facts, _centres = cv2.connectedComponentsWithStats(
            (pair.class_index == channel).astype(np.uint8)
        )
        areas = facts[:, cv2.CC_STAT_AREA] / pair.class_index.size
        masks += [regions == i for i in range(1, count) if _OBJECT[0] <= areas[i] <= _OBJECT[1]]
    return masks[int(rng.integers(len(masks)))] if masks else None


def _cut_tile(pair: Pair, channel: int, rng: np.random.Generator) -> NDArray[np.uint8] | None:
    """A square of one class, 1/10 of the height wide."""
    side = max(4, pair.class_index.shape[0] // 10)
    inside = cv2.erode((pair.class_index == channel).astype(np.uint8), np.ones((side, side), np.uint8))
    rows, columns = np.nonzero(inside[side:-side, side:-side])
    if not len(rows):
        return None
    chosen = int(rng.integers(len(rows)))
    top, left = rows[chosen] + side - side // 2, columns[chosen] + side - side // 2
    return pair.photo[top : top + side, left : left + side]
