"""A picture video beside a label video: ``rgb.mp4`` and a lossless ``semantic.mkv``."""

import os
import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from sflow_pipeline.archives import open_archive
from sflow_pipeline.archives.archive import Archive
from sflow_pipeline.errors import DumpError
from sflow_pipeline.label_spaces import LabelEncoding
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import is_remote
from sflow_pipeline.simulators.label_header import find_storage
from sflow_pipeline.simulators.path_patterns import (
    HEAD,
    FrameIdentity,
    PatternFinder,
    find_layout,
    identify_by_groups,
)
from sflow_pipeline.simulators.stated_facts import FILE_NAME, StatedFacts

NAME = "video"
LAYOUT = "[<sequence>_]rgb.mp4 beside a lossless [<sequence>_]semantic.mkv"

_FILE = HEAD + r"(?:(?P<sequence>[^/]+)[._-])?{kind}\.(?:mp4|mkv|avi|mov|webm)/(?P<frame>\d+)\.png"
_PATTERNS = {
    "render": re.compile(_FILE.replace("{kind}", "rgb")),
    "label": re.compile(_FILE.replace("{kind}", "semantic")),
}

#: Containers round times, Matroska to whole milliseconds: steps may differ from the stated rate's by this share.
_ROUNDING = 0.1
_LABEL_FILES = "the label video's values, pixel for pixel, in PNG files made of its frames"


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a pair of videos; labels are grey ids, or colours.

    Raises:
        DumpError: a label video's compression changes its values, its times are not those of its pictures' video, or no
            label space is stated.
    """
    if stated.label_space is None:
        raise DumpError(
            f"dump {root}: no label space is stated for its labels",
            hint=f"name the label space with --label-space, or as label_space: in {FILE_NAME}",
        )
    finder = PatternFinder(root, _PATTERNS)
    frames = finder.frames()
    rates: set[float | None] = {None} if is_remote(root) else set()
    moved: dict[str, dict[str, str]] = {}
    for render, label in sorted({(_find_video(frame.render), _find_video(frame.label)) for frame in frames}):
        if is_remote(root):
            break
        video = open_archive(os.path.join(root, label))
        if video.changes_values:
            raise DumpError(
                f"dump {root}: label video {label} is stored as {video.changes_values}, which changes class ids",
                hint="write labels with a lossless codec and without colour conversion: ffmpeg -c:v ffv1 -pix_fmt gray",
            )
        pictures = open_archive(os.path.join(root, render))
        known = [rate for rate in map(_find_rate, (video, pictures)) if rate is not None]
        rates.add(min(known, default=None))  # of the pairs: where one of both is slower, every so many of the other's
        moved[label] = _pair_by_time(root, label, video, render, pictures)
    if any(moved.values()):

        def identify(match: re.Match[str]) -> FrameIdentity:
            place, path = identify_by_groups(match), match.string
            name = moved.get(_find_video(path), {}).get(place.frame, place.frame)
            return replace(place, frame=name)

        finder = PatternFinder(root, _PATTERNS, identify)
        frames = finder.frames()
    encoding: LabelEncoding = (
        "ids" if "grey" in find_storage(root, [f.label for f in frames], finder.log) else "palette"
    )
    return Dump(
        root=root,
        simulator=NAME,
        version="",
        label_space=stated.label_space,
        label_encoding=encoding,
        frames=frames,
        fps=rates.pop() if len(rates) == 1 else None,
        problems=finder.log.problems(),
        why="videos named rgb and semantic",
        metadata={"label_files": _LABEL_FILES},
    )


def _find_video(path: str) -> str:
    """The video that a path of a frame leads into."""
    return path.rpartition("/")[0]


def _pair_by_time(root: str, label_path: str, label: Archive, render_path: str, render: Archive) -> dict[str, str]:
    """Name of a label's frame -> name of the picture of the same time, for those that are not of the same number.

    A label that is of no picture's time gets a name of its own.

    Raises:
        DumpError: the videos begin at different times.
    """
    steps = [median(found) for times in (render.times_s, label.times_s) if (found := _list_steps(times))]
    apart_s = min(steps, default=0.0) / 2
    if abs(delay := label.start_s - render.start_s) > apart_s:
        raise DumpError(
            f"dump {root}: label video {label_path} begins {abs(delay):.3g} s {'after' if delay > 0 else 'before'} "
            f"{render_path}: it is not sure which of their frames belong together",
            hint="if the first frames do, write one of them again with times from 0 on: ffmpeg -i VIDEO -c copy "
            "-avoid_negative_ts make_zero NEW.mkv; else write the frames as folders rgb and semantic",
        )
    nearest = [_find_nearest(render.times_s, time) for time in label.times_s]
    labels: dict[int, int] = {}  # picture -> the label that is nearest to it
    for number, (picture, distance) in enumerate(nearest):
        if distance <= apart_s and (picture not in labels or distance < nearest[labels[picture]][1]):
            labels[picture] = number
    pictures = {number: picture for picture, number in labels.items()}
    names = {
        number: f"{pictures[number]:06}" if number in pictures else f"{number:06}-alone"
        for number in range(len(nearest))
    }
    return {f"{number:06}": name for number, name in names.items() if name != f"{number:06}"}


def _find_nearest(times_s: Sequence[float], time_s: float) -> tuple[int, float]:
    """Position of the time that is nearest to another, and how far away it is, in seconds."""
    after = bisect(times_s, time_s)
    return min(
        ((place, abs(times_s[place] - time_s)) for place in (after - 1, after) if 0 <= place < len(times_s)),
        key=lambda found: found[1],
    )


def _find_rate(video: Archive) -> float | None:
    """Frames per second: as the video states, unless its times have another rate; None where nothing tells."""
    steps = _list_steps(video.times_s)
    if not steps or (step := median(steps)) <= 0:
        return video.fps
    return video.fps if video.fps and abs(step * video.fps - 1) < _ROUNDING else 1 / step


def _list_steps(times_s: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times_s)]
