"""Exports of the drawn dataset, and what the simulator wrote, to compare them with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sflow_pipeline.export.export_dataset import ExportSummary, export_dataset


@pytest.fixture
def export(convert_streets: Callable[..., Path], tmp_path: Path) -> Callable[..., tuple[Path, ExportSummary]]:
    """Exports the drawn dataset to a folder named after the format."""

    def run(to: str, stored: str = "parquet", **options: Any) -> tuple[Path, ExportSummary]:
        dest = tmp_path / f"{to}-{stored}"
        return dest, export_dataset(str(convert_streets(format=stored, variants=2)), str(dest), to, **options)

    return run


@pytest.fixture
def read_dump(street_dump: Path) -> Callable[[str, str, int], np.ndarray]:
    """A file of the dump by kind, sequence and frame: pixels with channels in file order."""

    def read(kind: str, sequence: str, frame: int) -> np.ndarray:
        return read_png(street_dump / sequence / kind / f"{frame:06d}.png")

    return read


@pytest.fixture
def read_boxes(street_dump: Path) -> Callable[[str, int], list[dict[str, Any]]]:
    """The simulator's own boxes of a frame."""

    def read(sequence: str, frame: int) -> list[dict[str, Any]]:
        boxes: list[dict[str, Any]] = json.loads((street_dump / sequence / "boxes" / f"{frame:06d}.json").read_text())[
            "boxes"
        ]
        return boxes

    return read


def read_png(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
