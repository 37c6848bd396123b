"""I3D: its size, TensorFlow's padding, and weights files; FVD of clips over weights of the right shape."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.networks.features.i3d import I3d, load_i3d


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("i3d") / "i3d.safetensors"
    network = I3d()
    for module in network.modules():  # scores of a useful size
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight)
    save_file(network.state_dict(), path)
    return path


def test_it_has_the_published_number_of_weights() -> None:
    assert sum(parameter.numel() for parameter in I3d().parameters()) == 12_697_264


def test_names_are_those_of_pytorch_i3d() -> None:
    names = I3d().state_dict().keys()
    wanted = (
        "Conv3d_1a_7x7.conv3d.weight",
        "Mixed_3b.b1b.bn.running_var",
        "Mixed_5c.b3b.conv3d.weight",
        "logits.conv3d.bias",
    )
    assert set(wanted) <= names


def test_the_first_layer_pads_as_tensorflow_does(weights: Path) -> None:
    """A window of 7 at a stride of 2 over an even side has two zeros in front and three behind."""
    network, clip = load_i3d(weights), torch.rand(1, 3, 4, 32, 32)
    state = load_file(weights)
    padded = F.pad(clip, (2, 3, 2, 3, 2, 3))
    expected = F.relu(F.conv3d(padded, state["Conv3d_1a_7x7.conv3d.weight"], stride=2) / (1 + 1e-3) ** 0.5)
    torch.testing.assert_close(network.Conv3d_1a_7x7(clip), expected)


def test_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    state["logits.conv3d.weight"] = torch.zeros(600, 1024, 1, 1, 1)
    save_file(state, tmp_path / "kinetics600.safetensors")
    with pytest.raises(UsageError, match=r"1 of \d+ tensors are absent or of another shape, first logits"):
        load_i3d(tmp_path / "kinetics600.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(UsageError, match="cannot be read"):
        load_i3d(tmp_path / "text.safetensors")


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, frames: int, seed: int) -> Path:
        draw = np.random.default_rng(seed)
        folder = tmp_path / name / "a"
        for kind in ("rgb", "semantic"):
            (folder / kind).mkdir(parents=True)
        (tmp_path / name / "dataset.yaml").write_text("label_space: camvid11\n")
        for i in range(frames):
            picture = draw.integers(0, 255, (24, 32, 3), np.uint8)
            cv2.imwrite(str(folder / "rgb" / f"{i:03d}.png"), picture)
            cv2.imwrite(str(folder / "semantic" / f"{i:03d}.png"), np.zeros((24, 32), np.uint8))
        return tmp_path / name

    return write


def test_fvd_of_a_video_to_itself_is_zero_and_to_another_is_not(
    weights: Path, write_video: Callable[..., Path]
) -> None:
    same, other, real = write_video("same", 32, 1), write_video("other", 33, 2), write_video("real", 32, 1)
    settings = EvaluationSettings((str(same), str(other)), str(real), i3d=str(weights), device="cpu")
    rows = evaluate(settings).rows
    values = [row.scores["fvd_i3d400"].value for row in rows[:2]]
    assert values[0] == pytest.approx(0, abs=1e-3)
    assert values[1] is not None and values[1] > 0.1
    assert "2 clips of 16 frames against 2 real ones" in rows[1].scores["fvd_i3d400"].note
    assert "fvd_i3d400" not in rows[2].scores


def test_too_few_frames_have_the_reason(weights: Path, write_video: Callable[..., Path]) -> None:
    short, real = write_video("short", 20, 1), write_video("real", 32, 1)
    (row, _) = evaluate(EvaluationSettings((str(short),), str(real), i3d=str(weights), device="cpu")).rows
    assert row.scores["fvd_i3d400"].value is None
    assert "at least 2 of each" in row.scores["fvd_i3d400"].note
