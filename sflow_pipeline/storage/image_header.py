"""What an image file says about itself before a pixel is decoded: kind, size, depth, and whether it is whole."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.webp_header import HEAD_BYTES, is_webp, is_webp_whole, read_webp_size_px
from sflow_pipeline.untrusted.limits import PIXELS_VARIABLE, read_limits

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
#: A marker inside entropy-coded data: neither a stuffed byte (00), a restart (D0-D7) nor fill (FF).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_CHUNK_HEAD, _CHECKSUM = struct.Struct(">I4s"), struct.Struct(">I")
_COLOR_TYPE_AT = 25
_PNG_GRAY, _PNG_PALETTE, _PNG_GRAY_ALPHA = 0, 3, 4


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The facts of an image file's header.

    Attributes:
        kind: container.
        width_px, height_px: stored size (an orientation tag is never applied).
        bits: bits per sample.
        channels: samples per pixel as stored; an indexed PNG has one.
        is_indexed: PNG colour type 3, pixels are positions in a palette.
    """

    kind: Literal["png", "jpeg", "webp"]
    width_px: int
    height_px: int
    bits: int
    channels: int
    is_indexed: bool = False

    @property
    def is_exact_as_picture(self) -> bool:
        """Whether libraries for pictures, such as Pillow, decode its very samples: they make 16-bit colour 8-bit, and
        spread grey of fewer than 8 bits to 0 to 255.
        """
        is_wide_color = self.bits == 16 and self.channels > 1
        is_narrow_gray = self.bits < 8 and not self.is_indexed
        return not is_wide_color and not is_narrow_gray


def read_header(data: bytes | memoryview, *, name: str = "image", max_pixels: int | None = None) -> ImageHeader:
    """Read kind, size and depth of a PNG, JPEG or WebP file.

    Args:
        data: the file, or its beginning.
        name: what to call the file in errors.
        max_pixels: larger pictures are refused; the limit of this process where None.

    Raises:
        FrameError: ``unreadable`` (none of these, empty size), ``truncated``, ``too_large``.
    """
    if data[:8] == _PNG_SIGNATURE:
        header = _read_png_header(data, name)
    elif data[:3] == _JPEG_SIGNATURE:
        header = _read_jpeg_header(data, name)
    elif is_webp(data):
        header = _read_webp_header(data, name)
    elif not data:
        raise FrameError(f"{name}: empty file", hint="write the frame again", reason="truncated")
    else:
        start = bytes(data[:4]).hex()
        raise FrameError(f"{name}: no PNG, JPEG or WebP file (starts with {start})", reason="unreadable")
    if header.width_px < 1 or header.height_px < 1:
        raise FrameError(f"{name}: size {header.width_px}x{header.height_px} is empty", reason="unreadable")
    limit = read_limits().pixels if max_pixels is None else max_pixels
    if header.width_px * header.height_px > limit:
        raise FrameError(
            f"{name}: {header.width_px}x{header.height_px} is over the limit of {limit / 1e6:g} million pixels",
            hint=f"crop or tile the picture before converting it, or set {PIXELS_VARIABLE} to allow more",
            reason="too_large",
        )
    return header


def read_size_px(data: bytes | memoryview, *, name: str = "image", max_pixels: int | None = None) -> tuple[int, int]:
    """(width, height) in pixels, from the header alone.

    >>> chunk = b"IHDR" + struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0)
    >>> read_size_px(b"\\x89PNG\\r\\n\\x1a\\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    (640, 480)
    """
    header = read_header(data, name=name, max_pixels=max_pixels)
    return header.width_px, header.height_px


def check_size(size_px: tuple[int, int], expected_px: tuple[int, int], *, name: str, picture: str) -> None:
    """Refuse a file whose size in pixels is not that of its picture.

    Raises:
        FrameError: ``size_mismatch``.
    """
    if size_px != expected_px:
        raise FrameError(
            f"{name}: {size_px[0]}x{size_px[1]} pixels, {picture} has {expected_px[0]}x{expected_px[1]}",
            hint="render every file of a frame at the same size",
            reason="size_mismatch",
        )


def check_whole(data: bytes | memoryview, header: ImageHeader, *, name: str = "image") -> None:
    """Refuse a file that was cut short or damaged; decoders fill what is missing with grey.

    Raises:
        FrameError: ``truncated`` (no end marker), ``unreadable`` (a PNG checksum is wrong).
    """
    if header.kind == "jpeg":
        _check_jpeg_end(data, name)
        return
    if header.kind == "webp":
        if not is_webp_whole(data):
            raise _truncated(name, "ends before the bytes that its header states")
        return
    for _kind, _chunk in _iterate_png_chunks(data, name):
        pass


def build_gray_png(data: bytes | memoryview, *, name: str = "image") -> bytes:
    """The same samples declared as plain grey: palette indices survive decoding, transparency is dropped.

    Decoders expand an indexed PNG to colours, and two palette entries may share a colour, so the indices could not
    be found again afterwards. Compressed pixel data is byte-identical for both declarations.
    """
    kept: list[bytes | memoryview] = [_PNG_SIGNATURE]
    for kind, chunk in _iterate_png_chunks(data, name):
        if kind == b"IHDR":
            payload = bytes(chunk[8:17]) + bytes([_PNG_GRAY]) + bytes(chunk[18:-4])
            kept += [chunk[:8], payload, struct.pack(">I", zlib.crc32(kind + payload))]
        elif kind in (b"IDAT", b"IEND"):
            kept.append(chunk)
    return b"".join(kept)


