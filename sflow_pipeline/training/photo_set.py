"""Real photos with their class maps, decoded once into one memory-mapped file."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class PhotoSet:
    """Photos (h, w, 3) uint8 RGB and class indices (h, w) uint8 by number; sizes may differ between photos."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.names: list[str] = index["names"]
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


def pack_photo_set(pairs: Iterable[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]], folder: Path) -> PhotoSet:
    """Write (name, photo, class indices) triples to ``folder``; the index comes last, so half a pack is never read."""
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    places: list[tuple[int, int, int]] = []
    temporary = folder / f"photos.bin.{os.getpid()}"
    with open(temporary, "wb") as file:
        for name, photo, classes in pairs:
            names.append(name)
            places.append((file.tell(), photo.shape[0], photo.shape[1]))
            file.write(np.ascontiguousarray(photo).data)
            file.write(np.ascontiguousarray(classes).data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / "photos.bin")
    index = folder / f"index.json.{os.getpid()}"
    index.write_text(json.dumps({"names": names, "places": places}))
    os.replace(index, folder / "index.json")
    return PhotoSet(folder)
