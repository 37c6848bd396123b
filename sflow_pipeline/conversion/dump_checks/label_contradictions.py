"""Contradictions within labels: objects of several classes, colours of two classes, colours against ids."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import LabelClass, LabelSpace
from sflow_pipeline.simulators import Dump, Problem
from sflow_pipeline.simulators.dump import Severity
from sflow_pipeline.simulators.instance_encoding import split_instance_map
from sflow_pipeline.storage.image_header import read_palette
from sflow_pipeline.storage.instance_codec import decode_samples

#: An object has so many pixels or more, and at most such a share of the picture: what is larger is the background.
_LEAST_OBJECT_PX, _LARGEST_OBJECT = 30, 1 / 3
#: A kind of class counts from this share of an object or picture up.
_PART = 0.1
#: Share of odd objects from which they are named, and from which (and from how many) they stop a conversion.
_ODD_NAMED, _ODD_REFUSED, _LEAST_REFUSED = 0.05, 0.1, 2
#: Indexed labels are judged where their colours are classes' on this share of the pixels.
_KNOWN_COLORS = 0.9
#: A colour of two classes that mean different things stops a conversion from this share of the pixels.
_SHARED = 0.01
#: First part of a concept -> kind; riders and their bicycles, traffic lights and their poles may be one object.
_KINDS = {"human": 1, "vehicle": 1, "construction": 2, "object": 2, "nature": 3, "flat": 4, "sky": 5}
#: The palette that many tools write by default, PASCAL VOC's; it says nothing about classes of other sets.
_VOC_COLORS = ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))


def judge_objects(dump: Dump, looks: Sequence[SampledFrame]) -> list[Problem]:
    """Objects whose pixels are partly of another kind of class: part vehicle, part wall.

    ``error`` from a tenth of the objects up.
    """
    kinds = np.zeros(65536, np.int64)  # 0: void or unknown
    for item in dump.label_format.space.classes:
        kinds[item.id] = _KINDS.get(item.concepts[0].partition(".")[0], 0)
    objects, odd = 0, []
    for look in looks:
        if look.frame.instance is None:
            continue
        try:
            numbers = _read_numbers(dump, look.frame)
        except (OSError, FrameError):
            continue
        if numbers.shape == look.label_map.shape:
            counted, mixed = count_mixed(numbers, kinds[look.label_map])
            objects += counted
            odd += [look.frame.label] * mixed
    if not odd or len(odd) < _ODD_NAMED * objects:
        return []
    is_refused = len(odd) >= max(_LEAST_REFUSED, _ODD_REFUSED * objects)
    text = (
        f"{len(odd)} of {objects} objects are of several classes that do not go together, as part vehicle and part "
        f"wall, first in {odd[0]}: the labels or the instances are damaged there"
        + (f"; write them again, {GO_ON}" if is_refused else "")
    )
    severity: Severity = "error" if is_refused else "warning"
    return [Problem("mixed_objects", text, tuple(dict.fromkeys(odd)), severity)]


def count_mixed(numbers: NDArray[np.int64], kinds: NDArray[np.int64]) -> tuple[int, int]:
    """Objects of a frame, and those of them with a part in one piece that is of several kinds.

    Args:
        numbers: (h, w) of objects, 0 for none. Objects of several classes may share a number where they do not touch.
        kinds: (h, w) from 1, 0 for unknown.

    >>> numbers = np.zeros((18, 12), np.int64)
    >>> numbers[:6] = 7  # half of it of one kind, half of another
    >>> count_mixed(numbers, np.array([1, 2]).repeat(6)[None].repeat(18, 0))
    (1, 1)
    """
    known, positions = np.unique(numbers, return_inverse=True)
    width = int(kinds.max()) + 1
    counts = np.bincount(positions.ravel() * width + kinds.ravel(), minlength=width * len(known))
    pixels = counts.reshape(-1, width)[:, 1:]
    sizes = pixels.sum(axis=1)
    is_object = (known > 0) & (sizes >= _LEAST_OBJECT_PX) & (sizes <= _LARGEST_OBJECT * numbers.size)
    mixed = 0
    for position in np.flatnonzero(is_object & _is_mixed(pixels)).tolist():
        mask = (positions.reshape(numbers.shape) == position).astype(np.uint8)
        pieces, labelled = cv2.connectedComponents(mask, connectivity=8)
        counts = np.bincount(labelled.ravel() * width + kinds.ravel(), minlength=width * pieces)
        by_piece = counts.reshape(-1, width)[1:, 1:]
        mixed += bool((_is_mixed(by_piece) & (by_piece.sum(axis=1) >= _LEAST_OBJECT_PX)).any())
    return int(is_object.sum()), mixed


def _is_mixed(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether at least two of (n, kinds) pixel counts are large."""
    return np.asarray((pixels >= _PART * np.maximum(1, pixels.sum(axis=1, keepdims=True))).sum(axis=1) > 1)


