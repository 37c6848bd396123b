"""Real photos with their class maps, decoded once into one memory-mapped file."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class PhotoSet:
    """Photos (h, w, 3) uint8 RGB and class indices (h, w) uint8 by number; sizes may differ between photos.

    Some sets have instance numbers (h, w) uint16 too, which tell the objects of one photo apart.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.names: list[str] = index["names"]
        self.has_instances: bool = index.get("has_instances", False)
        self._places: list[list[int]] = index["places"]
        self._data = np.memmap(folder / "photos.bin", dtype=np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self.names)

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


def pack_photo_set(
    photos: Iterable[tuple[str, NDArray[np.uint8], NDArray[np.uint8], *tuple[NDArray[np.uint16], ...]]],
    folder: Path,
    *,
    has_instances: bool = False,
) -> PhotoSet:
    """Write (name, photo, class indices[, instance numbers]) to ``folder``.

    The index comes last, so half a pack is never read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    places: list[tuple[int, int, int]] = []
    temporary = folder / f"photos.bin.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            for name, photo, *planes in photos:
                names.append(name)
                places.append((file.tell(), photo.shape[0], photo.shape[1]))
                file.write(np.ascontiguousarray(photo).data)
                for plane in planes:
                    file.write(np.ascontiguousarray(plane).data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / "photos.bin")
    finally:
        temporary.unlink(missing_ok=True)
    index = folder / f"index.json.{os.getpid()}"
    index.write_text(json.dumps({"names": names, "places": places, "has_instances": has_instances}))
    os.replace(index, folder / "index.json")
    return PhotoSet(folder)
