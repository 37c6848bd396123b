"""Crops of an arm: which pictures they are from, in which number, and that a library's network takes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sflow_pipeline.config.downstream_job import DownstreamJob, load_downstream_job
from sflow_pipeline.downstream.arm_crops import ArmCrops
from sflow_pipeline.downstream.compare import Comparer
from sflow_pipeline.downstream.networks import build_network

Write = Callable[..., Path]


@pytest.fixture
def cut(write_pictures: Write, write_job: Write, tmp_path: Path) -> Callable[..., np.ndarray]:
    """Red of the crops of some steps: ``dark`` pictures have 10, ``bright`` ones 240."""
    write_pictures(tmp_path / "dark", colors={3: (10, 10, 10)})
    write_pictures(tmp_path / "bright", colors={3: (240, 240, 240)})
    sources = {name: str(tmp_path / name) for name in ("dark", "bright")}

    def start(arm: str, steps: int = 4) -> np.ndarray:
        job = load_downstream_job(write_job(sources=sources, arms=[arm], batch_size=4))
        comparer = Comparer(job, tmp_path / "out")
        crops = ArmCrops(job.parsed_arms[0], comparer.parts, job, comparer.label_space, seed=0)
        return np.stack([crops.cut(step).photo.float().mean(dim=(1, 2, 3)).numpy() for step in range(steps)])

    return start


def test_summands_fill_a_batch_each_and_alternatives_share_one(cut: Callable[..., np.ndarray]) -> None:
    assert cut("dark").shape == (4, 4)
    assert (cut("dark") < 30).all()
    added, shared = cut("dark + bright"), cut("dark or bright")
    assert (added < 30).sum(axis=1).tolist() == [4] * 4
    assert (added > 200).sum(axis=1).tolist() == [4] * 4
    assert shared.shape == (4, 4)
    assert (shared < 30).sum(axis=1).tolist() == [2] * 4


def test_the_same_source_twice_has_other_crops(cut: Callable[..., np.ndarray]) -> None:
    batch = cut("dark + dark", steps=1)[0]
    assert not np.array_equal(batch[:4], batch[4:])


def test_weights_decide_how_often_a_picture_is_drawn(write_job: Write, write_pictures: Write, tmp_path: Path) -> None:
    rare = {"path": str(write_pictures(tmp_path / "dark", colors={3: (10, 10, 10)})), "weight": 1}
    often = {"path": str(write_pictures(tmp_path / "bright", colors={3: (240, 240, 240)})), "weight": 3}
    job = load_downstream_job(write_job(sources={"mixed": [rare, often]}, arms=["mixed"], batch_size=12))
    comparer = Comparer(job, tmp_path / "out")
    crops = ArmCrops(job.parsed_arms[0], comparer.parts, job, comparer.label_space, seed=0)
    drawn = np.concatenate([crops.cut(step).photo.float().mean(dim=(1, 2, 3)).numpy() for step in range(4)])
    assert (drawn > 200).mean() == pytest.approx(0.75, abs=0.05)


def test_every_nth_picture_and_the_working_width(write_job: Write, write_pictures: Write, tmp_path: Path) -> None:
    write_pictures(tmp_path / "many", count=9)
    sources = {"real": str(tmp_path / "many"), "few": {"path": str(tmp_path / "many"), "limit": 5}}
    job = load_downstream_job(write_job(sources=sources, arms=["real", "real/4", "few/2"], frame_width_px=[32, 40]))
    comparer = Comparer(job, tmp_path / "out")
    sizes = {part.name: len(found) for part, found in comparer.parts.items()}
    assert sizes == {"real": 9, "real/4": 3, "few/2": 3}
    assert comparer.parts[job.parsed_arms[0].parts[0]].photos.size_px(0) == (30, 40)
    assert comparer.tests["held-out"].photos.size_px(0) == (48, 64)


@pytest.mark.parametrize("name", ["segmenter", "segformer"])
def test_networks_learn_a_step(name: str) -> None:
    if name == "segformer":
        pytest.importorskip("transformers")
    network = build_network(name, classes=12, width=16)
    logits = network(torch.zeros(2, 3, 64, 96))
    assert logits.shape == (2, 12, 64, 96)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters() if parameter.requires_grad)


def test_the_same_arm_has_one_name(write_job: Write) -> None:
    job = load_downstream_job(write_job(arms=["real+rendered", "real  +  rendered", "real / 2", "real or rendered"]))
    assert job.arms == ("real + rendered", "real/2", "real or rendered")
    assert DownstreamJob.model_validate(job.model_dump()) == job
