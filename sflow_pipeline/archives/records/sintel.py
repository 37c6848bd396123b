"""MPI Sintel's ``.cam`` files: two binary matrices as JSON."""

import struct

from sflow_pipeline.archives.archive import Archive
from sflow_pipeline.archives.records.record_table import Read, build_records

_TAG = b"PIEH"
_SIZES = (9, 12)


def split_sintel_camera(name: str, read: Read) -> Archive:
    """``camera.json``: ``intrinsic`` (3x3, px) and ``extrinsic`` (3x4, world to camera), row by row."""
    data = read(name)
    if data[:4] != _TAG or len(data) != len(_TAG) + 8 * sum(_SIZES):
        raise ValueError("no camera file")
    values = struct.unpack(f"<{sum(_SIZES)}d", data[4:])
    intrinsic = [list(values[start : start + 3]) for start in range(0, 9, 3)]
    extrinsic = [list(values[start : start + 4]) for start in range(9, 21, 4)]
    return build_records({"camera.json": {"intrinsic": intrinsic, "extrinsic": extrinsic}})
