"""Two drives as videos: a picture video, and a label video in a lossless codec."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES = 6


def write(root: Path) -> None:
    """Drives a and b, 5 frames a second; the label's columns move on by one class from frame to frame."""
    (root / "b").mkdir(parents=True)
    for stem in ("a_", "b/"):
        write_video(root / f"{stem}rgb.mp4", [picture(i) for i in range(FRAMES)], "mpeg4", "yuv420p")
        write_video(root / f"{stem}semantic.mkv", [label(i) for i in range(FRAMES)], "ffv1", "gray")
    write_video(root / "preview.mp4", [picture(0)], "mpeg4", "yuv420p")
    (root / "dataset.yaml").write_text("label_space: camvid11\n")


def picture(frame: int) -> np.ndarray:
    ramp = np.arange(64, dtype=np.uint8)[None, :, None] // 2
    return np.asarray(np.broadcast_to(ramp + np.uint8(30 * frame), (64, 64, 3)))


def label(frame: int) -> np.ndarray:
    return ((np.arange(64, dtype=np.uint8) // 16 + frame) % 11)[None].repeat(64, 0)


def write_video(
    path: Path, frames: list[np.ndarray], codec: str, pix_fmt: str, times: Sequence[int] | None = None
) -> None:
    """Frames at 5 a second, one after the other, or at these multiples of a fifth of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(5))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray" if pixels.ndim == 2 else "rgb24")
            frame.pts, frame.time_base = times[number] if times else number, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
