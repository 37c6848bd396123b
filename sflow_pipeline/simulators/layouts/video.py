"""A picture video beside a label video: ``rgb.mp4`` and a lossless ``semantic.mkv``."""

import os
import re

from sflow_pipeline.archives import open_archive
from sflow_pipeline.errors import DumpError
from sflow_pipeline.label_spaces import LabelEncoding
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import is_remote
from sflow_pipeline.simulators.label_header import find_storage
from sflow_pipeline.simulators.path_patterns import HEAD, PatternFinder, find_layout
from sflow_pipeline.simulators.stated_facts import FILE_NAME, StatedFacts

NAME = "video"
LAYOUT = "[<sequence>_]rgb.mp4 beside a lossless [<sequence>_]semantic.mkv"

_FILE = HEAD + r"(?:(?P<sequence>[^/]+)[._-])?{kind}\.(?:mp4|mkv|avi|mov|webm)/(?P<frame>\d+)\.png"
_PATTERNS = {
    "render": re.compile(_FILE.replace("{kind}", "rgb")),
    "label": re.compile(_FILE.replace("{kind}", "semantic")),
}

_LABEL_FILES = "the label video's values, pixel for pixel, in PNG files made of its frames"


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    return find_layout(root, _PATTERNS)


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``. A sequence is a pair of videos; labels are grey ids, or colours.

    Raises:
        DumpError: a label video's compression changes its values, or no label space is stated.
    """
    if stated.label_space is None:
        raise DumpError(
            f"dump {root}: no label space is stated for its labels",
            hint=f"name the label space with --label-space, or as label_space: in {FILE_NAME}",
        )
    finder = PatternFinder(root, _PATTERNS)
    frames = finder.frames()
    rates = set()
    for path in sorted({frame.label.rpartition("/")[0] for frame in frames}):
        video = open_archive(os.path.join(root, path)) if not is_remote(root) else None
        if video is not None and video.changes_values:
            raise DumpError(
                f"dump {root}: label video {path} is stored as {video.changes_values}, which changes class ids",
                hint="write labels with a lossless codec and without colour conversion: ffmpeg -c:v ffv1 -pix_fmt gray",
            )
        rates.add(video.fps if video else None)
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
