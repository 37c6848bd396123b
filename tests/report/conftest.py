"""Datasets to write reports of, one of them with names that try to be HTML."""

import os
from pathlib import Path

import numpy as np
import pytest

import sflow_pipeline
from sflow_pipeline.storage.image_codec import encode_label, encode_rgb
from sflow_pipeline.street.write_dump import write_sample_dump

HOSTILE_SEQUENCE = "<script>document.title='run by a name'<"
HOSTILE_CLASS = '"><img src=x onerror="document.title=\'run by a name\'">'
SIZE = (64, 32)


def convert_small(sim: Path, out: Path, bundle: Path, **fields: object) -> Path:
    """Convert with random weights."""
    fields = {"bundle": bundle, "max_bad_fraction": 1.0, "precision": "fp32", "workers": 1, **fields}
    sflow_pipeline.convert(sim, out, show_progress=False, **fields)
    return out


@pytest.fixture
def dataset(tmp_path: Path, random_bundle: Path) -> Path:
    """Two frames of a drawn street; a third one, whose picture is empty, is quarantined."""
    write_sample_dump(tmp_path / "sim", sequences=1, frames=3, size=SIZE, seed=1, look="cg", workers=1)
    next((tmp_path / "sim").glob("*/rgb/000001.png")).write_bytes(b"")
    return convert_small(tmp_path / "sim", tmp_path / "out", random_bundle)


@pytest.fixture
def wide_dataset(tmp_path: Path, random_bundle: Path) -> Path:
    """Six frames in two sequences, two variants each, pictures of noise."""
    sim = tmp_path / "wide"
    write_sample_dump(sim, sequences=2, frames=3, size=SIZE, seed=2, look="cg", workers=1)
    return convert_small(sim, tmp_path / "wide_out", random_bundle, variants=2)


@pytest.fixture
def hostile_dataset(tmp_path: Path, random_bundle: Path) -> Path:
    """Names of sequence and class are HTML with scripts."""
    sim = tmp_path / "hostile"
    for kind in ("rgb", "semantic"):
        os.makedirs(sim / HOSTILE_SEQUENCE / kind)
    name = HOSTILE_CLASS.replace("'", "''")
    (sim / "space.yaml").write_text(
        "name: '<b>space'\nversion: 1\nvoid: 1\nclasses:\n"
        f"  - {{id: 0, name: '{name}', concepts: [flat.road], color: [9, 99, 9]}}\n"
        "  - {id: 1, name: void, concepts: [void], color: [0, 0, 0]}\n"
    )
    (sim / "dataset.yaml").write_text("label_space: space.yaml\n")
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    for frame in range(2):
        (sim / HOSTILE_SEQUENCE / "rgb" / f"{frame}.png").write_bytes(encode_rgb(noise))
        label = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        (sim / HOSTILE_SEQUENCE / "semantic" / f"{frame}.png").write_bytes(encode_label(label))
    return convert_small(sim, tmp_path / "hostile_out", random_bundle)
