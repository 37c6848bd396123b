"""Timestamps of frames that are numbered at a steady rate."""

from collections.abc import Sequence

from sflow_pipeline.frames import FrameList, FrameRef, find_runs, get_column, read_rows, with_column
from sflow_pipeline.simulators.frame_table import find_usual_step


def add_timestamps(frames: Sequence[FrameRef], fps: float) -> FrameList:
    """The same frames with ``timestamp_s`` from their numbers; timestamps that are known already stay.

    Frame numbers of a sequence usually differ by the same step, which takes 1 / ``fps`` seconds; a gap is time that
    passed. The origin is frame number 0, so that frames before or after do not change a timestamp.

    Args:
        frames: of a dump, in order.
        fps: frames per second of every sequence.

    >>> from sflow_pipeline.frames import FrameList
    >>> frames = FrameList({"sample_id": ["a/930", "a/960", "a/1020"], "sequence_id": ["a"] * 3, "split": ["train"] * 3,
    ...                     "frame_index": [930, 960, 1020], "render": [""] * 3, "label": [""] * 3})
    >>> [frame.timestamp_s for frame in add_timestamps(frames, fps=1.0)]
    [31.0, 32.0, 34.0]
    """
    numbers, known = get_column(frames, "frame_index"), get_column(frames, "timestamp_s")
    times: list[float] = []
    for rows in find_runs(get_column(frames, "split"), get_column(frames, "sequence_id")):
        listed = read_rows(numbers, rows)
        step_s = 1 / (fps * (find_usual_step(listed) or 1))
        times += [
            round(number * step_s, 9) if timestamp is None else timestamp
            for number, timestamp in zip(listed, read_rows(known, rows), strict=True)
        ]
    return with_column(frames, "timestamp_s", times)
