"""A run from the command line can be followed: page, events, and a segmenter on top of what it made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.cli.app import app
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import MissingExtraError, OutputError, TrainingError, UsageError
from sflow_pipeline.training.run.event_log import EventLog
from sflow_pipeline.training.run.loop import TrainingProgress


@pytest.fixture
def arguments(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> list[str]:
    (tmp_path / "recipe.yaml").write_text(tiny_recipe.model_dump_json())
    return ["train", str(tmp_path / "recipe.yaml"), "--data", str(camvid), "--out", str(tmp_path / "run")]


def test_preview_then_a_segmenter_alone(arguments: list[str], tmp_path: Path) -> None:
    first = CliRunner().invoke(app, [*arguments, "--preview", "--json"], catch_exceptions=False)
    facts = json.loads(first.stdout)
    assert facts["segmenter"] is None
    page = (tmp_path / "run" / "preview.html").read_text()
    assert "After 20 images" in page
    more = ["--set", "segmenter.images=8", "--set", "segmenter.width=6", "--set", "segmenter.crop_px=[32, 32]"]
    second = CliRunner().invoke(app, [*arguments, "--only", "segmenter", *more, "--json"], catch_exceptions=False)
    later = json.loads(second.stdout)
    assert later["segmenter"]["images_seen"] == 8
    assert later["digest"] == facts["digest"]


def test_a_folder_that_is_refused_gets_no_page(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    refused = CliRunner().invoke(app, [*arguments, "--preview"])
    assert isinstance(refused.exception, OutputError)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_only_knows_two_parts(arguments: list[str]) -> None:
    refused = CliRunner().invoke(app, [*arguments, "--only", "dned"])
    assert isinstance(refused.exception, UsageError)
    assert "--only dned: expected segmenter, gate or bundle" in str(refused.exception)


def test_the_newest_checkpoint_becomes_a_bundle_before_the_run_ends(arguments: list[str], tmp_path: Path) -> None:
    none_yet = CliRunner().invoke(app, [*arguments, "--only", "bundle"])
    assert isinstance(none_yet.exception, TrainingError)
    assert f"--only bundle: {tmp_path / 'run'} holds no checkpoint" in str(none_yet.exception)
    every = ["--set", "schedule.checkpoint_every_images=4"]
    whole = json.loads(CliRunner().invoke(app, [*arguments, *every, "--json"], catch_exceptions=False).stdout)
    newest = max((tmp_path / "run").glob("checkpoint-*.safetensors"))
    newest.unlink()
    early = CliRunner().invoke(app, [*arguments, *every, "--only", "bundle", "--json"], catch_exceptions=False)
    facts = json.loads(early.stdout)
    assert (whole["images_seen"], facts["images_seen"]) == (20, 16)
    assert load_bundle(facts["bundle"]).metadata.images_seen == 16
    assert not newest.exists()  # nothing was trained
    plain = CliRunner().invoke(app, [*arguments, "--only", "bundle", "--set", "schedule.lr_generator=0.5"])
    assert plain.exit_code == 0
    recipe = load_bundle(facts["bundle"]).recipe
    assert recipe.schedule.lr_generator != 0.5  # what was trained by is what the bundle says


def test_the_segmenter_is_not_shared_out(arguments: list[str]) -> None:
    refused = CliRunner().invoke(app, [*arguments, "--only", "segmenter", "--workers", "2"])
    assert isinstance(refused.exception, UsageError)
    assert "--only segmenter: that is done in one process" in str(refused.exception)


def test_one_process_needs_no_ray(arguments: list[str]) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.cli.app import app
done = CliRunner().invoke(app, {[*arguments, "--json"]!r}, catch_exceptions=False)
assert done.exit_code == 0, done.output
assert "ray" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_events_hold_every_term_by_images_seen(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventLog(tmp_path / "events")
    for images in (2, 4):
        log.add(TrainingProgress(images, 8, "joint", 1.0, {"gan": images / 8}))
    log.add(TrainingProgress(4, 8, "segmenter", 1.0, {"cross_entropy": 2.0}))
    log.close()
    read = EventAccumulator(str(tmp_path / "events" / "gan"))
    read.Reload()
    assert [(e.step, e.value) for e in read.Scalars("gan")] == [(2, 0.25), (4, 0.5)]
    read = EventAccumulator(str(tmp_path / "events" / "segmenter"))
    read.Reload()
    assert [(e.step, e.value) for e in read.Scalars("cross_entropy")] == [(4, 2.0)]


def test_without_tensorboard_the_flag_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(torch.utils, "tensorboard", raising=False)
    with pytest.raises(MissingExtraError, match="tensorboard is not installed") as caught:
        EventLog(tmp_path / "events")
    assert "--preview" in caught.value.hint
    assert not (tmp_path / "events").exists()
