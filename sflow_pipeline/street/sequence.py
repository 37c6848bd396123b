"""One driven sequence of the street, frame by frame: pictures and every label, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.street.annotations import compute_depth, describe_camera, find_boxes
from sflow_pipeline.street.buffers import draw_buffers
from sflow_pipeline.street.flow import compute_flow
from sflow_pipeline.street.look_camera import CameraLook
from sflow_pipeline.street.look_cg import CgLook
from sflow_pipeline.street.scene import build_scene

Look = Literal["cg", "camera"]
LOOKS: tuple[Look, ...] = ("cg", "camera")
FPS = 10.0
LABEL_SPACE = "cityscapes19"
#: Raised whenever the same arguments give other pixels or labels.
VERSION = 1
SMALLEST_PX = 16
LARGEST_PX = 8192


@dataclass(frozen=True, slots=True)
class StreetFrame:
    """One frame.

    Attributes:
        render: (h, w, 3) uint8 RGB.
        label_map: (h, w) uint8 cityscapes19 ids.
        instance_map: (h, w) uint16, class_id * 1000 + n for countable classes, else the class id.
        depth: (h, w) uint16 centimetres along the optical axis, 65535 = sky.
        flow: (h, w, 2) float32 displacement to the next frame in px.
        occluded: (h, w) bool, not to be seen in the next frame.
        boxes: see ``find_boxes``.
        camera: see ``describe_camera``.
    """

    render: NDArray[np.uint8]
    label_map: NDArray[np.uint8]
    instance_map: NDArray[np.uint16]
    depth: NDArray[np.uint16]
    flow: NDArray[np.float32]
    occluded: NDArray[np.bool_]
    boxes: list[dict[str, Any]]
    camera: dict[str, Any]


class StreetSequence:
    """A deterministic street: the same arguments give the same frames, in any order and process.

    Labels, depth, flow and camera do not depend on the look.

    Args:
        seed: of the dump, not negative.
        sequence_index: of the sequence in the dump.
        frames: number of frames of the drive.
        size: width and height in px, each 16 to 8192.
        look: ``cg`` or ``camera``.

    Raises:
        UsageError: an argument is out of range.

    >>> frame = StreetSequence(seed=3, sequence_index=0, frames=1, size=(64, 32), look="cg").render_frame(0)
    >>> frame.render.shape, frame.flow.shape, frame.label_map.dtype
    ((32, 64, 3), (32, 64, 2), dtype('uint8'))
    """

    def __init__(self, *, seed: int, sequence_index: int, frames: int, size: tuple[int, int], look: Look) -> None:
        if seed < 0 or sequence_index < 0 or frames < 1:
            raise UsageError(
                f"seed {seed}, sequence {sequence_index}, frames {frames}: seed and sequence start at 0, frames at 1"
            )
        if not all(SMALLEST_PX <= side <= LARGEST_PX for side in size):
            raise UsageError(
                f"size {size[0]}x{size[1]}: each side must be {SMALLEST_PX} to {LARGEST_PX} px", hint="try 512x256"
            )
        if look not in LOOKS:
            raise UsageError(f"look {look!r}: expected one of {', '.join(LOOKS)}")
        self.frames = frames
        self._scene = build_scene(seed, sequence_index, (frames + 1) / FPS, size)
        self._look = CgLook(self._scene) if look == "cg" else CameraLook(self._scene)
        self._identity = (seed, sequence_index)

    def render_frame(self, frame_index: int) -> StreetFrame:
        """One frame with all its labels."""
        return next(self.render_frames(frame_index, frame_index + 1))

    def render_frames(self, start: int = 0, stop: int | None = None) -> Iterator[StreetFrame]:
        """Frames ``start`` up to ``stop``; one after the other they share the work of flow.

        Flow of the last frame leads to one that is not delivered.
        """
        stop = self.frames if stop is None else stop
        if not 0 <= start < stop <= self.frames:
            raise UsageError(f"frames {start} to {stop}: the sequence has frames 0 to {self.frames}")
        scene, faces = self._scene, self._scene.faces
        later = draw_buffers(scene, start / FPS)
        for frame_index in range(start, stop):
            now, later = later, draw_buffers(scene, (frame_index + 1) / FPS)
            flow, occluded = compute_flow(scene, now, later)
            instance_map = faces.instance_id[now.face]
            yield StreetFrame(
                render=self._look.paint(now, (*self._identity, frame_index)),
                label_map=faces.class_id[now.face],
                instance_map=instance_map,
                depth=compute_depth(now.inverse_depth),
                flow=flow,
                occluded=occluded,
                boxes=find_boxes(instance_map),
                camera=describe_camera(scene, now, frame_index / FPS),
            )
