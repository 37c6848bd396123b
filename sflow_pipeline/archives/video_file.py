"""Videos as folders of PNG frames, ``000000.png`` and so on."""

from bisect import bisect_right
from collections import OrderedDict
from threading import Lock
from typing import Any

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive
from sflow_pipeline.archives.png import encode_png
from sflow_pipeline.untrusted.limits import PIXELS_VARIABLE, read_limits

#: Codecs that give back what was put in, if the pixel format does.
_EXACT_CODECS = frozenset({"ffv1", "png", "apng", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "qtrle", "magicyuv"})
_EXACT_FORMATS = frozenset(
    {"gray", "gray16le", "rgb24", "bgr24", "gbrp", "rgba", "bgra", "bgr0", "rgb0", "0rgb", "pal8"}
)
#: Readers ask for frames nearly, not exactly, in order: so many stay at hand.
_KEPT_FRAMES = 24


def open_video(path: str, mtime_ns: int) -> Archive:
    """Open a video; grey ones have grey frames, others RGB.

    Raises:
        ArchiveError: it is damaged or holds no pictures, or PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise ArchiveError(0, "videos need PyAV: pip install 'sflow-pipeline[video]'") from error
    try:
        frames = _Frames(path)
    except (av.FFmpegError, IndexError, ValueError, MemoryError) as error:
        raise ArchiveError(0, f"not a whole video ({error}); copy it again") from error
    names = {f"{number:06}.png": number for number in range(len(frames.times))}

    def read(name: str) -> bytes:
        try:
            return frames.read(names[name])
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise ArchiveError(0, f"{name} is damaged ({error}); copy the video again") from error

    marks = dict.fromkeys(names, mtime_ns)
    return build_archive(
        marks, {}, read, fps=frames.fps, changes_values=frames.changes_values, times_s=frames.times_s,
        start_s=frames.start_s, lost_frames=frames.lost,
    )  # fmt: skip


class _Frames:
    """The frames of a video by number; reading on is quick, jumping goes back to the key frame before."""

    def __init__(self, path: str) -> None:
        import av

        self._lock = Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._container = av.open(path)
        stream = self._stream = self._container.streams.video[0]
        limit = read_limits().pixels
        if stream.codec_context is None:
            raise ValueError("no decoder for its codec")
        if stream.codec_context.width * stream.codec_context.height > limit:
            size = f"{stream.codec_context.width}x{stream.codec_context.height}"
            raise ArchiveError(0, f"its pictures have {size} pixels, more than {limit}; set {PIXELS_VARIABLE}")
        stream.thread_type = "AUTO"
        packets = [
            (packet.pts, packet.is_keyframe) for packet in self._container.demux(stream) if packet.pts is not None
        ]
        self.times: list[int] = sorted(time for time, _ in packets)
        self.lost = max(0, stream.frames - len(self.times))
        self._keys = sorted(time for time, is_key in packets if is_key)
        unit = float(stream.time_base or 0)
        self.times_s = tuple((time - self.times[0]) * unit for time in self.times)
        self.start_s = self.times[0] * unit
        self.fps = float(stream.average_rate) if stream.average_rate else None
        codec, pixels = stream.codec_context.name, str(stream.codec_context.pix_fmt)
        is_exact = codec in _EXACT_CODECS and pixels in _EXACT_FORMATS
        self.changes_values = "" if is_exact else f"{codec} in {pixels}"
        self._format = pixels if pixels in ("gray", "gray16le") else "rgb24"
        self._decoder: Any = None
        self._next = 0

    def read(self, number: int) -> bytes:
        """A frame as PNG."""
        with self._lock:
            if number not in self._kept:
                self._decode_to(number)
            return self._kept[number]

    def _decode_to(self, number: int) -> None:
        time = self.times[number]
        key = self._keys[max(bisect_right(self._keys, time) - 1, 0)] if self._keys else self.times[0]
        is_ahead = self._decoder is not None and self._next <= number and self.times[self._next] >= key
        if not is_ahead:
            self._container.seek(key, stream=self._stream)
            self._decoder = self._container.decode(self._stream)
        for frame in self._decoder:
            if frame.pts is None:
                raise ValueError("a frame without a time")
            found = bisect_right(self.times, frame.pts) - 1
            self._next = min(found + 1, len(self.times) - 1)
            self._keep(found, encode_png(frame.to_ndarray(format=self._format)))
            if found >= number:
                break
        if number not in self._kept:
            self._decoder = None
            raise ArchiveError(0, f"frame {number} cannot be decoded; copy the video again")

    def _keep(self, number: int, data: bytes) -> None:
        self._kept[number] = data
        self._kept.move_to_end(number)
        while len(self._kept) > _KEPT_FRAMES:
            self._kept.popitem(last=False)
