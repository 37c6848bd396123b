"""Killed at any moment, a run goes on as if nothing had happened."""

import contextlib
import csv
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import OutputError, TrainingError, UsageError
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.training.run.checkpoint import save_checkpoint
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.step.state import build_state
from sflow_pipeline.training.train import train


class StopError(Exception):
    pass


pytestmark = pytest.mark.usefixtures("one_thread")


def newest(folder: Path) -> Path:
    return max(folder.glob("checkpoint-*.safetensors"))


def collect_terms(
    recipe: Recipe, data: Path, out: Path, stop: int | None = None, perceptual: Path | None = None
) -> dict[int, dict[str, float]]:
    terms: dict[int, dict[str, float]] = {}

    def on_progress(progress: TrainingProgress) -> None:
        terms[progress.images_seen] = progress.terms
        if stop is not None and progress.images_seen >= stop:
            raise StopError

    with contextlib.suppress(StopError):
        train(recipe, str(data), out, perceptual=perceptual, on_progress=on_progress)
    return terms


@pytest.mark.parametrize(
    ("warmup_images", "semantic_width"),
    [(0, 0), (12, 0), (0, 8)],
    ids=["", "before the discriminator", "with a semantic discriminator"],
)
def test_interrupted_and_resumed_gives_the_same_losses_and_weights(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, warmup_images: int, semantic_width: int
) -> None:
    fields = tiny_recipe.model_dump()
    fields["schedule"] |= {"warmup_images": warmup_images}
    perceptual = None
    if semantic_width:
        fields["schedule"]["crop_px"] = (48, 48)
        fields["discriminator"]["semantic_width"] = semantic_width
        fields["loss"]["view_jitter"] = 0.2
        perceptual = tmp_path / "squeezenet.safetensors"
        torch.manual_seed(0)
        save_file(SqueezeNetFeatures().state_dict(), perceptual)
    tiny_recipe = Recipe.model_validate(fields)
    straight = collect_terms(tiny_recipe, camvid, tmp_path / "straight", perceptual=perceptual)
    first = collect_terms(tiny_recipe, camvid, tmp_path / "resumed", stop=10, perceptual=perceptual)
    second = collect_terms(tiny_recipe, camvid, tmp_path / "resumed", perceptual=perceptual)
    assert all(("semantic_discriminator" in terms) == (semantic_width > 0) for terms in straight.values())
    assert max(first) == 10
    assert min(second) == 10  # the checkpoint at 8 images, then the step to 10 once more
    assert {**first, **second} == straight
    a, b = load_file(newest(tmp_path / "straight")), load_file(newest(tmp_path / "resumed"))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)
    rows = [list(csv.reader((tmp_path / run / "losses.csv").open())) for run in ("straight", "resumed")]
    assert rows[0] == rows[1]
    assert [row[0] for row in rows[0]] == ["images_seen", "4", "8", "12", "16", "20"]


