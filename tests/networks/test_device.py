"""Device and precision: chosen once per machine, the same for every run on it, refused where there is none."""

import json
from pathlib import Path

import pytest
import torch

from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks import precision
from sflow_pipeline.networks.device import Device, resolve_device


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine whose CPU has bf16 instructions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    return tmp_path / "sflow-pipeline" / "precision.json"


def measure(monkeypatch: pytest.MonkeyPatch, ratio: float) -> list[float]:
    """Let bf16 take ``ratio`` of the time of fp32; returns the measurements that were taken."""
    taken: list[float] = []
    monkeypatch.setattr(precision, "_measure_ratio", lambda: taken.append(ratio) or ratio)
    return taken


@pytest.mark.parametrize(("ratio", "expected"), [(0.3, "bf16"), (0.95, "fp32"), (1.3, "fp32")])
def test_auto_takes_bf16_only_where_it_is_clearly_faster(
    cache: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, expected: str
) -> None:
    measure(monkeypatch, ratio)
    assert resolve_device("cpu") == ("cpu", expected)
    assert list(json.loads(cache.read_text()).values()) == [expected]


def test_a_machine_is_measured_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = measure(monkeypatch, 0.3)
    first = resolve_device("cpu")
    measure(monkeypatch, 2.0)  # as if the machine were busy now
    assert resolve_device("cpu") == first
    assert taken == [0.3]


@pytest.mark.parametrize("content", ["", "[]", "{"], ids=["empty", "a list", "cut short"])
def test_a_damaged_cache_is_measured_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    measure(monkeypatch, 0.3)
    assert resolve_device("cpu").precision == "bf16"
    assert list(json.loads(cache.read_text()).values()) == ["bf16"]


def test_a_cache_that_cannot_be_written_stops_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file where the folder should be")
    measure(monkeypatch, 0.3)
    assert resolve_device("cpu").precision == "bf16"


def test_without_bf16_instructions_nothing_is_measured(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    taken = measure(monkeypatch, 0.3)
    assert resolve_device("cpu").precision == "fp32"
    assert taken == [] and not cache.exists()


def test_the_measurement_leaves_torch_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert precision._measure_ratio() > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_a_stated_precision_is_kept(asked: str) -> None:
    assert resolve_device("cpu", asked) == Device("cpu", asked)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"--device cuda:1: torch .* finds no GPU") as caught:
        resolve_device("cuda:1")
    assert "--device cpu" in caught.value.hint
    with pytest.raises(UsageError, match="--device gpu: no such device"):
        resolve_device("gpu")


def test_a_gpu_beyond_those_that_are_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1", "fp32") == Device("cuda:1", "fp32")
    with pytest.raises(UsageError, match="--device cuda:2: there are 2 GPUs") as caught:
        resolve_device("cuda:2", "fp32")
    assert "cuda:1" in caught.value.hint
