"""Makes small dumps in the layouts that simulators write."""

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

MakeTree = Callable[[Iterable[str]], Path]
MakeCarla = Callable[..., Path]


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Writes files (content does not matter) and returns the folder they are in."""

    def make(names: Iterable[str]) -> Path:
        root = tmp_path / "dump"
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return root

    return make


@pytest.fixture
def make_carla(tmp_path: Path) -> MakeCarla:
    """Writes ``CameraRGB``/``CameraSeg`` with sky above, buildings, and road below, as the given tags or colours."""

    def make(sky: object, building: object, road: object, *, frames: int = 2, red_only: bool = True) -> Path:
        root = tmp_path / "dump"
        label = np.zeros((48, 64, 3), np.uint8)
        for rows, value in ((slice(0, 20), sky), (slice(20, 30), building), (slice(30, 48), road)):
            label[rows] = [value, 0, 0] if isinstance(value, int) else value
        for index in range(frames):
            write_png(root / "CameraRGB" / f"{index}.png", np.zeros((48, 64, 3), np.uint8))
            write_png(root / "CameraSeg" / f"{index}.png", label if red_only else label[..., 0])
        return root

    return make


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """(h, w) grey or (h, w, 3) RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


@pytest.fixture
def make_layout(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the dump that ``layouts/<name>.py`` imitates and returns its folder."""

    def make(name: str) -> Path:
        root = tmp_path / name
        _load(name).write(root)
        return root

    return make


@pytest.fixture
def load_layout() -> Callable[[str], ModuleType]:
    """The generator of a layout by its name."""
    return _load


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "layouts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
