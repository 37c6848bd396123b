"""Videos of a dataset's sequences to look at: rendered frames beside converted images, at their own times."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.contents import Contents, load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import FrameError
from sflow_pipeline.simulators.frame_table import find_steps
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.video_writer import VideoWriter, import_av

VIDEOS_PATH = "report/videos"
#: Which rows each video was made of; a video of the same rows is not made again.
INDEX_PATH = f"{VIDEOS_PATH}/index.json"
DEFAULT_FPS = 10.0
#: What decides a row's pictures, beside the settings of the conversion.
_FACTS = (
    "source_sha256", "bundle_digest", "seed", "palette", "appearance", "photo_colors", "smooth", "shifts", "attempts"
)  # fmt: skip
#: Changes whenever the same rows give another video.
_VERSION = 2


@dataclass(frozen=True)
class _Drawing:
    """A video in the making: its file, and the number of its first frame."""

    writer: VideoWriter
    local: Path
    first: int


def write_sequence_videos(out_dir: str) -> tuple[str, ...]:
    """Write ``report/videos/<split>/<sequence>.mp4`` for each sequence and variant of a finished dataset.

    A frame that is missing leaves its time to the one before; pictures of another size than the first of their sequence
    are fitted into it. Videos whose rows have not changed stay; those of sequences that are gone are removed.

    Returns:
        their paths in the dataset.

    Raises:
        MissingExtraError: PyAV is not installed.
        OutputError: there is no finished dataset, or a file cannot be written.
    """
    import_av("--video")
    contents = load_contents(out_dir)
    folder = contents.folder
    rows = _list_rows(contents)
    wanted = _list_digests(contents, rows)
    there = _read_index(contents)
    for path in sorted(there.keys() - wanted.keys()):
        folder.remove(path)
    done = {path: digest for path, digest in wanted.items() if there.get(path) == digest and _has(contents, path)}
    steps = find_steps((path, index) for path, found in rows.items() for index, _ in found)
    stale = {path: steps[path] for path in wanted.keys() - done.keys()}
    for path, data in _draw_videos(contents, stale) if stale else ():
        folder.write_bytes(path, data)
        done[path] = wanted[path]
        folder.write_bytes(INDEX_PATH, json.dumps(done, sort_keys=True).encode())
    folder.write_bytes(INDEX_PATH, json.dumps(done, sort_keys=True).encode())
    return tuple(sorted(wanted))


def remove_outdated_videos(out_dir: str) -> int:
    """Remove the videos of a finished dataset that show other images than it has; how many there were.

    Raises:
        OutputError: there is no finished dataset, or a file cannot be removed.
    """
    contents = load_contents(out_dir)
    there = _read_index(contents)
    if not there:
        return 0
    wanted = _list_digests(contents, _list_rows(contents))
    kept = {path: digest for path, digest in there.items() if wanted.get(path) == digest}
    for path in sorted(there.keys() - kept.keys()):
        contents.folder.remove(path)
    if len(kept) < len(there):
        contents.folder.write_bytes(INDEX_PATH, json.dumps(kept, sort_keys=True).encode())
    return len(there) - len(kept)


def _list_rows(contents: Contents) -> dict[str, list[tuple[int, str]]]:
    """Path of each video -> number and identity of its images."""
    facts = [name for name in _FACTS if name in contents.manifest.columns]
    rows: dict[str, list[tuple[int, str]]] = {}
    for row in contents.read_rows(columns=facts):
        identity = json.dumps([str(row.values.get(name)) for name in facts])
        rows.setdefault(_name_video(row), []).append((row.frame_index, identity))
    return rows


def _list_digests(contents: Contents, rows: Mapping[str, list[tuple[int, str]]]) -> dict[str, str]:
    """Path of each video -> digest of what decides it."""
    given = [_VERSION, contents.manifest.settings_fingerprint, contents.fps or DEFAULT_FPS]
    return {path: compute_digest([*given, *map(list, found)]) for path, found in rows.items()}


def _draw_videos(contents: Contents, steps: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each video, one sequence after the other.

    Args:
        steps: path -> difference of the numbers of consecutive frames.
    """
    columns = [name for name in ("image", "render") if name in contents.columns]
    av = import_av("--video")
    with tempfile.TemporaryDirectory() as scratch:
        drawn: dict[str, _Drawing] = {}
        sequence: tuple[str, str] | None = None
        for row in contents.read_rows(columns=columns):
            if (row.split, row.sequence_id) != sequence:
                yield from _finish(drawn)
                sequence, drawn = (row.split, row.sequence_id), {}
            path = _name_video(row)
            if path not in steps:
                continue
            try:
                pictures = [decode_rgb(row.require_file(name), name=row.sample_id) for name in reversed(columns)]
            except FrameError:
                continue  # verify names damaged rows; the frame before stays
            if path not in drawn:
                local = Path(scratch) / f"{len(drawn)}.mp4"
                drawn[path] = _Drawing(VideoWriter(av, local, contents.fps or DEFAULT_FPS), local, row.frame_index)
            drawing = drawn[path]
            position = (row.frame_index - drawing.first) // steps[path]
            drawing.writer.add(_fit(_join(pictures), drawing.writer.shape), position)
        yield from _finish(drawn)


def _finish(drawn: "Mapping[str, _Drawing]") -> Iterator[tuple[str, bytes]]:
    for path, drawing in drawn.items():
        drawing.writer.close()
        yield path, drawing.local.read_bytes()


def _join(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pictures side by side, in the size of the last."""
    height, width = pictures[-1].shape[:2]
    fitting = [
        p if p.shape[:2] == (height, width) else np.asarray(cv2.resize(p, (width, height)), np.uint8) for p in pictures
    ]
    return np.concatenate(fitting, axis=1)


def _fit(picture: NDArray[np.uint8], shape: tuple[int, ...] | None) -> NDArray[np.uint8]:
    if shape is None or picture.shape == shape:
        return picture
    return np.asarray(cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _name_video(row: Row) -> str:
    return f"{VIDEOS_PATH}/{row.split}/{PurePosixPath(row.variant_sequence)}.mp4"


def _read_index(contents: Contents) -> dict[str, str]:
    try:
        found = json.loads(contents.folder.read_bytes(INDEX_PATH))
    except (OSError, ValueError, RecursionError):
        return {}
    valid = isinstance(found, dict) and all(isinstance(digest, str) for digest in found.values())
    return {path: digest for path, digest in found.items() if path.startswith(f"{VIDEOS_PATH}/")} if valid else {}


def _has(contents: Contents, path: str) -> bool:
    try:
        return contents.folder.stat([path])[0].size_bytes > 0
    except OSError:
        return False
