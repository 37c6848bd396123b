"""Image codec: PNG, JPEG and WebP to arrays, and arrays to PNG and JPEG; the only module with OpenCV's BGR order."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelEncoding
from sflow_pipeline.storage.image_header import (
    ImageHeader,
    build_gray_png,
    check_size,
    check_whole,
    read_header,
    read_size_px,
)

__all__ = [
    "check_size",
    "decode_label",
    "decode_plane",
    "decode_rgb",
    "encode_gray",
    "encode_jpeg",
    "encode_label",
    "encode_plane",
    "encode_rgb",
    "encode_uint16",
    "read_size_px",
]

_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
#: Level 1 with run-length matching: 88 MB/s for pictures, 356 MB/s for labels. The level alone drops fast defaults.
_PNG_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_PNG_PICTURE = (*_PNG_FAST, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
_PNG_LABEL = (*_PNG_FAST, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)


def decode_rgb(
    data: bytes | memoryview, *, name: str = "image", max_pixels: int | None = None, check_first: bool = True
) -> NDArray[np.uint8]:
    """Decode a PNG, JPEG or WebP picture to (h, w, 3) uint8 RGB.

    The pixel grid is taken as stored: orientation tags are ignored, so that picture and label stay aligned.
    Transparency is dropped, grey is repeated, 16 bits become 8.

    Args:
        data: the file.
        name: of the file, for errors.
        max_pixels: larger pictures are refused; the limit of this process where None.
        check_first: look through the file before decoding it. Without, a damaged PNG is found out all the same, but
            libpng writes a line of its own about it; for files that were found good when they were written.

    Raises:
        FrameError: ``truncated``, ``unreadable`` or ``too_large``.

    >>> decode_rgb(encode_rgb(np.full((2, 3, 3), [255, 0, 0], np.uint8)))[0, 0].tolist()
    [255, 0, 0]
    """
    header = read_header(data, name=name, max_pixels=max_pixels)
    if check_first or header.kind != "png":
        check_whole(data, header, name=name)
        return _decode(data, _RGB, name)
    try:
        return _decode(data, _RGB, name)
    except FrameError:
        check_whole(data, header, name=name)  # its errors are more specific
        raise


def decode_label(
    data: bytes,
    encoding: LabelEncoding,
    *,
    name: str = "label",
    max_pixels: int | None = None,
) -> NDArray[Any]:
    """Decode a label PNG without changing a value.

    Args:
        data: the file.
        encoding: ``ids``: grey or indexed, sample values are class ids (palette indices of an indexed file), or colour
            with three equal channels; ``red_channel``: colour, ids in red; ``rgb_ids``: 8-bit colour, ids are
            R + 256 * G + 65536 * B; both take grey files as ids. ``palette``: colours stand for classes; ``table``:
            samples mean what a table states that comes with the file.
        name: of the file, for errors.
        max_pixels: larger pictures are refused; the limit of this process where None.

    Returns:
        (h, w) uint8 or uint16 ids (``rgb_ids``: uint16, larger ones as 65535, which no label space has), for
            ``palette`` (h, w, 3) uint8 RGB, for ``table`` the samples as they are.

    Raises:
        FrameError: ``jpeg_label``, ``wrong_label_depth``, ``truncated``, ``unreadable`` or ``too_large``.

    >>> decode_label(encode_label(np.array([[0, 12], [7, 7]], np.uint8)), "ids").tolist()
    [[0, 12], [7, 7]]
    """
    header = read_header(data, name=name, max_pixels=max_pixels)
    if header.kind != "png":
        kind = {"jpeg": "JPEG", "webp": "WebP"}[header.kind]
        raise FrameError(
            f"{name}: a {kind} file, whose compression changes class ids",
            hint="write labels as PNG",
            reason="jpeg_label",
        )
    check_whole(data, header, name=name)
    if encoding == "palette":
        return _decode_palette(data, header, name)
    if encoding == "table":
        if header.bits == 16 and header.channels > 2:
            raise FrameError(
                f"{name}: 16-bit colour, label tables name colours of 8 bits",
                hint="write the label with 8 bits in each channel",
                reason="wrong_label_depth",
            )
        return decode_plane(data, name=name, max_pixels=max_pixels)
    if header.channels <= 2:
        return _decode_samples(data, header, name)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED, name)
    if encoding == "rgb_ids":
        return _join_channels(pixels, name)
    if encoding == "ids" and not (pixels[..., :1] == pixels[..., 1:3]).all():
        raise FrameError(
            f"{name}: {header.channels}-channel colour where one channel of class ids was expected",
            hint="state how ids are stored, with --label-encoding or as label_encoding in dataset.yaml: red_channel "
            "(CARLA raw tags), rgb_ids (R + 256 * G + 65536 * B) or palette (class colours)",
            reason="wrong_label_depth",
        )
    return np.ascontiguousarray(pixels[:, :, 2])


def decode_plane(data: bytes, *, name: str = "image", max_pixels: int | None = None) -> NDArray[Any]:
    """Decode a PNG of any depth as its raw samples, channels in file order: (h, w) or (h, w, 3 or 4), uint8 or uint16.

    For depth, flow and instance pictures, whose numbers mean something other than colour.

    Raises:
        FrameError: ``truncated``, ``unreadable`` or ``too_large``.
    """
    header = read_header(data, name=name, max_pixels=max_pixels)
    check_whole(data, header, name=name)
    if header.kind == "png" and header.channels <= 2:
        return _decode_samples(data, header, name)
    return _swap_red_and_blue(_decode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION, name))


def encode_rgb(image: NDArray[np.uint8]) -> bytes:
    """(h, w, 3) uint8 RGB to PNG; the same array gives the same bytes."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"encode_rgb: {image.dtype} {image.shape}, expected uint8 (h, w, 3)")
    return _encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _PNG_PICTURE)


