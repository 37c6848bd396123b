"""The suite that users run: its rows, its counts against arithmetic by hand, its picture and its errors."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sflow_pipeline.bench.operations import count_operations
from sflow_pipeline.bench.options import load_painter
from sflow_pipeline.bench.result import Row
from sflow_pipeline.bench.suite import describe_machine
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.portable.portable_bundle import export_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.cli.app import app
from sflow_pipeline.errors import SflowError, UsageError

STAGES = ["decode", "model", "gate", "encode", "write", "pipeline"]


def paint_grey(class_index: np.ndarray, render: np.ndarray) -> np.ndarray:
    assert class_index.shape == render.shape[:2]
    return np.full_like(render, 128)


def paint_too_small(_class_index: np.ndarray, render: np.ndarray) -> np.ndarray:
    return render[::2]


def run_bench(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["bench", "--size", "64x32", "--frames", "1", "--repeats", "1", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_every_stage_of_every_setting_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    picture = tmp_path / "roofline.svg"
    against = "test_bench:paint_grey"
    output = run_bench(
        "--batch-size=1", "--batch-size=2", "--precision=fp32", f"--against={against}", f"--plot={picture}", "--json"
    )
    result = json.loads(output)
    assert [(row["batch_size"], row["stage"]) for row in result["rows"]] == [
        (batch, stage) for batch in (1, 2) for stage in [*STAGES, against]
    ]
    assert all(row["ms"] > 0 and row["ms_least"] <= row["ms"] <= row["ms_most"] for row in result["rows"])
    assert all(row["size_px"] == [64, 32] and row["precision"] == "fp32" for row in result["rows"])
    by_stage = {row["stage"]: row for row in result["rows"]}
    assert by_stage["encode"]["bytes"] < 64 * 32 * 3 * 1.2
    assert by_stage["gate"]["share"] is None
    # One frame's convolutions are the same, however many are translated at once.
    gflop = [row["gflop"] for row in result["rows"] if row["stage"] == "model"]
    assert gflop[0] == pytest.approx(gflop[1])
    text = "".join(ET.fromstring(picture.read_text(encoding="utf-8")).itertext())
    assert "64x32 fp32: pipeline" in text
    assert "64x32 by 2 fp32: model" in text


def test_an_export_is_timed_beside_torch(random_bundle: Path, tmp_path: Path) -> None:
    export_bundle(load_bundle(random_bundle), tmp_path / "export", "torchscript")
    stated = ["--bundle", str(random_bundle), "--precision", "fp32", "--backend", str(tmp_path / "export")]
    rows = json.loads(run_bench(*stated, "--json"))["rows"]
    assert [row["stage"] for row in rows] == [*STAGES, "model by torchscript"]
    assert rows[-1]["share"] > 0
    with pytest.raises(UsageError, match="no folder of `models export`"):
        run_bench("--precision", "fp32", "--backend", str(tmp_path))


def test_operations_of_a_convolution_are_those_of_its_formula() -> None:
    image, weight = torch.ones(2, 3, 10, 12), torch.ones(5, 3, 3, 3)
    counted = count_operations(lambda: torch.conv2d(image, weight, padding=1))
    assert counted.flop == 2 * (2 * 5 * 10 * 12) * (3 * 3 * 3)
    assert counted.bytes == 4 * (image.numel() + weight.numel() + 2 * 5 * 10 * 12)


def test_frames_per_second_are_of_one_frames_time() -> None:
    assert Row((8, 8), "fp32", 4, "model", ms=20.0, ms_least=20.0, ms_most=20.0).frames_per_s == 50


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:paint", "cannot be imported"),
        ("test_bench", "MODULE:FUNCTION"),
        ("test_bench:missing", "no callable missing"),
        ("test_bench:STAGES", "no callable STAGES"),
    ],
)
def test_a_generator_that_is_not_there(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(UsageError, match=message):
        load_painter(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "64"], "expected WxH"),
        (["--precision", "fp16"], "no such precision"),
        (["--bundle", "nothing"], "nothing"),
        (["--device", "tpu"], "no such device"),
        (["--plot", "/no/such/folder/file.svg"], "no folder"),
        (["--against", "test_bench:paint_too_small", "--precision", "fp32"], r"\(16, 64, 3\)"),
    ],
)
def test_bad_input_is_named(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with pytest.raises(SflowError, match=message):
        run_bench(*arguments)


def test_a_batch_that_memory_is_too_short_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Translator, "translate", fail)
    with pytest.raises(SflowError, match="--size 64x32 --batch-size 2: memory is too short") as caught:
        run_bench("--batch-size", "2", "--precision", "fp32")
    assert "smaller --batch-size" in (caught.value.hint or "")


@pytest.mark.parametrize(("device", "name"), [("cuda:1", "small card"), ("cuda", "large card"), ("cpu", "large card")])
def test_the_gpu_that_is_measured_is_named(device: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    names = {"cuda:1": "small card"}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda of=None: names.get(of, "large card"))
    assert describe_machine(device)["gpu"] == name
