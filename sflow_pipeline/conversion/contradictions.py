"""Contradictions between the files of a dump, found by a look at a few frames before all of them are converted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.edge_agreement import compare_agreement, find_edges
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.simulators import Dump, Problem
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.image_header import read_palette
from sflow_pipeline.storage.instance_codec import decode_instance, decode_samples

_SAMPLE = 6
#: How many measured frames a verdict about edges needs, how many of them must agree, and by how much.
_LEAST_MEASURED, _MOST_OF_THEM, _BETTER, _UNRELATED = 3, 0.8, 1.15, 0.85
_LEAST_OBJECT_PX, _PART, _ODD_OBJECTS = 30, 0.1, 0.05
#: First part of a concept -> kind; riders and their bicycles, traffic lights and their poles may be one object.
_KINDS = {"human": 1, "vehicle": 1, "construction": 2, "object": 2, "nature": 3, "flat": 4, "sky": 5}
_IGNORE = "or go on all the same with --contradictions ignore"


@dataclass(frozen=True)
class _Look:
    """What one sampled frame shows.

    ``before``, ``after`` and ``flipped`` compare the picture's edges with the borders of its own label and with those
    of the neighbours in its sequence, and of its own one mirrored; None where they cannot be compared.
    """

    frame: FrameRef
    label_map: NDArray[Any]
    before: tuple[float, float] | None
    after: tuple[float, float] | None
    flipped: tuple[float, float] | None


def find_contradictions(dump: Dump, frames: Sequence[FrameRef], *, is_encoding_stated: bool) -> tuple[Problem, ...]:
    """Look at up to 6 frames; ``error``: nearly all of them contradict themselves, and the dump should be refused.

    Args:
        dump: the dump.
        frames: those of it that are to be converted.
        is_encoding_stated: its user says how labels hold ids, so that colours of indexed files do not count.
    """
    looks = list(_look(dump, frames))
    found = [*_judge_edges(looks), *_judge_objects(dump, looks), *_judge_shared_colors(dump, looks)]
    if dump.label_encoding == "ids" and not is_encoding_stated:
        found += _judge_palettes(dump, looks)
    return tuple(found)


def _look(dump: Dump, frames: Sequence[FrameRef]) -> Iterator[_Look]:
    folder = dump.folder

    def read_label(position: int, frame: FrameRef) -> NDArray[Any] | None:
        if not 0 <= position < len(frames) or frames[position].sequence_id != frame.sequence_id:
            return None
        other = frames[position]
        table = folder.read_bytes(other.label_table) if other.label_table else None
        return dump.label_format.read(folder.read_bytes(other.label), table, other.label).label_map

    for position in np.unique(np.linspace(0, len(frames) - 1, _SAMPLE).astype(int)).tolist() if frames else ():
        frame = frames[position]
        try:
            own = read_label(position, frame)
            others = [read_label(position + step, frame) for step in (-1, 1)]
            edges = find_edges(image_codec.decode_rgb(folder.read_bytes(frame.render), name=frame.render))
        except (OSError, FrameError):
            continue  # conversion reports it
        if own is None:
            continue
        others.append(np.ascontiguousarray(own[:, ::-1]))
        compared = [
            None if edges is None or label is None else compare_agreement(edges, own, label) for label in others
        ]
        yield _Look(frame, own, *compared)


def _judge_edges(looks: Sequence[_Look]) -> list[Problem]:
    for name, where in (("before", "one frame earlier"), ("after", "one frame later")):
        shifted = _compare(looks, name, _BETTER)
        if shifted is not None:
            text = (
                f"pictures agree better with the labels of {where}: {shifted.text}; pair each picture with the label "
                f"of its own moment, {_IGNORE}"
            )
            return [Problem("shifted_labels", text, shifted.paths, "error")]
    unrelated = _compare(looks, "flipped", _UNRELATED)
    if unrelated is None:
        return []
    text = (
        f"edges of pictures and labels do not agree, no more than with the labels mirrored: {unrelated.text}; take "
        f"pictures and labels of the same camera and moment, {_IGNORE}"
    )
    return [Problem("unrelated_labels", text, unrelated.paths, "error")]


@dataclass(frozen=True)
class _Verdict:
    text: str
    paths: tuple[str, ...]


def _compare(looks: Sequence[_Look], name: str, factor: float) -> _Verdict | None:
    """A verdict where other labels reach ``factor`` times the agreement of the own ones.

    Neighbours must reach it on most of the frames, mirrored labels (any unrelated ones) in the mean.
    """
    pairs = [(look.frame.label, *value) for look in looks if (value := getattr(look, name)) is not None]
    if len(pairs) < _LEAST_MEASURED:
        return None
    own, other = (float(np.mean([pair[i] for pair in pairs])) for i in (1, 2))
    better = [pair[0] for pair in pairs if pair[2] > factor * pair[1]]
    if other <= factor * own or (name != "flipped" and len(better) < _MOST_OF_THEM * len(pairs)):
        return None
    text = (
        f"edges are {other:.2f} times as strong as on average on the borders of those labels, and {own:.2f} times on "
        f"those of their own, on {len(better)} of {len(pairs)} frames that were compared, first {better[0]}"
    )
    return _Verdict(text, tuple(better))


def _judge_objects(dump: Dump, looks: Sequence[_Look]) -> list[Problem]:
    """Objects whose pixels are partly of another kind of class: part vehicle, part wall."""
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
        if numbers.shape != look.label_map.shape:
            continue
        known, positions = np.unique(numbers, return_inverse=True)
        width = max(_KINDS.values()) + 1
        counts = np.bincount(positions.ravel() * width + kinds[look.label_map].ravel(), minlength=width * len(known))
        pixels = counts.reshape(-1, width)[:, 1:]
        is_object = (known > 0) & (pixels.sum(axis=1) >= _LEAST_OBJECT_PX)
        is_odd = is_object & ((pixels >= _PART * np.maximum(1, pixels.sum(axis=1, keepdims=True))).sum(axis=1) > 1)
        objects += int(is_object.sum())
        odd += [look.frame.label] * int(is_odd.sum())
    if not odd or len(odd) < _ODD_OBJECTS * objects:
        return []
    text = (
        f"{len(odd)} of {objects} objects are of several classes that do not go together, as part vehicle and part "
        f"wall, first in {odd[0]}: the labels or the instances are damaged there"
    )
    return [Problem("mixed_objects", text, tuple(dict.fromkeys(odd)), "warning")]


def _read_numbers(dump: Dump, frame: FrameRef) -> NDArray[np.int64]:
    """(h, w) numbers that tell objects apart, whatever class the file says they have."""
    path = str(frame.instance)
    data = dump.folder.read_bytes(path)
    if dump.instance_encoding != "class_in_red":
        return decode_instance(data, name=path)
    samples = decode_samples(data, name=path).astype(np.int64)
    return np.asarray(samples[..., 1] | samples[..., 2] << 8) if samples.ndim == 3 else samples


def _judge_shared_colors(dump: Dump, looks: Sequence[_Look]) -> list[Problem]:
    """Colours that two classes of the label space have: the first one is read."""
    if dump.label_encoding != "palette":
        return []
    owners: dict[tuple[int, int, int], list[str]] = {}
    ids: dict[tuple[int, int, int], int] = {}
    for item in dump.label_format.space.classes:
        for color in {item.color, *item.also_colors} if not item.derived else ():
            owners.setdefault(color, []).append(item.name)
            ids.setdefault(color, item.id)
    for color, names in owners.items():
        share = float(np.mean([(look.label_map == ids[color]).mean() for look in looks])) if looks else 0.0
        if len(names) > 1 and share > 0:
            text = (
                f"classes {' and '.join(names)} have the same colour {color} in the label space: {share:.2%} of the "
                f"pixels are read as {names[0]}; give each class a colour of its own"
            )
            return [Problem("shared_color", text, (looks[0].frame.label,), "warning")]
    return []


def _judge_palettes(dump: Dump, looks: Sequence[_Look]) -> list[Problem]:
    """Indexed files whose colours are those of other classes than their indices."""
    id_of_color = _list_colors(dump.label_format.space)
    files, shares, example = [], [], ""
    for look in looks:
        try:
            palette = read_palette(dump.folder.read_bytes(look.frame.label))
        except OSError:
            continue
        ids, counts = np.unique(look.label_map, return_counts=True)
        meant = {i: id_of_color.get(palette[i]) for i in ids.tolist() if i < len(palette)}
        known = {i: other for i, other in meant.items() if other is not None}
        wrong = {i: other for i, other in known.items() if i not in other}
        share = sum(int(n) for i, n in zip(ids.tolist(), counts, strict=True) if i in wrong) / look.label_map.size
        if wrong and len(known) == len(meant) and share > _PART:
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
