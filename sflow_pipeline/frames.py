"""A frame on the host: first by name (FrameRef), then with pixels (Frame)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What a frame may carry, in the order tables show it. Each is a column of the index and a field of FrameRef.
MODALITIES = (
    "render", "label", "label_table", "instance", "depth", "flow", "occlusion", "boxes", "boxes_file", "camera",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Where one frame's files are; no pixels.

    Paths are POSIX, relative to the dump's root, and never leave it. ``sample_id`` is
    ``<sequence_id>/<frame name>``, unique within a dump, safe as a file name below an output folder.
    ``label_table`` says what this frame's label pixels mean where that differs from frame to frame; ``boxes_file``
    holds boxes that are not text.

    >>> FrameRef("town01/0007", "town01", 7, "train", "town01/rgb/0007.png", "town01/semantic/0007.png").depth is None
    True
    """

    sample_id: str
    sequence_id: str
    frame_index: int
    split: str
    render: str
    label: str
    instance: str | None = None
    depth: str | None = None
    flow: str | None = None
    occlusion: str | None = None
    boxes: str | None = None
    camera: str | None = None
    label_table: str | None = None
    boxes_file: str | None = None


@dataclass(slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        ref: where it came from.
        render: (h, w, 3) uint8 RGB, the simulator's picture.
        label_map: (h, w) uint8 or uint16 class ids of the *dump's* label space.
        label_bytes: the label file as it was read, untouched.
        carried: the other modalities' files as they were read, by modality name.
    """

    ref: FrameRef
    render: NDArray[np.uint8]
    label_map: NDArray[Any]
    label_bytes: bytes
    carried: dict[str, bytes]