def is_plain_gray(data: bytes | memoryview, *, name: str = "image") -> bool:
    """Whether a file is a PNG of 8-bit grey and nothing else, which every library reads to its very samples.

    Raises:
        FrameError: ``unreadable``, ``truncated`` or ``too_large``.
    """
    header = read_header(data, name=name)
    is_gray = header.kind == "png" and header.bits == 8 and header.channels == 1 and not header.is_indexed
    return is_gray and all(kind != b"tRNS" for kind, _chunk in _iterate_png_chunks(data, name))


def read_palette(data: bytes | memoryview) -> tuple[tuple[int, int, int], ...]:
    """The colours of an indexed PNG by index, RGB; empty for other files and damaged ones."""
    if data[:8] != _PNG_SIGNATURE:
        return ()
    try:
        palette = next(
            (bytes(chunk[8:-4]) for kind, chunk in _iterate_png_chunks(data, "image") if kind == b"PLTE"), b""
        )
    except FrameError:
        return ()
    is_indexed = len(data) > _COLOR_TYPE_AT and data[_COLOR_TYPE_AT] == _PNG_PALETTE
    if not is_indexed or len(palette) % 3:
        return ()
    return tuple(zip(palette[::3], palette[1::3], palette[2::3], strict=True))


def _read_png_header(data: bytes | memoryview, name: str) -> ImageHeader:
    if len(data) < 33:
        raise _truncated(name, "ends inside the PNG header")
    if data[12:16] != b"IHDR":
        raise FrameError(f"{name}: PNG without a header chunk", reason="unreadable")
    width_px, height_px, bits, color_type = struct.unpack(">IIBB", data[16:26])
    channels = {_PNG_GRAY: 1, 2: 3, _PNG_PALETTE: 1, _PNG_GRAY_ALPHA: 2, 6: 4}.get(color_type)
    if channels is None or bits not in (1, 2, 4, 8, 16):
        raise FrameError(f"{name}: PNG colour type {color_type} with {bits} bits does not exist", reason="unreadable")
    return ImageHeader("png", width_px, height_px, bits, channels, is_indexed=color_type == _PNG_PALETTE)


def _iterate_png_chunks(data: bytes | memoryview, name: str) -> Iterator[tuple[bytes, memoryview]]:
    """(kind, the whole chunk: length, kind, payload, checksum), each checked."""
    view = memoryview(data)  # slices of it copy nothing
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = _CHUNK_HEAD.unpack_from(data, position)
        end = position + 12 + length
        if end > len(data):
            raise _truncated(name, f"ends inside its {kind.decode('latin-1')} chunk")
        if zlib.crc32(view[position + 4 : end - 4]) != _CHECKSUM.unpack_from(data, end - 4)[0]:
            raise FrameError(f"{name}: checksum of a {kind.decode('latin-1')} chunk is wrong", reason="unreadable")
        yield kind, view[position:end]
        if kind == b"IEND":
            return
        position = end
    raise _truncated(name, "has no end marker (IEND)")


def _iterate_jpeg_segments(data: bytes | memoryview, name: str) -> Iterator[tuple[int, int]]:
    """(marker, position of its payload), walking over entropy-coded data, up to the end marker."""
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise FrameError(f"{name}: JPEG segment expected at byte {position}", reason="unreadable")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        yield marker, position + 2
        if marker == 0xD9:
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a payload
            position += 2
            continue
        if position + 4 > len(data):
            break
        position += 2 + int(struct.unpack(">H", data[position + 2 : position + 4])[0])
        if marker == 0xDA:
            found = _JPEG_MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
    raise _truncated(name, "has no end marker (EOI)")


def _read_jpeg_header(data: bytes | memoryview, name: str) -> ImageHeader:
    for marker, position in _iterate_jpeg_segments(data, name):
        if marker in _JPEG_SIZE_MARKERS:
            if position + 8 > len(data):
                raise _truncated(name, "ends inside the JPEG header")
            bits, height_px, width_px, channels = struct.unpack(">BHHB", data[position + 2 : position + 8])
            return ImageHeader("jpeg", width_px, height_px, bits, channels)
    raise FrameError(f"{name}: JPEG without a frame header", reason="unreadable")


def _check_jpeg_end(data: bytes | memoryview, name: str) -> None:
    for _marker, _position in _iterate_jpeg_segments(data, name):
        pass


def _read_webp_header(data: bytes | memoryview, name: str) -> ImageHeader:
    if len(data) < HEAD_BYTES:
        raise _truncated(name, "ends inside the WebP header")
    found = read_webp_size_px(data)
    if found is None:
        raise FrameError(f"{name}: WebP without a frame header", reason="unreadable")
    width_px, height_px, has_alpha = found
    return ImageHeader("webp", width_px, height_px, 8, 4 if has_alpha else 3)


def _truncated(name: str, detail: str) -> FrameError:
    return FrameError(f"{name}: cut short, {detail}", hint="write or copy the file again", reason="truncated")
