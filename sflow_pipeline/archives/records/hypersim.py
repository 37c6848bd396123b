"""Hypersim's camera trajectories: arrays of positions and orientations, one row per frame."""

import io
from typing import Any

from sflow_pipeline.archives.archive import Archive, ArchiveError, check_size
from sflow_pipeline.archives.records.record_table import Read, build_records, parse_field, read_optional, read_rows

_SCALE = "meters_per_asset_unit"


def split_hypersim_camera(name: str, read: Read) -> Archive:
    """``<frame>.json``: ``position`` in the scene's own units, ``orientation`` (3x3, camera to world; x right, y up, z
    backwards), ``look_at`` where it is known, and ``meters_per_asset_unit``.
    """
    positions = _load(read(name))
    frames = _load(read_optional(read, "camera_keyframe_frame_indices.hdf5"))
    columns = {
        "position": positions,
        "orientation": _load(read_optional(read, "camera_keyframe_orientations.hdf5")),
        "look_at": _load(read_optional(read, "camera_keyframe_look_at_positions.hdf5")),
    }
    rows = read_rows(read_optional(read, "../metadata_scene.csv"), ",")
    facts = {fields[0].strip(): fields[1].strip() for _, fields in rows}
    scale = {_SCALE: parse_field(facts[_SCALE])} if _SCALE in facts else {}
    values = {}
    for row in range(len(positions)):
        frame = int(frames[row]) if frames is not None else row
        poses = {column: array[row].tolist() for column, array in columns.items() if array is not None}
        values[f"{frame:04}.json"] = poses | scale
    return build_records(values)


def _load(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ArchiveError(0, "HDF5 needs h5py: pip install 'sflow-pipeline[hdf5]'") from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            dataset = file["dataset"]
            check_size("dataset", dataset.size * dataset.dtype.itemsize)
            return dataset[()]
    except (OSError, RuntimeError, MemoryError) as error:
        raise ArchiveError(0, f"not a whole HDF5 file ({error}); copy it again") from error
