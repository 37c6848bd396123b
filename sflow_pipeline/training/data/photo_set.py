"""A photo set: real photos with their class maps, decoded once into one memory-mapped file."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import TrainingError, first_line
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.write_errors import translate_write_errors
from sflow_pipeline.storage.write_whole import write_whole

_PIXELS_FILE = "photos.bin"
#: Version of ``index.json``.
PACK_FORMAT = 2


@dataclass(frozen=True)
class PhotoFacts:
    """Facts about one photo of a set.

    Attributes:
        name: the sample's id, with the number of its data folder in front where there are several.
        sequence: the recording that it belongs to, unique in the set.
        frame: its number in the recording; consecutive frames of a video have consecutive numbers.
        timestamp_s: time in the recording, None where the data has none.
        weight: how often it is drawn in training, relative to a photo of weight 1.
        labels: ``true``, by people or a renderer, or ``pseudo``, predicted by a network.
        is_video: consecutive numbers are consecutive frames of a video, and not photos at some distance.
        source: number of the data folder, from 0.
        is_reference: whether ``loss.kernel`` compares simulator frames with it.
    """

    name: str
    sequence: str = ""
    frame: int = 0
    timestamp_s: float | None = None
    weight: float = 1.0
    labels: Literal["true", "pseudo"] = "true"
    is_video: bool = False
    source: int = 0
    is_reference: bool = True


@dataclass(frozen=True)
class PhotoEntry:
    """One photo to pack: photo (h, w, 3) uint8 RGB, class indices (h, w) uint8, instance numbers (h, w) uint16.

    ``flow`` is (h, w, 2) float16 px to the next frame, NaN where that does not show the same surface.
    """

    facts: PhotoFacts
    photo: NDArray[np.uint8]
    class_index: NDArray[np.uint8]
    instances: NDArray[np.uint16] | None = None
    flow: NDArray[np.float16] | None = None


class PhotoSet:
    """Photos (h, w, 3) uint8 RGB and class indices (h, w) uint8 by number; sizes may differ between photos.

    Some sets have instance numbers (h, w) uint16, too, which distinguish the objects of one photo, or optical flow.

    Attributes:
        facts: of every photo, in order.

    Raises:
        OSError: the folder cannot be read.
        TrainingError: it was packed by another version, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        hint = "remove the folder; the next run packs the photos again"
        try:
            self._read_index(folder, hint)
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TrainingError(f"packed photos {folder}: damaged: {first_line(error)}", hint=hint) from error

    def _read_index(self, folder: Path, hint: str) -> None:
        index = json.loads((folder / "index.json").read_text())
        if index.get("format") != PACK_FORMAT:
            raise TrainingError(
                f"packed photos {folder}: format {index.get('format', 1)}, this version reads {PACK_FORMAT}",
                hint=hint,
            )
        self.folder = folder
        self.has_instances: bool = index["has_instances"]
        self.has_flow: bool = index.get("has_flow", False)
        self.facts = [PhotoFacts(**facts) for facts in index["photos"]]
        numbers = [(item.get("sequence", ""), item.get("frame", 0)) for item in index["photos"]]
        if not all(isinstance(sequence, str) and isinstance(frame, int) for sequence, frame in numbers):
            raise ValueError("a photo has no sequence name or no frame number")
        self._places: list[tuple[int, int, int]] = [(int(o), int(h), int(w)) for o, h, w in index["places"]]
        self._data = np.memmap(folder / _PIXELS_FILE, dtype=np.uint8, mode="r")
        planes = 4 + 2 * self.has_instances + 4 * self.has_flow
        if len(self._places) != len(self.facts) or any(
            offset < 0 or height < 1 or width < 1 or offset + planes * height * width > len(self._data)
            for offset, height, width in self._places
        ):
            raise ValueError("its photos are not where its index says")

    def __len__(self) -> int:
        return len(self.facts)

    def size_px(self, i: int) -> tuple[int, int]:
        """(height, width) of photo ``i``."""
        _, height, width = self._places[i]
        return height, width

    def read(self, i: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The photo and the class index map at ``i``, as views of the file."""
        offset, height, width = self._places[i]
        pixels = height * width
        photo = self._data[offset : offset + 3 * pixels].reshape(height, width, 3)
        classes = self._data[offset + 3 * pixels : offset + 4 * pixels].reshape(height, width)
        return photo, classes

    def read_instances(self, i: int) -> NDArray[np.uint16]:
        """The instance numbers at ``i``, of a set that has them."""
        offset, height, width = self._places[i]
        pixels = height * width
        return self._data[offset + 4 * pixels : offset + 6 * pixels].view(np.uint16).reshape(height, width)

    def read_flow(self, i: int) -> NDArray[np.float16]:
        """(h, w, 2) px to the next frame at ``i``, NaN where it is not known, of a set that has flow."""
        offset, height, width = self._places[i]
        pixels = height * width
        start = offset + (6 if self.has_instances else 4) * pixels
        return self._data[start : start + 4 * pixels].view(np.float16).reshape(height, width, 2)

    def find_pairs(self, step: int = 1) -> list[tuple[int, int]]:
        """Positions of two frames of one sequence whose numbers differ by ``step``, earlier frame first."""
        positions = {(facts.sequence, facts.frame): i for i, facts in enumerate(self.facts)}
        pairs = ((i, positions.get((sequence, frame + step))) for (sequence, frame), i in positions.items())
        return [(i, later) for i, later in pairs if later is not None]


def pack_photo_set(photos: Iterable[PhotoEntry], folder: Path) -> PhotoSet:
    """Write a photo set to ``folder``; all entries have instances, or none has, and so for flow.

    The index is written last, so an incomplete set is never read.
    """
    facts: list[PhotoFacts] = []
    places: list[tuple[int, int, int]] = []
    has_instances = has_flow = False
    with Folder(str(folder)).scratch(_PIXELS_FILE) as scratch:
        with open(scratch.path, "wb") as file:
            for entry in photos:
                has_instances, has_flow = entry.instances is not None, entry.flow is not None
                facts.append(entry.facts)
                places.append((file.tell(), entry.photo.shape[0], entry.photo.shape[1]))
                with translate_write_errors(str(folder / _PIXELS_FILE)):
                    for plane in (entry.photo, entry.class_index, entry.instances, entry.flow):
                        if plane is not None:
                            file.write(np.ascontiguousarray(plane).data)
                    file.flush()
        scratch.publish(_PIXELS_FILE)
    content = {"format": PACK_FORMAT, "has_instances": has_instances, "has_flow": has_flow, "places": places}
    write_whole(folder / "index.json", json.dumps(content | {"photos": [asdict(f) for f in facts]}).encode())
    return PhotoSet(folder)