def encode_jpeg(image: NDArray[np.uint8], quality: int = 88, *, full_color: bool = False) -> bytes:
    """(h, w, 3) uint8 RGB to JPEG, with one colour sample for each pixel (``full_color``) or for each four."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if full_color else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    settings = (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    return data.tobytes()


def encode_gray(plane: NDArray[np.uint8]) -> bytes:
    """(h, w) uint8 to PNG, filtered for sparse drawings such as edges."""
    if plane.dtype != np.uint8 or plane.ndim != 2:
        raise ValueError(f"encode_gray: {plane.dtype} {plane.shape}, expected uint8 (h, w)")
    return _encode(plane, _PNG_LABEL)


def encode_label(label_map: NDArray[Any]) -> bytes:
    """(h, w) uint8 or uint16 class ids, or (h, w, 3) uint8 RGB class colours, to PNG."""
    if label_map.ndim == 2 and label_map.dtype in (np.uint8, np.uint16):
        return _encode(label_map, _PNG_LABEL)
    if label_map.ndim == 3 and label_map.dtype == np.uint8 and label_map.shape[2] == 3:
        return _encode(cv2.cvtColor(label_map, cv2.COLOR_RGB2BGR), _PNG_LABEL)
    raise ValueError(f"encode_label: {label_map.dtype} {label_map.shape}, expected uint8/uint16 ids or RGB colours")


def encode_uint16(plane: NDArray[np.uint16]) -> bytes:
    """(h, w) uint16 to PNG, for depth and instance ids.

    >>> decode_plane(encode_uint16(np.array([[65535]], np.uint16))).item()
    65535
    """
    if plane.dtype != np.uint16 or plane.ndim != 2:
        raise ValueError(f"encode_uint16: {plane.dtype} {plane.shape}, expected uint16 (h, w)")
    return _encode(plane, _PNG_LABEL)


def encode_plane(plane: NDArray[Any]) -> bytes:
    """The inverse of ``decode_plane``: raw samples, channels in file order, to PNG."""
    return _encode(np.ascontiguousarray(_swap_red_and_blue(plane)), _PNG_LABEL)


def _decode(data: bytes | memoryview, flags: int, name: str) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:  # a fault of the machine, not of the file
            raise MemoryError(f"{name}: {error.err}") from error
        raise FrameError(f"{name}: cannot be decoded ({error.err})", reason="unreadable") from error
    if pixels is None:
        raise FrameError(f"{name}: cannot be decoded", hint="write or copy the file again", reason="unreadable")
    return pixels


def _decode_samples(data: bytes, header: ImageHeader, name: str) -> NDArray[Any]:
    """Sample values of a grey or indexed PNG; 1, 2 and 4-bit values come scaled to 255 from the decoder."""
    if header.channels == 2:
        return np.ascontiguousarray(_decode(data, cv2.IMREAD_UNCHANGED, name)[:, :, 0])
    is_plain = not header.is_indexed and b"tRNS" not in data
    samples = _decode(data if is_plain else build_gray_png(data, name=name), cv2.IMREAD_UNCHANGED, name)
    return samples // (255 // (2**header.bits - 1)) if header.bits < 8 else samples


def _decode_palette(data: bytes, header: ImageHeader, name: str) -> NDArray[np.uint8]:
    if header.bits == 16 or (header.channels <= 2 and not header.is_indexed):
        raise FrameError(
            f"{name}: {header.bits}-bit {'grey' if header.channels <= 2 else 'colour'}, class colours were expected",
            hint="state label_encoding ids, with --label-encoding or in dataset.yaml, if the values are class ids",
            reason="wrong_label_depth",
        )
    return _decode(data, _RGB, name)


def _join_channels(pixels: NDArray[Any], name: str) -> NDArray[np.uint16]:
    """(h, w, 3 or 4) uint8 BGR samples as one number each, at most 65535."""
    if pixels.dtype != np.uint8:
        raise FrameError(
            f"{name}: 16-bit colour, rgb_ids are 8 bits in each channel",
            hint="state label_encoding red_channel if ids are in the red channel",
            reason="wrong_label_depth",
        )
    blue, green, red = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return np.asarray(np.minimum(red | green << 8 | blue << 16, 65535), np.uint16)


def _swap_red_and_blue(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim == 2:
        return pixels
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]


def _encode(pixels: NDArray[Any], settings: tuple[int, ...]) -> bytes:
    written, buffer = cv2.imencode(".png", pixels, settings)
    if not written:
        raise ValueError(f"OpenCV could not encode {pixels.dtype} {pixels.shape} as PNG")
    return buffer.tobytes()
