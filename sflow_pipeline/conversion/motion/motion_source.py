"""Motion of a dump's frames for smoothing: which files state it, and whether it agrees with the pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.motion.smoothing import REACH
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators import Dump
from sflow_pipeline.simulators.frame_table import find_gaps, find_steps
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.flow_codec import decode_motion

#: Pairs of frames that are compared along their flow before a conversion starts, at most.
_TRIED = 24
_WITHOUT = "or convert with --smooth 0"


@dataclass(frozen=True)
class MotionSource:
    """How far images are smoothed, and the files that say how frames move.

    Attributes:
        files: columns: ``flow``, and ``occlusion`` where the dump has it; none where the motion is measured in the
            rendered frames.
        simulator: layout of the dump, which decides the unit of flow in pictures.
        share: of neighbours' images, 0 to 1, see ``blend``.
        reach: frames on each side that are blended, which decides bytes.
    """

    files: tuple[str, ...]
    simulator: str
    share: float = 1.0
    reach: int = REACH

    @property
    def is_measured(self) -> bool:
        """Whether the motion is measured, because the dump states none."""
        return not self.files

    def decode(self, data: Mapping[str, bytes], ref: FrameRef, shape: tuple[int, int]) -> NDArray[np.float32] | None:
        """(h, w, 2) px from a frame to the next one, NaN where it is not known or the surface is hidden there.

        Args:
            data: the frame's files by column.
            ref: the frame.
            shape: (height, width) of its picture.

        Returns:
            None for a frame without a flow file.

        Raises:
            FrameError: a file cannot be decoded, or is of another size.
        """
        if "flow" not in data:
            return None
        is_png = (ref.occlusion or "").lower().endswith(".png")
        return decode_motion(
            data["flow"], str(ref.flow), self.simulator, data.get("occlusion") if is_png else None, shape
        )


def find_motion(
    job: ConvertJob, dump: Dump, frames: Sequence[FrameRef], source: Folder, *, shows_scene: bool = True
) -> tuple[MotionSource | None, list[str]]:
    """How far images are smoothed and what says how frames move, and warnings about it; None where nothing is smoothed.

    Where the job leaves it open, images are smoothed along the simulator's flow, where that fits the pictures.
    ``shows_scene``: most pictures are not of one colour.

    Raises:
        UsageError: the job asks for it and nothing can be smoothed: no pictures, no consecutive frames, flow that
            cannot be read or that has no values, or flow that does not lead from a frame to the next one.
    """
    is_open, has_flow = job.smooth is None, "flow" in dump.modalities
    if job.smooth == 0 or (is_open and not has_flow):
        return None, []
    share = 1.0 if job.smooth is None else job.smooth
    if "render" not in dump.modalities or not shows_scene:
        lacks = "has no pictures" if "render" not in dump.modalities else "has pictures that show nothing"
        lacks += ", whose light says where flow can be followed"
        if is_open:
            return None, [f"images of sequences are not smoothed: the dump {lacks}"]
        raise UsageError(
            f"smooth {share:g}: dump {job.sim_dir} {lacks}", hint=_WITHOUT.removeprefix("or "), fields=("smooth",)
        )
    pairs, gaps, without = _find_pairs(frames, needs_flow=has_flow)
    if not pairs and is_open:
        return None, []
    if not pairs:
        raise UsageError(
            f"smooth {share:g}: dump {job.sim_dir} has no two consecutive frames in any sequence"
            f"{' of which the first has flow' * has_flow}",
            hint=f"put the frames of a drive into one sequence, numbered in order, {_WITHOUT}",
            fields=("smooth",),
        )
    names = ("flow", "occlusion") if has_flow else ()
    motion = MotionSource(tuple(name for name in names if name in dump.modalities), dump.simulator, share)
    warnings = []
    if has_flow:
        try:
            _check_pairs(pairs, motion, source, job.sim_dir)
        except UsageError as error:
            if not is_open:
                raise
            return None, [f"images of sequences are not smoothed: {error}; {error.hint}"]
    else:
        warnings.append("the dump has no flow: images are smoothed along the motion measured in its pictures")
    if gaps:
        warnings.append(f"{gaps} gaps in the numbers of frames: smoothing starts anew after each")
    if without:
        warnings.append(f"{without} frames that another one follows have no flow: smoothing starts anew after each")
    return motion, warnings


def describe_order(bundle: str, frames: Sequence[FrameRef]) -> list[str]:
    """Warnings about a conversion with a bundle that paints each frame from the image before it."""
    pairs = gaps = 0
    for _, numbers, step in _list_numbers(frames):
        gaps += len(find_gaps(numbers, step))
        pairs += sum(later - earlier == step for earlier, later in pairwise(numbers))
    if not pairs:
        return [f"bundle {bundle} paints from the image before, and no sequence has two consecutive frames"]
    begins = f"{gaps} gaps in the numbers of frames: after each, an image is painted without the one before"
    return [begins] if gaps else []


def _list_numbers(frames: Sequence[FrameRef]) -> Iterator[tuple[list[FrameRef], list[int], int]]:
    """The frames of each sequence in a split, their numbers, and the sequence's step over all splits."""
    steps = find_steps((frame.sequence_id, frame.frame_index) for frame in frames)
    ordered = sorted(frames, key=lambda frame: (frame.split, frame.sequence_id, frame.frame_index))
    for (_, sequence_id), group in groupby(ordered, key=lambda frame: (frame.split, frame.sequence_id)):
        sequence = list(group)
        yield sequence, [frame.frame_index for frame in sequence], steps[sequence_id]


