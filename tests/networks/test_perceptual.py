"""Perceptual weights: loaded from a named file, and refused with its name."""

import math
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.features import perceptual
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.features.hed import HedFeatures
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures, load_perceptual
from sflow_pipeline.networks.features.squeezenet import SqueezeNet11Features
from sflow_pipeline.networks.features.vgg import Vgg16Features
from sflow_pipeline.training.step.losses import measure_scales, perceptual_loss

#: torchvision's vgg19().features: layer number → channels in and out.
VGG19 = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512), 30: (512, 512),
    32: (512, 512), 34: (512, 512),
}  # fmt: skip


def draw_vgg19() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state = {f"features.{n}.weight": torch.randn(o, i, 3, 3) * (2 / (9 * i)) ** 0.5 for n, (i, o) in VGG19.items()}
    return state | {f"features.{n}.bias": torch.randn(o) * 0.1 for n, (_, o) in VGG19.items()}


@pytest.mark.parametrize("kind", [SqueezeNetFeatures, SqueezeNet11Features])
def test_saved_weights_come_back(kind: type[SqueezeNetFeatures], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = kind()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = load_perceptual(tmp_path / "w.safetensors")
    assert loaded.name == kind.name
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    assert all(torch.equal(a, b) for a, b in zip(network.eval()(photo), loaded(photo), strict=True))
    assert not any(p.requires_grad for p in loaded.parameters())


def test_squeezenet_1_1_has_its_published_shapes() -> None:
    shapes = {k: tuple(v.shape) for k, v in SqueezeNet11Features().state_dict().items()}
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.6.squeeze.weight"] == (32, 128, 1, 1)
    assert shapes["features.12.expand3x3.weight"] == (256, 64, 3, 3)
    # squeezenet1_1 has 1,235,496 parameters, of which its classifier has 1000 * (512 + 1).
    assert sum(math.prod(shape) for shape in shapes.values()) == 1_235_496 - 513_000


def test_vgg19_gives_the_first_activation_of_every_block(tmp_path: Path) -> None:
    state = draw_vgg19()
    save_file(state, tmp_path / "vgg.safetensors")
    network = load_perceptual(tmp_path / "vgg.safetensors")
    assert network.name == "VGG-19"
    assert network.weights == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    photo = torch.rand(1, 3, 48, 64) * 2 - 1
    x = ((photo + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    wanted = []
    for block in ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28,)):
        x = F.max_pool2d(x, 2) if block[0] else x
        for n in block:
            x = F.relu(F.conv2d(x, state[f"features.{n}.weight"], state[f"features.{n}.bias"], padding=1))
            if n == block[0]:
                wanted.append(x)
    features = network(photo)
    assert [f.shape[1] for f in features] == [64, 128, 256, 512, 512]
    assert all(torch.allclose(f, w, rtol=1e-3, atol=1e-4) for f, w in zip(features, wanted, strict=True))


def test_vgg_distance_is_the_weighted_sum_of_its_slices(tmp_path: Path) -> None:
    save_file(draw_vgg19(), tmp_path / "vgg.safetensors")
    network = load_perceptual(tmp_path / "vgg.safetensors")
    photo, fake = torch.rand(2, 1, 3, 32, 32).unbind()
    by_hand = sum(
        w * (a - b).abs().mean() for w, a, b in zip(network.weights, network(photo), network(fake), strict=True)
    )
    real, made = network(photo), network(fake)
    found = perceptual_loss(network, real, made, measure_scales(network, real))
    assert found.item() == pytest.approx(float(by_hand), rel=1e-5)


#: (index, channels in, channels out, kernel) of every block of EfficientNet-Lite0, from the paper's table 1 (B0).
LITE0_BLOCKS = (
    (0, 32, 16, 3), (1, 16, 24, 3), (2, 24, 24, 3), (3, 24, 40, 5), (4, 40, 40, 5), (5, 40, 80, 3), (6, 80, 80, 3),
    (7, 80, 80, 3), (8, 80, 112, 5), (9, 112, 112, 5), (10, 112, 112, 5), (11, 112, 192, 5), (12, 192, 192, 5),
    (13, 192, 192, 5), (14, 192, 192, 5), (15, 192, 320, 3),
)  # fmt: skip


def test_efficientnet_lite0_has_its_published_tensors() -> None:
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"_conv_stem.weight": (32, 3, 3, 3), "_conv_head.weight": (1280, 320, 1, 1)}
    norms = {"_bn0": 32, "_bn1": 1280}
    for index, inputs, outputs, kernel in LITE0_BLOCKS:
        block, width = f"_blocks.{index}.", inputs * (6 if index else 1)
        expected |= {
            f"{block}_depthwise_conv.weight": (width, 1, kernel, kernel),
            f"{block}_project_conv.weight": (outputs, width, 1, 1),
        }
        expected |= {f"{block}_expand_conv.weight": (width, inputs, 1, 1)} if index else {}
        norms |= {f"{block}_bn1": width, f"{block}_bn2": outputs} | ({f"{block}_bn0": width} if index else {})
    expected |= {f"{n}.{k}": () if k == norm[-1] else (c,) for n, c in norms.items() for k in norm}
    network = EfficientNetLiteFeatures()
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == expected
    # 4,652,008 parameters with the classifier's 1000 * (1280 + 1).
    assert sum(p.numel() for p in network.parameters()) == 4_652_008 - 1_281_000


