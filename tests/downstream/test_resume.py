"""An interrupted training ends with the weights of an uninterrupted one, and damage costs a run at most."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sflow_pipeline.config.downstream_job import load_downstream_job
from sflow_pipeline.downstream import training_run
from sflow_pipeline.downstream.compare import Comparer, Progress
from sflow_pipeline.errors import OutputError

Write = Callable[..., Path]


class StopError(Exception):
    pass


@pytest.fixture
def build(write_job: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Comparer]:
    monkeypatch.setattr(training_run, "_SAVE_EVERY_STEPS", 4)
    job = load_downstream_job(write_job(arms=["real + rendered"], seeds=[3], steps=10))
    return lambda name: Comparer(job, tmp_path / name)


def read_weights(comparer: Comparer) -> dict[str, torch.Tensor]:
    return load_file(comparer.list_runs()[0].folder / "weights.safetensors")


def test_interrupted_training_resumes_exactly(build: Callable[[str], Comparer]) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 6:
            raise StopError

    whole, interrupted = build("a"), build("b")
    expected = whole.finish()
    with pytest.raises(StopError):
        interrupted.finish(stop)
    assert interrupted.list_runs()[0].steps_left == 10
    seen: list[int] = []
    found = interrupted.finish(lambda progress: seen.append(progress.done))
    assert seen == [5, 6, 7, 8, 9, 10]  # from the state after step 4
    weights = read_weights(interrupted)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_weights(whole).items())
    assert found.to_dict()["arms"] == expected.to_dict()["arms"]
    assert [path.name for path in interrupted.list_runs()[0].folder.glob("*state*")] == []


def test_damaged_state_and_scores_are_made_again(build: Callable[[str], Comparer]) -> None:
    comparer = build("a")
    run = comparer.list_runs()[0]
    run.folder.mkdir(parents=True)
    (run.folder / "state.safetensors").write_bytes(b"half a file")
    expected = comparer.finish()
    scores = next(run.folder.glob("test-*.json"))
    scores.write_text('{"confusion": [[1]]}')
    assert comparer.list_runs()[0].tests_left == ("held-out",)
    assert comparer.finish().to_dict() == expected.to_dict()


def test_a_state_with_moments_of_another_network_is_not_used_in_part(build: Callable[[str], Comparer]) -> None:
    whole, damaged = build("a"), build("b")
    whole.finish()
    folder = damaged.list_runs()[0].folder
    folder.mkdir(parents=True)
    other = {name: torch.zeros_like(tensor) for name, tensor in read_weights(whole).items()}
    other["optimizer/network/999/exp_avg"] = torch.zeros(1)
    save_file(other, folder / "state.safetensors", metadata={"steps": "4"})
    damaged.finish()
    weights = read_weights(damaged)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_weights(whole).items())


def test_damaged_weights_are_named(build: Callable[[str], Comparer]) -> None:
    comparer = build("a")
    comparer.finish()
    folder = comparer.list_runs()[0].folder
    next(folder.glob("test-*.json")).unlink()
    (folder / "weights.safetensors").write_bytes(b"half a file")
    with pytest.raises(OutputError, match=r"weights\.safetensors: damaged"):
        comparer.finish()


def test_two_comparisons_do_not_share_a_folder(build: Callable[[str], Comparer]) -> None:
    first, second = build("a"), build("a")
    with pytest.raises(OutputError, match="another run"):
        first.finish(lambda _progress: second.finish() and None)
