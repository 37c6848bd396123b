"""Optical flow from the files that simulators write: KITTI and Virtual KITTI PNG, NumPy arrays, Middlebury ``.flo``."""

import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.array_codec import decode_array
from sflow_pipeline.untrusted.limits import read_limits

#: Middlebury's files begin with this float32; absolute values above the limit mean unknown.
_FLO_TAG = 202021.25
_FLO_UNKNOWN = 1e9


def decode_flow(data: bytes, name: str, simulator: str = "") -> NDArray[np.float32]:
    """(h, w, 2) displacement in px, x then y, NaN where the file has no value.

    Args:
        name: of the file; its ending states the format.
        simulator: layout of the dump; ``vkitti2`` writes PNG in units of the picture's size, all others as KITTI does.

    Raises:
        FrameError: the ending is unknown, or the file is not such a flow.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".png":
        flow = _decode_png(data, name, in_picture_sizes=simulator == "vkitti2")
    elif suffix == ".npy":
        flow = _shape(decode_array(data, name), name)
    elif suffix == ".npz":
        flow = _decode_npz(data, name)
    elif suffix == ".flo":
        flow = _decode_flo(data, name)
    else:
        raise FrameError(
            f"{name}: flow in files of kind {suffix or '(no ending)'} is not read",
            hint="write it as .npy (height, width, 2) in px, or as KITTI's 16-bit PNG",
            reason="unreadable",
        )
    return np.where(np.isfinite(flow).all(axis=2, keepdims=True), flow, np.float32(np.nan))


def decode_motion(
    flow: bytes, name: str, simulator: str, occlusion: bytes | None, size: tuple[int, ...]
) -> NDArray[np.float32]:
    """(h, w, 2) motion from the files of a frame, NaN where it is not known or the surface is hidden.

    Args:
        name: of the flow file, for errors; its ending states the format.
        occlusion: a PNG file, other than 0 where the surface is hidden in the next frame.
        size: (height, width) of the picture.

    Raises:
        FrameError: a file cannot be decoded, or is of another size.
    """
    motion = decode_flow(flow, name, simulator)
    planes = {name: motion.shape[:2]}
    hidden = None
    if occlusion is not None:
        hidden = image_codec.decode_plane(occlusion, name=f"occlusion of {name}")
        planes[f"occlusion of {name}"] = hidden.shape[:2]
    for path, found in planes.items():
        if tuple(found) != tuple(size):
            raise FrameError(
                f"{path}: {found[1]}x{found[0]} px, its picture has {size[1]}x{size[0]}",
                hint="flow and occlusion need the size of the picture; convert without --size, or with .npy flow",
                reason="size_mismatch",
            )
    if hidden is not None:
        motion[hidden.reshape(*size, -1).any(axis=2)] = np.nan
    return motion


def _decode_png(data: bytes, name: str, *, in_picture_sizes: bool) -> NDArray[np.float32]:
    samples = image_codec.decode_plane(data, name=name)
    if samples.dtype != np.uint16 or samples.ndim != 3 or samples.shape[2] != 3:
        raise FrameError(
            f"{name}: {samples.dtype} of shape {samples.shape}, flow in PNG has three channels of 16 bits",
            hint="write it as KITTI does: px = (value - 32768) / 64, red x, green y, blue 1 = valid",
            reason="unreadable",
        )
    values = samples[..., :2].astype(np.float32)
    if in_picture_sizes:
        height, width = samples.shape[:2]
        flow = (values * np.float32(2 / 65535) - 1) * np.array([width - 1, height - 1], np.float32)
    else:
        flow = (values - 32768) / 64
    return np.where(samples[..., 2:] > 0, flow, np.float32(np.nan))


def _decode_npz(data: bytes, name: str) -> NDArray[np.float32]:
    """The array ``flow`` (SHIFT), ``u`` and ``v`` (VIPER), or the only one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if sum(sizes.values()) > read_limits().file_bytes:
                raise FrameError(f"{name}: unpacks to {sum(sizes.values())} bytes", reason="too_large")
            arrays = {
                member.removesuffix(".npy"): decode_array(archive.read(member), f"{name}/{member}") for member in sizes
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise FrameError(f"{name}: not a NumPy archive ({error})", reason="unreadable") from error
    if {"u", "v"} <= arrays.keys() and arrays["u"].shape == arrays["v"].shape:
        return _shape(np.stack([arrays["u"], arrays["v"]], axis=-1), name)
    chosen = arrays.get("flow", next(iter(arrays.values())) if len(arrays) == 1 else None)
    if chosen is None:
        raise FrameError(
            f"{name}: arrays {', '.join(sorted(arrays)) or '(none)'}, flow or u and v are read", reason="unreadable"
        )
    return _shape(chosen, name)


def _decode_flo(data: bytes, name: str) -> NDArray[np.float32]:
    header = np.frombuffer(data[:4], "<f4"), np.frombuffer(data[4:12], "<i4")
    if len(data) < 12 or header[0][0] != np.float32(_FLO_TAG):
        raise FrameError(f"{name}: not a .flo file", reason="unreadable")
    width, height = (int(side) for side in header[1])
    if width < 1 or height < 1 or len(data) != 12 + 8 * width * height:
        raise FrameError(f"{name}: {len(data)} bytes do not hold flow of {width}x{height} px", reason="truncated")
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)
    return np.where(np.abs(flow) < _FLO_UNKNOWN, flow, np.float32(np.nan)).astype(np.float32)


def _shape(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    if array.ndim != 3 or array.shape[2] < 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise FrameError(
            f"{name}: {array.dtype} of shape {array.shape}, flow is (height, width, 2) in px", reason="unreadable"
        )
    with np.errstate(over="ignore"):
        return array[..., :2].astype(np.float32)
