"""Training on Ray: several workers give the result of one; a dead worker costs the steps since its checkpoint."""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("ray.train")

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.training.process_group import WorkerOptions
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.step.state import build_state
from sflow_pipeline.training.train import train

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LAST = "checkpoint-000000020.safetensors"


def find_worker() -> int:
    """The process of one of this process's Ray Train workers."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            parents[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), command)

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid][0]
        return pid == os.getpid()

    return next(pid for pid, (_, command) in parents.items() if b"RayTrainWorker" in command and is_ours(pid))


def measure_distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    keys = [key for key in a if key.startswith(("generator/", "discriminator/", "dned/"))]
    return sum((a[key] - b[key]).double().square().sum().item() for key in keys) ** 0.5


def test_a_team_that_loses_a_worker_ends_where_one_process_does(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    clock: list[int] = []

    def kill_once(progress: TrainingProgress) -> None:
        if progress.images_seen >= 10 and max(clock) < 10:
            os.kill(find_worker(), signal.SIGKILL)
        clock.append(progress.images_seen)

    bundle = build_random_bundle(tmp_path / "bundle", seed=3, recipe=tiny_recipe)
    summary = train(
        tiny_recipe,
        str(camvid),
        tmp_path / "team",
        worker_options=WorkerOptions(2),
        start=bundle,
        on_progress=kill_once,
    )
    assert (summary.restarts, summary.images_seen, summary.resumed_from) == (1, 20, None)
    assert set(clock) == set(range(2, 21, 2))
    assert (tmp_path / "team" / "samples" / "000000020.png").is_file()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(tiny_recipe, str(camvid), tmp_path / "alone", start=bundle)
    ours, theirs = (load_file(tmp_path / run / LAST) for run in ("team", "alone"))
    start = build_state(tiny_recipe, None, "cpu", bundle).to_tensors()
    # Not equal: gradients are added in another order, and Adam takes the sign of those that are nearly zero.
    assert measure_distance(ours, theirs) < 0.01 * measure_distance(start, theirs)

    # One process goes on where the team ended.
    longer = tiny_recipe.schedule.model_dump() | {"joint_images": 14}
    recipe = Recipe.model_validate(tiny_recipe.model_dump() | {"schedule": longer})
    summary = train(recipe, str(camvid), tmp_path / "team")
    torch.set_num_threads(threads)
    assert (summary.resumed_from, summary.images_seen) == (LAST, 22)


def refuse(recipe: Recipe, camvid: Path, out: Path, workers: int, device: str = "auto") -> UsageError:
    with pytest.raises(UsageError) as caught:
        train(recipe, str(camvid), out, worker_options=WorkerOptions(workers), device=device)
    return caught.value


def test_a_batch_that_cannot_be_shared(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    schedule = tiny_recipe.schedule.model_dump() | {"batch_size": 4}
    recipe = Recipe.model_validate(tiny_recipe.model_dump() | {"schedule": schedule})
    error = refuse(recipe, camvid, tmp_path / "out", workers=3)
    assert str(error) == "--workers 3: schedule.batch_size 4 cannot be shared evenly"
    assert error.hint == "use --workers 2, or --set schedule.batch_size=6"
    assert not (tmp_path / "out").exists()


def test_a_gpu_is_not_for_the_user_to_number(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    error = refuse(tiny_recipe, camvid, tmp_path / "out", workers=2, device="cuda:1")
    assert "--device cuda:1" in str(error)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"CPU": 1.0}, "--workers 2: they need 2 CPUs, Ray has 1"),
        ({"CPU": 8.0, "GPU": 1.0}, "--workers 2: each needs a GPU, Ray has 1"),
    ],
)
def test_too_small_a_cluster_is_refused_before_it_waits_for_ever(
    camvid: Path,
    tiny_recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resources: dict[str, float],
    message: str,
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr("ray.cluster_resources", lambda: resources)
    error = refuse(tiny_recipe, camvid, tmp_path / "out", workers=2)
    assert str(error) == message
    assert "--workers" in error.hint or "one worker" in error.hint


def test_without_ray_train_the_flag_says_how_to_get_it(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sflow_pipeline.training.run.on_ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray.train", None)
    with pytest.raises(MissingExtraError, match="--workers 2: Ray Train cannot be loaded") as caught:
        train(tiny_recipe, str(camvid), tmp_path / "out", worker_options=WorkerOptions(2))
    assert "sflow-pipeline[cluster]" in caught.value.hint
