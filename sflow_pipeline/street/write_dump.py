"""Writes sample dumps: streets of the built-in simulator as files in the plain layout."""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.storage.image_codec import encode_gray, encode_label, encode_plane, encode_rgb, encode_uint16
from sflow_pipeline.storage.process_identity import count_cores
from sflow_pipeline.street import FPS, LABEL_SPACE, VERSION, Look, StreetFrame, StreetSequence

#: Settings of the dump, written first; hidden, so that readers ignore it.
MARKER = ".sample_dump.json"
DATASET_FILE = "dataset.yaml"
_CHUNK_FRAMES = 40
#: Starting processes takes longer than drawing this many frames at 512x256 does.
_WORTH_A_POOL_PX = 100 * 512 * 256
_FLOW_STEPS_PER_PX = 64
_FLOW_ZERO = 32768


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """Everything that decides a sample dump's bytes: ``frames`` is per sequence, the size is in px."""

    sequences: int
    frames: int
    width_px: int
    height_px: int
    seed: int
    look: Look
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class SampleDump:
    """Written sample dump: root, settings, frames written by this run, and its duration."""

    root: str
    settings: SampleSettings
    frames_written: int
    wall_s: float


def write_sample_dump(
    out: str | os.PathLike[str],
    *,
    sequences: int,
    frames: int,
    size: tuple[int, int] = (512, 256),
    seed: int = 0,
    look: Look = "cg",
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> SampleDump:
    """Draw streets and write them in the plain layout, with every modality that a conversion can carry.

    Each sequence has ``rgb`` (8-bit PNG), ``semantic`` (8-bit ids), ``instance`` (16-bit), ``depth`` (16-bit
    centimetres), ``flow`` (KITTI 16-bit PNG), ``occlusion`` (8-bit, 255 = hidden in the next frame), ``boxes`` and
    ``camera`` (JSON). ``dataset.yaml``, written last, documents the units. A dump that was broken off is
    completed by the same call; a complete one is left as it is.

    Args:
        out: folder to write; new, empty, or holding a dump of the same settings.
        sequences: number of streets.
        frames: frames of each.
        size: width and height in px.
        seed: another seed gives other streets.
        look: ``cg``, or ``camera``: the same streets, label for label, as a photograph might show them.
        workers: processes; None takes one per core where that pays. The files do not depend on it.
        on_progress: called with the frames done and their number.

    Raises:
        UsageError: a number is out of range.
        OutputError: ``out`` holds something else, or cannot be written.
    """
    started = time.perf_counter()
    if sequences < 1 or (workers is not None and workers < 1):
        raise UsageError(f"sequences {sequences}, workers {workers}: each must be at least 1")
    settings = SampleSettings(sequences, frames, *size, seed, look)
    StreetSequence(seed=seed, sequence_index=0, frames=1, size=size, look=look)  # refuses bad values before writing
    if frames < 1:
        raise UsageError(f"frames {frames}: must be at least 1")
    root = Path(out)
    with _explain_write_errors(root):
        if not _claim(root, settings):
            return SampleDump(str(root), settings, 0, time.perf_counter() - started)
        written = 0
        for count in _write_chunks(str(root), settings, workers):
            written += count
            on_progress(written, sequences * frames)
        content = yaml.safe_dump(describe_dump(settings), sort_keys=False, allow_unicode=True, width=120)
        _write_whole(root / DATASET_FILE, content.encode())
    return SampleDump(str(root), settings, written, time.perf_counter() - started)


def describe_dump(settings: SampleSettings) -> dict[str, Any]:
    """The content of ``dataset.yaml``: label space, rate, units, and the command that reproduces it."""
    return {
        "label_space": LABEL_SPACE,
        "label_encoding": "ids",
        "fps": FPS,
        "units": {
            "depth": "16-bit PNG, centimetres along the optical axis, 65535 = sky",
            "flow": "KITTI 16-bit PNG to the next frame: px = (value - 32768) / 64, red x, green y, blue 1 = valid",
            "occlusion": "8-bit PNG, 255 = hidden in the next frame or outside its picture",
            "instance": "16-bit PNG, class_id * 1000 + n for countable classes, else the class id",
            "boxes": "px, xyxy of the visible pixels, right and bottom exclusive",
            "camera": "metres, px",
        },
        "camera": {
            "model": "pinhole",
            "width_px": settings.width_px,
            "height_px": settings.height_px,
            "pose": "camera_to_world, 4x4, per frame in camera/",
            "axes": "camera x right, y down, z forward; world x right, y down (road at 0), z along the street",
            "rendered_by": {"generator": "sflow-pipeline street", **asdict(settings)},
        },
    }


def name_sequence(sequence_index: int) -> str:
    """The folder of a sequence.

    >>> name_sequence(3)
    'street_0003'
    """
    return f"street_{sequence_index:04d}"


def encode_flow(flow: NDArray[np.float32]) -> bytes:
    """(h, w, 2) px to KITTI's 16-bit PNG; displacements beyond 511 px do not fit and are marked invalid.

    >>> from sflow_pipeline.storage.image_codec import decode_plane
    >>> decode_plane(encode_flow(np.array([[[1.0, -0.5], [900.0, 0.0]]], np.float32))).tolist()
    [[[32832, 32736, 1], [0, 0, 0]]]
    """
    steps = np.rint(flow * np.float32(_FLOW_STEPS_PER_PX) + np.float32(_FLOW_ZERO))
    inside = (steps >= 0) & (steps <= 65535)
    valid = inside[:, :, 0] & inside[:, :, 1]
    plane = np.zeros((*flow.shape[:2], 3), np.uint16)
    for axis in range(2):
        plane[:, :, axis] = np.where(valid, steps[:, :, axis], np.float32(0))
    plane[:, :, 2] = valid
    return encode_plane(plane)


def _claim(root: Path, settings: SampleSettings) -> bool:
    """Check that ``root`` may be written; False if it holds the same dump, complete."""
    root.mkdir(parents=True, exist_ok=True)
    marker = root / MARKER
    if not any(root.iterdir()):
        _write_whole(marker, json.dumps(asdict(settings), indent=2).encode())
        return True
    try:
        found = dict(json.loads(marker.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        raise OutputError(
            f"output {root}: holds files that are not a sample dump", hint="name a new or empty folder"
        ) from None
    wanted = asdict(settings)
    if found != wanted:
        other = [
            f"{key} {found.get(key)!r} (now {value!r})" for key, value in wanted.items() if found.get(key) != value
        ]
        raise OutputError(
            f"output {root}: holds a sample dump of other settings: {', '.join(other)}",
            hint="name another folder, or repeat the settings",
        )
    for half in root.glob("*/*/.*.tmp"):  # left by a run that was killed
        half.unlink(missing_ok=True)
    return not (root / DATASET_FILE).exists()


def _write_chunks(root: str, settings: SampleSettings, workers: int | None) -> Iterator[int]:
    """Write all frames; yields the number of frames of each finished chunk."""
    chunks = [
        (sequence, start, min(start + _CHUNK_FRAMES, settings.frames))
        for sequence in range(settings.sequences)
        for start in range(0, settings.frames, _CHUNK_FRAMES)
    ]
    pixels = settings.sequences * settings.frames * settings.width_px * settings.height_px
    if workers is None:
        workers = count_cores() if pixels >= _WORTH_A_POOL_PX else 1
    workers = min(workers, len(chunks))
    if workers == 1:
        for chunk in chunks:
            yield from _write_chunk(root, settings, *chunk)
        return
    # Spawned, not forked: the caller may hold threads. One OpenCV thread each: the processes share the cores.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        waiting = [pool.submit(_write_chunk_quietly, root, settings, *chunk) for chunk in chunks]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BrokenProcessPool as error:
            raise OutputError(
                f"output {root}: a process that drew frames was killed, which mostly means too little memory",
                hint="run it again with fewer --workers; finished frames are kept",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _write_chunk_quietly(root: str, settings: SampleSettings, sequence: int, start: int, stop: int) -> int:
    return sum(_write_chunk(root, settings, sequence, start, stop))


def _write_chunk(root: str, settings: SampleSettings, sequence: int, start: int, stop: int) -> Iterator[int]:
    folder = Path(root) / name_sequence(sequence)
    for kind in ("rgb", "semantic", "instance", "depth", "flow", "occlusion", "boxes", "camera"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    street = _build_street(settings, sequence)
    for frame_index, frame in enumerate(street.render_frames(start, stop), start):
        for path, data in _encode_frame(frame, f"{frame_index:06d}").items():
            _write_whole(folder / path, data)
        yield 1


@lru_cache(maxsize=1)
def _build_street(settings: SampleSettings, sequence: int) -> StreetSequence:
    """Worker entry point; keeps the last street, because neighbouring chunks share it."""
    return StreetSequence(
        seed=settings.seed,
        sequence_index=sequence,
        frames=settings.frames,
        size=(settings.width_px, settings.height_px),
        look=settings.look,
    )


def _encode_frame(frame: StreetFrame, name: str) -> dict[str, bytes]:
    """The frame's files by path below the sequence's folder."""
    return {
        f"instance/{name}.png": encode_uint16(frame.instance_map),
        f"depth/{name}.png": encode_uint16(frame.depth),
        f"flow/{name}.png": encode_flow(frame.flow),
        f"occlusion/{name}.png": encode_gray(frame.occluded.astype(np.uint8) * np.uint8(255)),
        f"boxes/{name}.json": json.dumps({"boxes": frame.boxes}).encode(),
        f"camera/{name}.json": json.dumps(frame.camera).encode(),
        f"semantic/{name}.png": encode_label(frame.label_map),
        f"rgb/{name}.png": encode_rgb(frame.render),
    }


def _write_whole(path: Path, data: bytes) -> None:
    """Write atomically; the process id makes temporary names of two writers differ."""
    half = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        half.write_bytes(data)
        os.replace(half, path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


@contextmanager
def _explain_write_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or root
        raise OutputError(
            f"output {where}: cannot be written: {error.strerror or error}",
            hint="name a folder on a writable disk with free space",
        ) from error