def _find_pairs(frames: Sequence[FrameRef], *, needs_flow: bool) -> tuple[list[tuple[FrameRef, FrameRef]], int, int]:
    """Consecutive frames, of which the first has flow, the number of gaps, and of followed frames without flow."""
    pairs = []
    gaps = without = 0
    for sequence, numbers, step in _list_numbers(frames):
        gaps += len(find_gaps(numbers, step))
        for earlier, later in pairwise(sequence):
            if later.frame_index - earlier.frame_index == step:
                lacks_flow = needs_flow and earlier.flow is None
                without += lacks_flow
                pairs += [(earlier, later)] * (not lacks_flow)
    return pairs, gaps, without


def _check_pairs(
    pairs: Sequence[tuple[FrameRef, FrameRef]], motion: MotionSource, source: Folder, sim_dir: str
) -> None:
    from sflow_pipeline.networks.motion.motion_check import (
        MotionCheck,  # with torch, which verify and listings do without
    )

    check = MotionCheck(f"dump {sim_dir}")
    first_error: FrameError | OSError | None = None
    is_known = False
    positions = np.unique(np.linspace(0, len(pairs) - 1, min(_TRIED, len(pairs))).round().astype(int))
    for earlier, later in (pairs[int(i)] for i in positions):
        if check.is_full:
            break
        try:
            before, after = (
                image_codec.decode_rgb(source.read_bytes(frame.render), name=frame.render) for frame in (earlier, later)
            )
            if before.shape != after.shape:
                continue
            files = {name: source.read_bytes(path) for name in motion.files if (path := getattr(earlier, name))}
            flow = motion.decode(files, earlier, before.shape[:2])
        except (FrameError, OSError) as error:
            first_error = first_error or error
            continue
        if flow is not None and np.isfinite(flow).any():
            is_known = True
            check.add(before, after, flow)
    if not is_known and first_error is not None:
        raise UsageError(
            f"dump {sim_dir}: the flow of none of {len(positions)} frames that were tried can be used: {first_error}",
            hint=f"{getattr(first_error, 'hint', '') or 'check the flow files'}, {_WITHOUT}",
        )
    if not is_known:
        raise UsageError(
            f"dump {sim_dir}: flow has no value on any pixel of {len(positions)} frames that were tried",
            hint=f"check what the simulator writes (NaN, or valid = 0 in KITTI's PNG, means unknown), {_WITHOUT}",
        )
    check.finish()
