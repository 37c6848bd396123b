"""Footage: sequences of unlabelled frames, in video files or in folders of pictures."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from sflow_pipeline.archives import ArchiveError
from sflow_pipeline.archives.video_file import open_video
from sflow_pipeline.columns import COLUMNS, PICTURE_SUFFIXES
from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.simulators.frame_numbers import number_frames
from sflow_pipeline.untrusted.regular_file import read_regular

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_COLUMN_FOLDERS = frozenset(column.folder for column in COLUMNS if column.folder)
_NUMBER = re.compile(r"\d+")
_ROUNDING_S = 0.0011
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class FootageFrame:
    """One frame: its name, which ends in its number, the ending of its file, and a reader of its encoded picture."""

    name: str
    suffix: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Footage:
    """One sequence.

    Attributes:
        name: of the sequence, safe as a folder name.
        frames: in order; a gap in time is a gap in their numbers.
        fps: frames per second, None where unknown.
        notes: what a user should know about the sequence.
    """

    name: str
    frames: Sequence[FootageFrame]
    fps: float | None = None
    notes: tuple[str, ...] = ()


def open_footage(source: Path) -> list[Footage]:
    """The sequences of a video file, or of a folder: each video in it, and each folder of pictures in it.

    Raises:
        UsageError: there is none, two would have the same name, or a video cannot be read.
        MissingExtraError: a video needs PyAV, which is not installed.
    """
    if source.is_file():
        if source.suffix.lower() not in VIDEO_SUFFIXES:
            raise UsageError(
                f"{source}: neither a video ({', '.join(VIDEO_SUFFIXES)}) nor a folder",
                hint="name a video, or the folder that the pictures are in",
            )
        return [_open_video(source, source.stem)]
    if not source.is_dir():
        raise UsageError(f"{source}: does not exist", hint="name a video, or a folder of pictures or videos")
    found = [footage for folder in _walk(source) for footage in _open_folder(source, folder)]
    shared = [name for name, count in Counter(footage.name.casefold() for footage in found).items() if count > 1]
    if shared:
        raise UsageError(
            f"{source}: {len(shared)} names of sequences are those of several folders or videos, first {shared[0]} "
            "(made of the folders' names, with _ for what is no letter or digit)",
            hint="rename one of them, or label them one by one, each to a folder of its own",
        )
    if not found:
        raise UsageError(
            f"{source}: holds no pictures ({', '.join(PICTURE_SUFFIXES)}) and no videos ({', '.join(VIDEO_SUFFIXES)})",
            hint="name the folder that holds them, or one above it",
        )
    return found


def _walk(source: Path) -> Iterator[Path]:
    yield source
    for folder in sorted(source.rglob("*")):
        hidden = any(part.startswith(".") for part in folder.relative_to(source).parts)
        if folder.is_dir() and not folder.is_symlink() and not hidden:
            yield folder


def _open_folder(source: Path, folder: Path) -> Iterator[Footage]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    numbers = number_frames([path.stem for path in found])  # in the order in which the result is read
    pictures = sorted(found, key=lambda path: numbers[path.stem])
    parts = folder.relative_to(source).parts
    if pictures:
        above = source.resolve().name
        # A sequence called rgb would look like the folder of its pictures.
        name = _make_safe("_".join(parts if parts and parts[-1] not in _COLUMN_FOLDERS else (above, *parts)))
        frames = [FootageFrame(path.stem, path.suffix.lower(), _make_reader(path)) for path in pictures]
        doubled = len(frames) - len({frame.name for frame in frames})
        if doubled:
            raise UsageError(
                f"{folder}: {doubled} pictures have the name of another one, but for the ending",
                hint="keep one picture of each name",
            )
        unnumbered = any(_NUMBER.search(frame.name) is None for frame in frames)
        if unnumbered:  # numbered in the order of their names
            frames = [FootageFrame(f"{i:06d}", frame.suffix, frame.read) for i, frame in enumerate(frames)]
        yield Footage(name, frames)
    for path in files:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            yield _open_video(path, "_".join([*parts, path.stem]))


def _open_video(path: Path, name: str) -> Footage:
    """The frames of a video, numbered by their times: where frames are missing, so are their numbers."""
    try:
        video = open_video(str(path), path.stat().st_mtime_ns)
    except ArchiveError as error:
        if "PyAV" in str(error.strerror):
            raise MissingExtraError(
                f"{path}: reading videos needs PyAV, which is not installed", hint="pip install 'sflow-pipeline[video]'"
            ) from error
        raise UsageError(
            f"{path}: {error.strerror}", hint="convert it: ffmpeg -i VIDEO -c:v libx264 NEW.mp4"
        ) from error
    members = sorted(video.marks)
    if not members:
        raise UsageError(f"{path}: holds no frames", hint="name another video")
    numbers, fps, note = number_by_times(video.times_s, video.fps)
    frames = [
        FootageFrame(f"{number:06d}", ".png", lambda member=member: video.read(member))  # type: ignore[misc]
        for number, member in zip(numbers, members, strict=True)
        if number is not None
    ]
    notes = [f"{path}: {note}"] * bool(note)
    if video.lost_frames:
        notes.append(f"{path}: {video.lost_frames} of its frames cannot be read; copy it again")
    return Footage(_make_safe(name), frames, fps, tuple(notes))


def number_by_times(times_s: Sequence[float], fps: float | None) -> tuple[list[int | None], float | None, str]:
    """Frame numbers at a steady rate, the rate, and a note on frames that do not keep to it.

    A frame that falls on the number of the one before it has None.

    >>> number_by_times([0.0, 0.1, 0.2, 0.5], 10.0)
    ([0, 1, 2, 5], 10.0, 'frames do not follow each other steadily: 2 are missing at 10 frames per second')
    """
    steps = [later - earlier for earlier, later in pairwise(times_s)]
    usual = median(steps) if steps else 0.0
    if usual <= 0:
        return list(range(len(times_s))), fps, ""
    # Containers round times, Matroska to whole milliseconds: steps that differ by rounding alone are of one rate.
    usual = fmean(step for step in steps if abs(step - usual) <= max(0.1 * usual, _ROUNDING_S))
    numbers: list[int | None] = []
    last = -1
    for time in times_s:
        number = round(time / usual)
        numbers.append(number if number > last else None)
        last = max(last, number)
    missing, doubled = last + 1 - sum(n is not None for n in numbers), numbers.count(None)
    is_steady = not missing and not doubled
    rate = fps if is_steady and fps else round(1 / usual, 3)
    counts = [f"{missing} are missing"] * bool(missing) + [f"{doubled} are left out"] * bool(doubled)
    note = (
        ""
        if is_steady
        else f"frames do not follow each other steadily: {', '.join(counts)} at {rate:g} frames per second"
    )
    return numbers, rate, note


def _make_reader(path: Path) -> Callable[[], bytes]:
    return lambda: read_regular(str(path))


def _make_safe(name: str) -> str:
    """A name without characters that file systems or shells treat specially.

    >>> _make_safe("my drive (1)")
    'my_drive_1_'
    """
    return _UNSAFE.sub("_", name).lstrip(".-") or "sequence"
