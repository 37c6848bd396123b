"""Perceptual weights: loaded from a named file, and refused with its name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.perceptual import SqueezeNetFeatures, load_perceptual


def test_saved_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SqueezeNetFeatures()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = load_perceptual(tmp_path / "w.safetensors")
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    assert all(torch.equal(a, b) for a, b in zip(network.eval()(photo), loaded(photo), strict=True))
    assert not any(p.requires_grad for p in loaded.parameters())


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x04")
    with pytest.raises(TrainingError, match=r"w\.pth: not a \.safetensors file"):
        load_perceptual(tmp_path / "w.pth")
    (tmp_path / "half.safetensors").write_bytes(b"\x00" * 7)
    with pytest.raises(TrainingError, match=r"half\.safetensors: cannot be read"):
        load_perceptual(tmp_path / "half.safetensors")
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match=r"other\.safetensors: .*of another shape"):
        load_perceptual(tmp_path / "other.safetensors")


def test_genuine_imagenet_weights_tell_a_photo_from_noise(shared_data: Path) -> None:
    path = shared_data / "perceptual" / "squeezenet1_0_imagenet.safetensors"
    network = load_perceptual(path)
    assert set(network.state_dict()) <= set(load_file(path))
    photo = torch.linspace(-1, 1, 96 * 96).reshape(1, 1, 96, 96).expand(1, 3, 96, 96)
    noise = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shifted = (photo * 0.98).contiguous()
    deep = lambda x: network(x)[-1]  # noqa: E731
    assert (deep(photo) - deep(shifted)).abs().mean() < 0.2 * (deep(photo) - deep(noise)).abs().mean()
