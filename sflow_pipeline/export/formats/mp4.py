"""Videos to look at: one H.264 file for each sequence and variant, frames at their own times."""

from contextlib import ExitStack
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.export.destination import Destination
from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.storage.image_codec import decode_rgb

NAME = "mp4"
LAYOUT = "<split>/<sequence>.mp4, the pictures alone; needs the extra `video`"

_DEFAULT_FPS = 10.0
#: Constant quality of x264; 18 is taken for visually lossless.
_QUALITY = "18"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. A frame that is missing from a sequence leaves its time to the one before.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    av = _import_av()
    fps = task.fps or task.contents.fps or _DEFAULT_FPS
    rows = 0
    sequence: tuple[str, str] | None = None
    with ExitStack() as stack:
        videos: dict[int, _Video] = {}
        for row in task.rows:
            if (row.split, row.sequence_id) != sequence:
                stack.pop_all().close()
                sequence, videos = (row.split, row.sequence_id), {}
            if row.variant not in videos:
                variant = f"_v{row.variant}" if row.variant else ""
                path = f"{row.split}/{row.sequence_id}{variant}.mp4"
                videos[row.variant] = _Video(av, task.dest, path, fps, row.frame_index)
                stack.callback(videos[row.variant].close)
            videos[row.variant].add(decode_rgb(row.require_file("image"), name=row.sample_id), row.frame_index)
            rows += 1
    stated = task.fps or task.contents.fps
    notes = () if stated else (f"the frame rate is unknown: {fps:g} frames per second are used; see --fps",)
    return Outcome(rows, "none: videos hold pictures alone", notes)


class _Video:
    """One file in the making."""

    def __init__(self, av: ModuleType, dest: Destination, path: str, fps: float, first_index: int) -> None:
        self._av = av
        self._dest = dest
        self._path = path
        self._first_index = first_index
        self._shape: tuple[int, ...] | None = None
        self._rate = Fraction(fps).limit_denominator(1001)
        target = str(dest.locate(path))
        with dest.translate_errors(path):
            self._container: Any = av.open(target, "w", format="mp4")
        self._stream: Any = self._container.add_stream("libx264", rate=self._rate)

    def add(self, photo: NDArray[np.uint8], frame_index: int) -> None:
        if self._shape is None:
            self._shape = photo.shape
            # 4:2:0 colour wants even sides: an odd one is continued by a pixel.
            self._stream.height, self._stream.width = (side + side % 2 for side in photo.shape[:2])
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": _QUALITY}
        elif photo.shape != self._shape:
            raise UsageError(
                f"{self._path}: frame {frame_index} has {photo.shape[1]}x{photo.shape[0]} pixels, the first "
                f"{self._shape[1]}x{self._shape[0]}",
                hint="convert with --size to give all frames one size",
            )
        height, width = photo.shape[:2]
        padded = np.pad(photo, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        frame.pts = frame_index - self._first_index
        frame.time_base = 1 / self._rate
        with self._dest.translate_errors(self._path):
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        with self._dest.translate_errors(self._path):
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._dest.add_written(self._path)


def _import_av() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            f"--to mp4 needs PyAV, which is not installed ({error})", hint="pip install 'sflow-pipeline[video]'"
        ) from error
    return av
