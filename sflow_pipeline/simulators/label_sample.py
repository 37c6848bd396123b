"""Detection of label and instance encodings from a small sample of a dump's files."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import InstanceEncoding, LabelEncoding
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.instance_encoding import detect_instance_encoding
from sflow_pipeline.simulators.stated_facts import StatedFacts

_SAMPLE = 8
_SIDE_PX = 256


def detect_encodings(dump: Dump, stated: StatedFacts) -> Dump:
    """The dump with the encodings that a few of its files show, where ``stated`` names none."""
    if stated.label_encoding is None:
        labels = [frame.label for frame in _choose(dump.frames)]
        dump = replace(dump, label_encoding=detect_label_encoding(read_label_sample(dump.root, labels)))
    else:
        dump = replace(dump, label_encoding=stated.label_encoding)
    if stated.instance_encoding is None and "instance" in dump.modalities:
        dump = replace(dump, instance_encoding=_find_instance_encoding(dump))
    return dump


def read_label_sample(root: str, paths: Sequence[str]) -> list[NDArray[Any]]:
    """Decode up to 8 labels, spread over ``paths`` and thinned to about 256 pixels a side.

    Returns:
        (h, w) ids or (h, w, 3) RGB arrays; files that cannot be read are skipped, conversion reports them.
    """
    from sflow_pipeline.storage import image_codec  # loads OpenCV, which listing layouts does not need

    sample = []
    for position in _spread(len(paths)):
        try:
            pixels = image_codec.decode_plane(open_folder(root).read_bytes(paths[position]), name=paths[position])
        except (OSError, FrameError):
            continue
        step = max(1, min(pixels.shape[:2]) // _SIDE_PX)
        thin = pixels[::step, ::step]
        sample.append(thin if thin.ndim == 2 else thin[..., :3])
    return sample


def detect_label_encoding(sample: Sequence[NDArray[Any]]) -> LabelEncoding:
    """How most of the sampled labels hold ids.

    One channel, or three equal ones: ``ids``; nothing but red: ``red_channel``; other colours: ``palette``.

    >>> detect_label_encoding([np.array([[[7, 0, 0], [8, 0, 0]]], np.uint8)])
    'red_channel'
    """
    colors = [label for label in sample if label.ndim == 3]
    if 2 * len(colors) <= len(sample) or all((label[..., :1] == label[..., 1:]).all() for label in colors):
        return "ids"
    return "palette" if any(label[..., 1:].any() for label in colors) else "red_channel"


def _find_instance_encoding(dump: Dump) -> InstanceEncoding:
    """The encoding that most of a few frames' instance files have; ``numbered`` where none can be read."""
    from sflow_pipeline.storage.instance_codec import decode_samples

    found: list[InstanceEncoding] = []
    for frame in _choose(dump.frames):
        if frame.instance is None:
            continue
        try:
            instances = decode_samples(dump.folder.read_bytes(frame.instance), name=frame.instance)
            labels = dump.label_format.read(dump.folder.read_bytes(frame.label), None, frame.label).label_map
        except (OSError, FrameError):
            continue
        if instances.shape[:2] == labels.shape and instances.any():
            found.append(detect_instance_encoding(instances, labels))
    return max(found, key=found.count, default="numbered")


def _choose(frames: Sequence[FrameRef]) -> list[FrameRef]:
    return [frames[position] for position in _spread(len(frames))]


def _spread(length: int) -> list[int]:
    """Up to 8 positions of a list, evenly spread from its first to its last."""
    positions: list[int] = np.unique(np.linspace(0, length - 1, _SAMPLE).astype(int)).tolist() if length else []
    return positions