def _read_numbers(dump: Dump, frame: FrameRef) -> NDArray[np.int64]:
    """(h, w) numbers that tell objects apart, whatever class the file says they have; 0 for none."""
    path = str(frame.instance)
    ids, numbers = split_instance_map(decode_samples(dump.folder.read_bytes(path), name=path), dump.instance_encoding)
    return np.where(ids > 0, numbers, 0) if dump.instance_encoding == "class_in_red" else ids


def judge_shared_colors(dump: Dump, looks: Sequence[SampledFrame]) -> list[Problem]:
    """Colours that two classes of the label space have: the first one is read.

    ``error`` where they mean different things, as wall and car, from a hundredth of the pixels up.
    """
    if dump.label_encoding != "palette":
        return []
    owners: dict[tuple[int, int, int], list[LabelClass]] = {}
    for item in dump.label_format.space.classes:
        for color in {item.color, *item.also_colors} if not item.derived else ():
            owners.setdefault(color, []).append(item)
    found = []
    for color, items in owners.items():
        share = float(np.mean([(look.label_map == items[0].id).mean() for look in looks])) if looks else 0.0
        if len(items) > 1 and share > 0:
            is_refused = share >= _SHARED and len({item.concepts[0].partition(".")[0] for item in items}) > 1
            text = (
                f"classes {' and '.join(item.name for item in items)} have the same colour {color} in the label space: "
                f"{share:.2%} of the pixels are read as {items[0].name}; give each class a colour of its own"
                + (f", {GO_ON}" if is_refused else "")
            )
            severity: Severity = "error" if is_refused else "warning"
            found.append(Problem("shared_color", text, (looks[0].frame.label,), severity))
    return sorted(found, key=lambda problem: problem.severity)[:1]


def judge_palettes(dump: Dump, looks: Sequence[SampledFrame]) -> list[Problem]:
    """Indexed files whose colours are those of other classes than their indices."""
    id_of_color = _list_colors(dump.label_format.space)
    files, shares, example = [], [], ""
    for look in looks:
        try:
            palette = read_palette(dump.folder.read_bytes(look.frame.label))
        except OSError:
            continue
        if tuple(palette[: len(_VOC_COLORS)]) == _VOC_COLORS:
            continue
        ids, counts = np.unique(look.label_map, return_counts=True)
        shares_of_ids = dict(zip(ids.tolist(), (counts / look.label_map.size).tolist(), strict=True))
        known = {i: id_of_color[palette[i]] for i in shares_of_ids if i < len(palette) and palette[i] in id_of_color}
        wrong = {i: other for i, other in known.items() if i not in other}
        share = sum(shares_of_ids[i] for i in wrong)
        if share > _PART and sum(shares_of_ids[i] for i in known) > _KNOWN_COLORS:
            names = {item.id: item.name for item in dump.label_format.space.classes}
            first = next(iter(wrong))
            example = (
                f"index {first} is {names.get(first, 'no class')} and has the colour of {names[min(wrong[first])]}"
            )
            files.append(look.frame.label)
            shares.append(share)
    if not files:
        return []
    text = (
        f"colours of indexed labels contradict their indices on {np.mean(shares):.0%} of the pixels of {len(files)} of "
        f"{len(looks)} files, first {files[0]}: {example}; say which of them counts with --label-encoding palette "
        "(colours) or --label-encoding ids (indices)"
    )
    return [Problem("contradicting_palette", text, tuple(files), "error")]


def _list_colors(space: LabelSpace) -> dict[tuple[int, int, int], set[int]]:
    colors: dict[tuple[int, int, int], set[int]] = {}
    for item in space.classes:
        for color in (item.color, *item.also_colors):
            colors.setdefault(color, set()).add(item.id)
    return colors
