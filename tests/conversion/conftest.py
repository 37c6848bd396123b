"""A tiny dump in the plain layout, a tiny bundle with random weights, and ways to compare datasets."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.config.recipe import Recipe

SIZE_PX = (48, 32)


class PlainDump:
    """Writes frames of the plain layout; each frame's content is decided by its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add_frame(self, sequence: str, frame: int, *, size_px: tuple[int, int] = SIZE_PX, salt: str = "") -> None:
        seed = hashlib.sha256(f"{sequence}/{frame}{salt}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(seed[:8], "big"))
        width, height = size_px
        label_map = rng.integers(0, 12, (height // 8, width // 8)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        render = rng.integers(0, 256, (height, width, 3), np.uint8)
        self.write(f"{sequence}/rgb/{frame:04}.png", cv2.imencode(".png", render)[1].tobytes())
        self.write(f"{sequence}/semantic/{frame:04}.png", cv2.imencode(".png", label_map)[1].tobytes())

    def write(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def remove_frame(self, sequence: str, frame: int) -> None:
        for kind in ("rgb", "semantic"):
            (self.root / sequence / kind / f"{frame:04}.png").unlink()


@pytest.fixture
def dump(tmp_path: Path) -> PlainDump:
    """Two sequences of six frames."""
    made = PlainDump(tmp_path / "sim")
    for sequence in ("town01", "town02"):
        for frame in range(6):
            made.add_frame(sequence, frame)
    made.write("dataset.yaml", b"label_space: camvid11\n")
    return made


@pytest.fixture
def make_job(dump: PlainDump, random_bundle: Path, tmp_path: Path) -> Callable[..., ConvertJob]:
    """A job over the dump; keyword arguments are its fields."""

    def make(**fields: Any) -> ConvertJob:
        defaults = {"sim_dir": str(dump.root), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
        return build_job({**defaults, "shard_frames": 4, "workers": 1, "precision": "fp32", **fields})

    return make


@pytest.fixture
def snapshot() -> Callable[[str | Path], dict[str, str]]:
    """Path -> sha256 of every file of a folder."""

    def take(root: str | Path) -> dict[str, str]:
        files = sorted(path for path in Path(root).rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return take


@pytest.fixture
def read_dataset() -> Callable[[str | Path], list[dict[str, Any]]]:
    """All rows, read with pyarrow alone."""

    def read(root: str | Path) -> list[dict[str, Any]]:
        shards = sorted((Path(root) / "data").rglob("*.parquet"))
        return [row for shard in shards for row in pq.read_table(shard).to_pylist()]

    return read


@pytest.fixture
def read_quarantine() -> Callable[[str | Path], list[dict[str, Any]]]:
    """All quarantine rows, read with pyarrow alone."""

    def read(root: str | Path) -> list[dict[str, Any]]:
        shards = sorted((Path(root) / "quarantine").rglob("*.parquet"))
        return [row for shard in shards for row in pq.read_table(shard).to_pylist()]

    return read


@pytest.fixture
def read_manifest() -> Callable[[str | Path], dict[str, Any]]:
    def read(root: str | Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((Path(root) / "manifest.json").read_text())
        return content

    return read


@pytest.fixture(scope="session")
def appearance_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random bundle with palettes and an appearance map."""
    recipe = Recipe.model_validate(
        {
            "name": "random",
            "generator": {"width": 9, "blocks": 1, "use_palette": True, "use_appearance": True},
            "dned": {"widths": (4, 4, 4, 4, 4)},
        }
    )
    return build_random_bundle(tmp_path_factory.mktemp("bundle") / "random", 1, recipe).path