def test_efficientnet_lite0_gives_features_at_four_strides_for_any_size() -> None:
    network = EfficientNetLiteFeatures()
    photo = torch.rand(2, 3, 97, 128) * 2 - 1
    features = network.train()(photo)
    assert [tuple(f.shape) for f in features] == [(2, 24, 25, 32), (2, 40, 13, 16), (2, 112, 7, 8), (2, 320, 4, 4)]
    assert network.embed(photo).shape == (2, 1280)
    alone = network(photo[:1])
    assert torch.allclose(alone[-1], features[-1][:1], atol=1e-5)  # no statistics of the batch


def test_genuine_efficientnet_lite0_names_what_is_in_a_street(shared_data: Path) -> None:
    path = shared_data / "perceptual" / "efficientnet_lite0_imagenet.safetensors"
    network, state = load_perceptual(path), load_file(path)
    assert network.name == "EfficientNet-Lite0"
    frame = cv2.imread(str(shared_data / "carla-scapes/images/Town10HD_000033_5026200_img.png"))
    pixels = np.ascontiguousarray(cv2.resize(frame, (224, 224), interpolation=cv2.INTER_AREA)[..., ::-1])
    photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    logits = F.linear(network.embed(photo), state["_fc.weight"].float(), state["_fc.bias"].float())
    assert logits[0].topk(3).indices.tolist() == [920, 468, 829]  # traffic light, cab, streetcar
    assert logits.softmax(1).max().item() == pytest.approx(0.328, abs=0.002)  # as efficientnet-lite-pytorch computes


def test_torchvision_vgg16_is_read_as_itself(tmp_path: Path) -> None:
    torch.manual_seed(0)
    saved = Vgg16Features()
    extra = {"classifier.6.bias": torch.zeros(1000)}
    save_file(saved.state_dict() | extra, tmp_path / "vgg16.safetensors")
    assert sum(p.numel() for p in saved.parameters()) == 14_714_688  # torchvision's vgg16().features
    network = load_perceptual(tmp_path / "vgg16.safetensors")
    assert type(network) is Vgg16Features
    photo = torch.rand(1, 3, 32, 48) * 2 - 1
    assert [tuple(f.shape[1:]) for f in network(photo)] == [
        (64, 32, 48), (128, 16, 24), (256, 8, 12), (512, 4, 6), (512, 2, 3)
    ]  # fmt: skip


def test_genuine_hed_finds_the_outline_and_not_the_inside(shared_data: Path) -> None:
    network = load_perceptual(shared_data / "perceptual" / "hed_vgg16_bsds500.safetensors")
    assert isinstance(network, HedFeatures)
    photo = torch.full((1, 3, 96, 128), 0.6)
    photo[:, 0, 24:72, 32:96] = -0.8
    edges = network.detect_edges(photo)[0, 0]
    outline = torch.cat((edges[24, 40:88], edges[71, 40:88], edges[32:64, 32], edges[32:64, 95]))
    assert edges.shape == (96, 128)
    assert outline.mean() > edges[40:56, 52:76].mean() + 0.3


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x04")
    with pytest.raises(TrainingError, match=r"w\.pth: not a \.safetensors file"):
        load_perceptual(tmp_path / "w.pth")
    (tmp_path / "half.safetensors").write_bytes(b"\x00" * 7)
    with pytest.raises(TrainingError, match=r"half\.safetensors: cannot be read"):
        load_perceptual(tmp_path / "half.safetensors")
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match=r"other\.safetensors: closest to .*of another shape"):
        load_perceptual(tmp_path / "other.safetensors")


def write_header(path: Path, header: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-9])
    (tmp_path / "pickle.safetensors").write_bytes(b"PK\x03\x04" + bytes(900))
    (tmp_path / "pointer.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "folder.safetensors").mkdir()
    write_header(tmp_path / "sides.safetensors", b'{"a":{"dtype":"F32","shape":[0,%d,2],"data_offsets":[0,0]}}' % 2**63)
    write_header(tmp_path / "kind.safetensors", b'{"a":{"dtype":"X","shape":[0],"data_offsets":[0,0]}}')
    for name in ("cut", "pickle", "pointer", "empty", "folder", "sides", "kind", "absent"):
        with pytest.raises(TrainingError, match=rf"{name}\.safetensors: cannot be read") as caught:
            load_perceptual(tmp_path / f"{name}.safetensors")
        assert caught.value.hint == "name a complete safetensors file"


def test_what_is_no_fault_of_the_file_is_not_called_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_path: Path) -> dict[str, torch.Tensor]:
        raise MemoryError

    monkeypatch.setattr(perceptual, "load_file", load)
    with pytest.raises(MemoryError):
        load_perceptual(tmp_path / "w.safetensors")


def test_genuine_imagenet_weights_tell_a_photo_from_noise(shared_data: Path) -> None:
    path = shared_data / "perceptual" / "squeezenet1_0_imagenet.safetensors"
    network = load_perceptual(path)
    assert set(network.state_dict()) <= set(load_file(path))
    photo = torch.linspace(-1, 1, 96 * 96).reshape(1, 1, 96, 96).expand(1, 3, 96, 96)
    noise = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shifted = (photo * 0.98).contiguous()
    deep = lambda x: network(x)[-1]  # noqa: E731
    assert (deep(photo) - deep(shifted)).abs().mean() < 0.2 * (deep(photo) - deep(noise)).abs().mean()
