"""The script for a lent machine: packed data in, a bundle out after a fixed time, and on from there."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.config.decode import parse_settings
from sflow_pipeline.config.recipe import load_recipe
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.simulators import discover

ROOT = Path(__file__).parents[2]
SMALL = {
    "generator.width": "9",
    "generator.blocks": "1",
    "dned.widths": "[4, 4, 4, 4, 4]",
    "discriminator.width": "8",
    "discriminator.semantic_width": "8",
    "discriminator.projected_width": "8",
}


def run(*command: object, **environment: str) -> str:
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable} | environment
    done = subprocess.run([str(word) for word in command], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def packed(camvid: Path, street_dump: Path, tmp_path: Path) -> Path:
    """Photos and simulator frames, packed."""
    pack = [sys.executable, ROOT / "tools" / "pack_training_data.py"]
    run(*pack, tmp_path / "data", camvid)
    run(*pack, tmp_path / "data" / "all", street_dump)
    (tmp_path / "data" / "all" / "0").rename(tmp_path / "data" / "renders")
    (tmp_path / "data" / "all").rmdir()
    return tmp_path / "data"


def test_packed_labels_are_the_sources_and_pictures_are_close(camvid: Path, packed: Path) -> None:
    source, copy = discover(str(camvid)), discover(str(packed / "0"))
    assert len(copy.frames) == len([frame for frame in source.frames if frame.split == "train"])
    for before, after in zip(source.frames, copy.frames, strict=True):
        labels = [cv2.imread(str(Path(root, path)), cv2.IMREAD_UNCHANGED) for root, path in
                  ((camvid, before.label), (packed / "0", after.label))]  # fmt: skip
        assert np.array_equal(labels[0] if labels[0].ndim == 2 else labels[0][..., 0], labels[1])
        pictures = [cv2.imread(str(Path(root, path))).astype(int) for root, path in
                    ((camvid, before.render), (packed / "0", after.render))]  # fmt: skip
        assert np.abs(pictures[0] - pictures[1]).mean() < 12


def test_what_does_not_fit_is_said(camvid: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "pack_training_data.py"), str(tmp_path / "out"), str(camvid)]
    done = subprocess.run([*command, "--mib", "0.001"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "which is over" in done.stderr
    assert "--mib" in done.stderr


@pytest.mark.slow
def test_the_script_trains_stops_exports_and_goes_on(packed: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    torch.manual_seed(0)
    save_file(SqueezeNetFeatures().state_dict(), weights / "squeezenet1_0_imagenet.safetensors")
    save_file(EfficientNetLiteFeatures().state_dict(), weights / "efficientnet_lite0_imagenet.safetensors")
    settings = parse_settings([f"{key}={value}" for key, value in SMALL.items()], example="seed=1")
    recipe = load_recipe(ROOT / "models" / "sflow", {**settings, "generator.use_appearance": True})
    start = build_random_bundle(tmp_path / "start", 0, recipe)
    small = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    schedule = ["schedule.crop_px=[48, 64]", "schedule.batch_size=2", "schedule.render_batch_size=2"]
    small += [word for value in [*schedule, "schedule.frame_width_px=[64, 96]"] for word in ("--set", value)]
    script = ["bash", ROOT / "tools" / "train_part.sh", packed, weights, tmp_path / "run"]
    run(*script, "0.0001", *small, START_FROM=str(start.path))
    first = load_bundle(str(tmp_path / "run" / "bundle"))
    assert first.metadata.images_seen == 2
    assert first.recipe.generator.use_appearance
    run(*script, "0.0001", *small, START_FROM=str(start.path))
    assert load_bundle(str(tmp_path / "run" / "bundle")).metadata.images_seen == 4
    assert {"render_projected", "render_tone"} <= set(
        (tmp_path / "run" / "losses.csv").read_text().split("\n")[0].split(",")
    )
