"""Writing of H.264 videos with PyAV: pictures at positions of a steady rate."""

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import MissingExtraError

#: Constant quality of x264; 18 is taken for visually lossless.
_QUALITY = "18"
#: Lower rates have no fraction that players know.
MIN_FPS = 0.001


def import_av(purpose: str) -> ModuleType:
    """PyAV.

    Raises:
        MissingExtraError: it is not installed; names ``purpose``.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs PyAV, which is not installed ({error})", hint="pip install 'sflow-pipeline[video]'"
        ) from error
    return av


class VideoWriter:
    """One mp4 file in the making.

    Args:
        av: PyAV, see ``import_av``.
        path: of the file.
        fps: positions per second.
    """

    def __init__(self, av: ModuleType, path: Path, fps: float) -> None:
        self._av = av
        self.shape: tuple[int, ...] | None = None
        self._next_position = 0
        self._rate = Fraction(fps).limit_denominator(1001)
        self._container: Any = av.open(str(path), "w", format="mp4")
        self._stream: Any = self._container.add_stream("libx264", rate=self._rate)

    def add(self, picture: NDArray[np.uint8], position: int) -> None:
        """Add a (h, w, 3) uint8 RGB picture, which stays until the position of the next one.

        A position that is taken already, as of frames numbered unevenly, becomes the one after the last picture's.
        """
        position = max(position, self._next_position)
        self._next_position = position + 1
        if self.shape is None:
            self.shape = picture.shape
            # 4:2:0 colour wants even sides: an odd one is continued by a pixel.
            self._stream.height, self._stream.width = (side + side % 2 for side in picture.shape[:2])
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": _QUALITY}
        height, width = picture.shape[:2]
        padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        frame.pts = position
        frame.time_base = 1 / self._rate
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self.shape is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
