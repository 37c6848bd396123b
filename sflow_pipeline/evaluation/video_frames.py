"""Frames of sequences with their motion: of a converted dataset, or of any folder that ``inspect`` recognises."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.photos import DatasetPhotos, FolderPhotos
from sflow_pipeline.simulators.frame_table import find_steps
from sflow_pipeline.storage.flow_codec import decode_motion
from sflow_pipeline.storage.image_codec import decode_rgb


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame of a sequence.

    Attributes:
        sequence_id, frame_index, variant: its place.
        photo: (h, w, 3) uint8 RGB.
        motion: (h, w, 2) px to the next frame as the simulator states it, NaN where it is not known or the surface is
            hidden there; None where the simulator states none.
    """

    sequence_id: str
    frame_index: int
    variant: int
    photo: NDArray[np.uint8]
    motion: NDArray[np.float32] | None


def read_video(source: PhotoSource) -> Iterator[VideoFrame]:
    """Every picture with its place and motion, in the order of ``PhotoSource.read``.

    Raises:
        FrameError: a picture, flow or occlusion file cannot be read, or their sizes differ.
    """
    if isinstance(source, DatasetPhotos):
        files = [name for name in ("flow", "occlusion") if name in source.columns]
        for row in source.read_rows([source.column, *files]):
            photo = row.decode(source.column)
            assert isinstance(photo, np.ndarray)
            flow, occlusion = (row.read_file(name) if name in files else None for name in ("flow", "occlusion"))
            motion = None
            if flow is not None:
                name = f"{row.sample_id}: flow{row.suffix('flow')}"
                png = None if occlusion is None or row.suffix("occlusion") != ".png" else occlusion
                motion = decode_motion(flow, name, source.simulator, png, photo.shape[:2])
            yield VideoFrame(row.sequence_id, row.frame_index, row.variant, photo, motion)
    elif isinstance(source, FolderPhotos):
        folder = source.dump.folder
        for frame in source.frames:
            try:
                photo = decode_rgb(folder.read_bytes(frame.render), name=frame.render)
                motion = None
                if frame.flow is not None:
                    is_png = frame.occlusion is not None and frame.occlusion.lower().endswith(".png")
                    png = folder.read_bytes(frame.occlusion) if is_png and frame.occlusion else None
                    flow = folder.read_bytes(frame.flow)
                    motion = decode_motion(flow, frame.flow, source.dump.simulator, png, photo.shape[:2])
            except OSError as error:
                raise FrameError(
                    f"{source.uri}/{frame.sample_id}: cannot be read: {error.strerror or error}", reason="missing"
                ) from error
            yield VideoFrame(frame.sequence_id, frame.frame_index, 0, photo, motion)


def list_places(source: PhotoSource) -> list[tuple[str, int, int]]:
    """(sequence, frame index, variant) of every picture, in the order of ``PhotoSource.read``."""
    if isinstance(source, DatasetPhotos):
        return [(row.sequence_id, row.frame_index, row.variant) for row in source.read_rows([])]
    frames = source.frames if isinstance(source, FolderPhotos) else []
    return [(frame.sequence_id, frame.frame_index, 0) for frame in frames]


def find_clips(source: PhotoSource, count: int, length: int, overlap: int = 0) -> list[list[int]]:
    """Positions, among the first ``count`` pictures, of clips of consecutive frames; neighbours share ``overlap``."""
    places = list_places(source)
    steps = find_steps((sequence, index) for sequence, index, _ in places)
    runs: dict[tuple[str, int], list[int]] = {}
    last: dict[tuple[str, int], int] = {}
    clips: list[list[int]] = []
    for position, (sequence, index, variant) in enumerate(places[:count]):
        key = (sequence, variant)
        run = runs.setdefault(key, [])
        if run and index != last[key] + steps[sequence]:
            run.clear()
        run.append(position)
        last[key] = index
        if len(run) == length:
            clips.append(list(run))
            del run[: length - overlap]
    return clips