def test_resumed_run_keeps_its_precision(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that began in fp32 goes on in fp32 on a machine where ``auto`` would choose bf16."""
    recipe = tiny_recipe.model_copy(update={"precision": "auto"})
    choice = "sflow_pipeline.networks.device.choose_cpu_precision"
    monkeypatch.setattr(choice, lambda: "fp32")
    whole = collect_terms(recipe, camvid, tmp_path / "whole")
    first = collect_terms(recipe, camvid, tmp_path / "parts", stop=11)
    monkeypatch.setattr(choice, lambda: "bf16")
    assert first | collect_terms(recipe, camvid, tmp_path / "parts") == whole


def test_kill_9_leaves_a_run_that_goes_on(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(tiny_recipe.model_dump_json())
    script = textwrap.dedent(
        f"""
        import os, signal, torch
        from pathlib import Path
        from sflow_pipeline.config.recipe import load_recipe
        from sflow_pipeline.training.train import train
        torch.set_num_threads(1)
        def die(progress):
            if progress.images_seen == 14:
                os.kill(os.getpid(), signal.SIGKILL)
        folder = Path({str(tmp_path)!r})
        train(load_recipe(folder / "recipe.yaml"), {str(camvid)!r}, folder / "killed", on_progress=die)
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    collect_terms(tiny_recipe, camvid, tmp_path / "straight")
    summary = train(tiny_recipe, str(camvid), tmp_path / "killed")
    assert summary.resumed_from == "checkpoint-000000012.safetensors"
    a, b = load_file(newest(tmp_path / "straight")), load_file(newest(tmp_path / "killed"))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    collect_terms(tiny_recipe, camvid, tmp_path / "run", stop=14)
    path = newest(tmp_path / "run")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    summary = train(tiny_recipe, str(camvid), tmp_path / "run")
    assert summary.damaged_checkpoints == (path.name,)
    assert summary.resumed_from == "checkpoint-000000008.safetensors"
    assert summary.images_seen == 20


def test_a_checkpoint_with_former_tensor_names_is_restored(make_run: Callable, change_recipe: Callable) -> None:
    run = make_run(change_recipe(discriminator={"semantic_width": 8}), SqueezeNetFeatures())
    tensors = {name: tensor.clone() + 1 for name, tensor in run.state.to_tensors().items()}
    former = {name.replace("input_projections.", "doors."): tensor for name, tensor in tensors.items()}
    assert former.keys() != tensors.keys()
    run.state.from_tensors(former, images_seen=4)
    restored = run.state.to_tensors()
    assert all(torch.equal(restored[name], tensor) for name, tensor in tensors.items())


def test_checkpoints_rotate(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(tiny_recipe, str(camvid), tmp_path / "run")
    names = sorted(p.name for p in (tmp_path / "run").glob("checkpoint-*"))
    assert [n for n in names if n.endswith("safetensors")] == [f"checkpoint-{n:09d}.safetensors" for n in (12, 16, 20)]
    assert len(names) == 6


def test_a_checkpoint_of_another_recipe_is_refused(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    collect_terms(tiny_recipe, camvid, tmp_path / "run", stop=6)
    other = Recipe.model_validate(tiny_recipe.model_dump() | {"generator": {"width": 12, "blocks": 1}})
    with pytest.raises(
        TrainingError, match=r"made by another recipe: generator\.width is 9 there and 12 here"
    ) as caught:
        train(other, str(camvid), tmp_path / "run")
    assert "--out" in caught.value.hint


def test_held_out_photos_stay_held_out(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    collect_terms(tiny_recipe, camvid, tmp_path / "run", stop=6)
    data = tiny_recipe.data.model_copy(update={"holdout_fraction": 0.5})
    with pytest.raises(TrainingError, match=r"data\.holdout_fraction is 0\.15 there and 0\.5 here"):
        train(tiny_recipe.model_copy(update={"data": data}), str(camvid), tmp_path / "run")


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_run_does_not_go_on_with_other_photos(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path, is_whole: bool
) -> None:
    """Without its last photo, one that was trained on would be held out."""
    collect_terms(tiny_recipe, camvid, tmp_path / "run", stop=6)
    data = Path(shutil.copytree(camvid, tmp_path / "data"))
    if not is_whole:
        last = max((data / "train").glob("*.png"))
        (data / "trainannot" / last.name).unlink()
        last.unlink()
        with pytest.raises(
            TrainingError, match=r"made with --data 8 pictures, digest \w+, and this run has 7 pictures"
        ):
            train(tiny_recipe, str(data), tmp_path / "run")
    else:  # the same photos at another place
        train(tiny_recipe, str(data), tmp_path / "run")


def test_the_segmenter_does_not_go_on_with_other_photos(camvid: Path, change_recipe: Callable, tmp_path: Path) -> None:
    recipe = change_recipe(segmenter={"images": 4, "crop_px": (32, 32), "checkpoint_every_images": 4})
    train(recipe, str(camvid), tmp_path / "run")
    data = Path(shutil.copytree(camvid, tmp_path / "data"))
    last = max((data / "train").glob("*.png"))
    (data / "trainannot" / last.name).unlink()
    last.unlink()
    with pytest.raises(TrainingError, match="made with --data"):
        train(recipe, str(data), tmp_path / "run", only="segmenter")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes")
def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(tiny_recipe: Recipe, tmp_path: Path) -> None:
    state = build_state(tiny_recipe, None, "cpu")
    whole = save_checkpoint(state, tmp_path)
    state.images_seen = 4
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"checkpoint-000000004\.safetensors: cannot be written"):
            save_checkpoint(state, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path.name for path in tmp_path.iterdir()} == {whole.name, whole.with_suffix(".sha256").name}


def test_a_broken_network_never_becomes_the_newest_checkpoint(tiny_recipe: Recipe, tmp_path: Path) -> None:
    state = build_state(tiny_recipe, None, "cpu")
    whole = save_checkpoint(state, tmp_path)
    state.images_seen = 4
    with torch.no_grad():
        next(state.generator.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"generator/\S+ is not finite after 4 images"):
        save_checkpoint(state, tmp_path)
    assert [path for path in tmp_path.iterdir() if path.suffix == ".safetensors"] == [whole]


def test_a_run_does_not_lose_its_perceptual_network_on_the_way(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    perceptual = tmp_path / "squeezenet.safetensors"
    save_file(SqueezeNetFeatures().state_dict(), perceptual)
    train(tiny_recipe, str(camvid), tmp_path / "run", perceptual=perceptual)
    longer = tiny_recipe.model_copy(update={"schedule": tiny_recipe.schedule.model_copy(update={"joint_images": 16})})
    with pytest.raises(TrainingError, match=r"made with --perceptual SqueezeNet 1.0, and this run has none"):
        train(longer, str(camvid), tmp_path / "run")
    assert train(longer, str(camvid), tmp_path / "run", perceptual=perceptual).images_seen == 24


def test_two_runs_do_not_share_a_folder(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    run = tmp_path / "run"
    seen: list[str] = []

    def on_progress(progress: TrainingProgress) -> None:
        if progress.images_seen > tiny_recipe.schedule.checkpoint_every_images and not seen:
            with pytest.raises(OutputError) as caught:
                train(tiny_recipe, str(camvid), run)
            seen.append(caught.value.message)
            assert train(tiny_recipe, str(camvid), run, only="bundle").images_seen < progress.images_seen

    train(tiny_recipe, str(camvid), run, on_progress=on_progress)
    assert "being written by another run: process" in seen[0]
    train(tiny_recipe, str(camvid), run)


def test_a_time_limit_stops_at_a_checkpoint_that_the_same_call_goes_on_from(
    camvid: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    straight = train(tiny_recipe, str(camvid), tmp_path / "straight")
    first = train(tiny_recipe, str(camvid), tmp_path / "run", minutes=1e-9)
    assert first.images_seen == 2  # the first step is over the limit
    assert (first.bundle.path / "weights.safetensors").exists()
    assert newest(tmp_path / "run").name == "checkpoint-000000002.safetensors"
    assert not (tmp_path / "run" / "segmenter").exists()
    last = train(tiny_recipe, str(camvid), tmp_path / "run")
    assert last.images_seen == straight.images_seen
    assert last.bundle.digest == straight.bundle.digest


@pytest.mark.parametrize("minutes", [0.0, -1.0])
def test_a_time_limit_of_nothing_is_refused(camvid: Path, tiny_recipe: Recipe, tmp_path: Path, minutes: float) -> None:
    with pytest.raises(UsageError, match=rf"--minutes {minutes:g}: must be above 0"):
        train(tiny_recipe, str(camvid), tmp_path / "run", minutes=minutes)
