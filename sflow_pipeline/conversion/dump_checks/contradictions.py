"""Contradictions between the files of a dump, found by a look at a few frames before all of them are converted."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.conversion.dump_checks.blended_labels import judge_blending
from sflow_pipeline.conversion.dump_checks.channel_order import judge_channel_order, measure_tints
from sflow_pipeline.conversion.dump_checks.edge_agreement import compare_agreement, find_edges
from sflow_pipeline.conversion.dump_checks.frozen_files import judge_frozen
from sflow_pipeline.conversion.dump_checks.label_contradictions import (
    judge_objects,
    judge_palettes,
    judge_shared_colors,
)
from sflow_pipeline.conversion.dump_checks.label_space_doubt import judge_label_space
from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.conversion.frame_content import has_one_color
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators import Dump, Problem
from sflow_pipeline.storage import image_codec

#: Kinds of problems that this module finds; files of a dump that are left out have others.
CONTRADICTIONS = (
    "shifted_labels", "unrelated_labels", "swapped_channels", "mixed_objects", "shared_color", "contradicting_palette",
    "blended_labels", "doubtful_label_space", "frozen_pictures", "frozen_labels",
)  # fmt: skip
_SAMPLE = 6
#: How many measured frames a verdict about edges needs, how many of them must agree, and by how much.
_LEAST_MEASURED, _MOST_OF_THEM, _BETTER, _UNRELATED = 3, 0.8, 1.15, 0.85


def find_contradictions(
    dump: Dump, frames: Sequence[FrameRef], *, is_encoding_stated: bool, is_space_stated: bool
) -> tuple[Problem, ...]:
    """Look at up to 6 frames; ``error``: nearly all of them contradict themselves, and the dump should be refused.

    Args:
        dump: the dump.
        frames: those of it that are to be converted.
        is_encoding_stated: its user says how labels hold ids, so that colours of indexed files do not count.
        is_space_stated: its user says which label space they follow.
    """
    looks = list(_look(dump, frames))
    found = [*_judge_edges(looks), *judge_channel_order(looks)]
    found += [*judge_objects(dump, looks), *judge_shared_colors(dump, looks)]
    found += [*judge_blending(dump, looks), *judge_frozen(looks)]
    found += judge_label_space(dump, looks, is_stated=is_space_stated)
    if dump.label_encoding == "ids" and not is_encoding_stated:
        found += judge_palettes(dump, looks)
    return tuple(found)


def _look(dump: Dump, frames: Sequence[FrameRef]) -> Iterator[SampledFrame]:
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
            render = (
                image_codec.decode_rgb(folder.read_bytes(frame.render), name=frame.render) if frame.render else None
            )
        except (OSError, FrameError):
            continue  # conversion reports it
        if own is None:
            continue
        edges = None if render is None else find_edges(render)
        others.append(np.ascontiguousarray(own[:, ::-1]))
        before, after, flipped = (
            None if edges is None or label is None else compare_agreement(edges, own, label) for label in others
        )
        shown = "" if render is None or has_one_color(render) else hashlib.sha256(render.tobytes()).hexdigest()
        tints = None if render is None else measure_tints(render, own, dump.label_format.space)
        yield SampledFrame(frame, own, tints, before, after, flipped, shown)


def _judge_edges(looks: Sequence[SampledFrame]) -> list[Problem]:
    for name, where in (("before", "one frame earlier"), ("after", "one frame later")):
        shifted = _compare(looks, name, _BETTER)
        if shifted is not None:
            text = (
                f"pictures agree better with the labels of {where}: {shifted.text}; pair each picture with the label "
                f"of its own moment, {GO_ON}"
            )
            return [Problem("shifted_labels", text, shifted.paths, "error")]
    unrelated = _compare(looks, "flipped", _UNRELATED)
    if unrelated is None:
        return []
    text = (
        f"edges of pictures and labels do not agree, no more than with the labels mirrored: {unrelated.text}; take "
        f"pictures and labels of the same camera and moment, {GO_ON}"
    )
    return [Problem("unrelated_labels", text, unrelated.paths, "error")]


@dataclass(frozen=True)
class _Verdict:
    text: str
    paths: tuple[str, ...]


def _compare(looks: Sequence[SampledFrame], name: str, factor: float) -> _Verdict | None:
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
