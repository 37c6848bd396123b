"""Videos to look at: one H.264 file for each sequence and variant, frames at their own times."""

from contextlib import ExitStack
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.export.destination import Destination
from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.video_writer import VideoWriter, import_av

NAME = "mp4"
LAYOUT = "<split>/<sequence>.mp4, the pictures alone; needs the extra `video`"

_DEFAULT_FPS = 10.0


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. A frame that is missing from a sequence leaves its time to the one before.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    av = import_av("--to mp4")
    fps = task.fps or task.contents.fps or _DEFAULT_FPS
    steps = task.contents.find_steps()
    rows = 0
    sequence: tuple[str, str] | None = None
    with ExitStack() as stack:
        videos: dict[int, _Video] = {}
        for row in task.rows:
            if (row.split, row.sequence_id) != sequence:
                stack.pop_all().close()
                sequence, videos = (row.split, row.sequence_id), {}
            if row.variant not in videos:
                path = f"{row.split}/{row.variant_sequence}.mp4"
                step = steps.get(row.sequence_id, 1)
                videos[row.variant] = _Video(av, task.dest, path, fps, row.frame_index, step)
                stack.callback(videos[row.variant].close)
            videos[row.variant].add(decode_rgb(row.require_file("image"), name=row.sample_id), row.frame_index)
            rows += 1
    stated = task.fps or task.contents.fps
    notes = () if stated else (f"the frame rate is unknown: {fps:g} frames per second are used; see --fps",)
    return Outcome(rows, "none: videos hold pictures alone", notes)


class _Video:
    """One file in the making."""

    def __init__(self, av: ModuleType, dest: Destination, path: str, fps: float, first_index: int, step: int) -> None:
        self._dest = dest
        self._path = path
        self._first_index = first_index
        self._step = step
        target = dest.locate(path)
        with dest.translate_errors(path):
            self._writer = VideoWriter(av, target, fps)

    def add(self, photo: NDArray[np.uint8], frame_index: int) -> None:
        shape = self._writer.shape
        if shape is not None and photo.shape != shape:
            raise UsageError(
                f"{self._path}: frame {frame_index} has {photo.shape[1]}x{photo.shape[0]} pixels, the first "
                f"{shape[1]}x{shape[0]}",
                hint="convert with --size to give all frames one size",
            )
        with self._dest.translate_errors(self._path):
            self._writer.add(photo, (frame_index - self._first_index) // self._step)

    def close(self) -> None:
        with self._dest.translate_errors(self._path):
            self._writer.close()
        self._dest.add_written(self._path)
