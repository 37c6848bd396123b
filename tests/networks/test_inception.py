"""Inception-v3 against numbers that torch-fidelity's network gives with the same made-up weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.features.inception import InceptionFeatures, load_inception

#: Features 0, 1, 320, 1000, 1500 and 2047, and the mean of all 2048, by torch-fidelity 0.4.0 on the same input.
BY_TORCH_FIDELITY = (0.91486210, 0.30691338, 0.0, 0.18670484, 18.70726395, 17.53587914)
MEAN_BY_TORCH_FIDELITY = 5.34294510


def make_weights(*, classes: int) -> dict[str, torch.Tensor]:
    """Weights that depend on nothing but the names and shapes of a state dict."""
    shapes = {name: tensor.shape for name, tensor in InceptionFeatures(is_fid=True).state_dict().items()}
    shapes |= {"fc.weight": torch.Size((1008, 2048)), "fc.bias": torch.Size((1008,))}
    names = sorted(name for name in shapes if not name.endswith("num_batches_tracked"))
    weights = {}
    for index, name in enumerate(names):
        generator = torch.Generator().manual_seed(index)
        shape = shapes[name]
        if name.endswith(("running_var", "bn.weight")):
            weights[name] = torch.rand(shape, generator=generator) + 0.5
        elif name.endswith("conv.weight"):
            weights[name] = torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5
        else:
            weights[name] = torch.randn(shape, generator=generator) * 0.1
    weights["fc.weight"] = weights["fc.weight"][:classes].contiguous()
    return weights


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1234)
    image = torch.randint(0, 256, (1, 3, 299, 299), generator=generator, dtype=torch.uint8)
    return (image.float() - 128) / 128


def test_features_are_those_of_torch_fidelity(tmp_path: Path, photo: torch.Tensor) -> None:
    save_file(make_weights(classes=1008), tmp_path / "fid.safetensors")
    network = load_inception(tmp_path / "fid.safetensors")
    features = network(photo)[0]
    assert network.is_fid and features.shape == (2048,)
    assert features[[0, 1, 320, 1000, 1500, 2047]].tolist() == pytest.approx(BY_TORCH_FIDELITY, rel=1e-3, abs=1e-3)
    assert features.mean().item() == pytest.approx(MEAN_BY_TORCH_FIDELITY, rel=1e-4)


def test_torchvisions_weights_make_another_network(tmp_path: Path, photo: torch.Tensor) -> None:
    weights = make_weights(classes=1000) | {"AuxLogits.fc.weight": torch.zeros(1000, 768)}
    save_file(weights, tmp_path / "torchvision.safetensors")
    network = load_inception(tmp_path / "torchvision.safetensors")
    assert not network.is_fid
    assert (network(photo)[0].mean() - MEAN_BY_TORCH_FIDELITY).abs() > 0.01


def test_it_has_the_published_number_of_weights() -> None:
    """torchvision documents 27,161,264, of which 3,326,696 are the auxiliary and 2,049,000 the main classifier's."""
    count = sum(weight.numel() for weight in InceptionFeatures(is_fid=False).parameters())
    assert count == 27_161_264 - 3_326_696 - 2_049_000


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UsageError, match="cannot be read"):
        load_inception(path)
    path.write_bytes(b"pickle")
    with pytest.raises(UsageError, match="cannot be read"):
        load_inception(path)
    save_file({"conv.weight": torch.zeros(2)}, path)
    with pytest.raises(UsageError, match=r"no fc\.weight, expected 1008"):
        load_inception(path)
    save_file({"fc.weight": torch.zeros(1008, 2048)}, path)
    with pytest.raises(UsageError, match=r"tensors are absent or of another shape, first Conv2d_1a_3x3\.conv\.weight"):
        load_inception(path)
