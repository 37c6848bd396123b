"""The segmenter on ImageNet features: the published network's features, folded, in a file of limited size."""

import pytest
import torch

from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.segmenters.lite_segmenter import LiteSegmenter, begin_from_imagenet, fold_gains


@pytest.fixture(scope="module")
def published() -> EfficientNetLiteFeatures:
    """Random weights in the published layout, with norms that differ from channel to channel."""
    torch.manual_seed(0)
    network = EfficientNetLiteFeatures()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network


@torch.no_grad()
def test_features_are_the_published_networks(published: EfficientNetLiteFeatures) -> None:
    network = LiteSegmenter(classes=5, width=8)
    begin_from_imagenet(network, published.state_dict())
    photo = torch.rand(1, 3, 65, 97) * 2 - 1  # odd at every stride, where both paddings are the same
    ours, theirs = network.encode(photo), published(photo)
    for mine, reference in zip(ours[:3], theirs[:3], strict=True):
        assert mine.shape == reference.shape
        assert (mine - reference).abs().max() < 1e-3 * reference.abs().max()
    assert ours[3].shape[1:] == (192, 3, 4)


@torch.no_grad()
def test_folded_weights_say_the_same(published: EfficientNetLiteFeatures) -> None:
    network = LiteSegmenter(classes=5, width=8)
    begin_from_imagenet(network, published.state_dict())
    photo = torch.rand(2, 3, 30, 50) * 2 - 1
    before = network(photo)
    fold_gains(network)
    assert before.shape == (2, 5, 30, 50)
    assert torch.allclose(network(photo), before, atol=1e-3)
    assert network.state_dict().keys() == LiteSegmenter(classes=5, width=8).state_dict().keys()


def test_a_bundles_file_stays_below_6_mb() -> None:
    assert 2 * sum(value.numel() for value in LiteSegmenter(classes=12, width=64).state_dict().values()) < 6e6


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 96), (66, 98), (62, 34)])
def test_halved_logits_are_pooled_ones(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = LiteSegmenter(classes=5, width=8)
    photo = torch.rand(2, 3, *size) * 2 - 1
    pooled = torch.nn.functional.avg_pool2d(network(photo), 2)
    torch.testing.assert_close(network.predict_halved(photo), pooled, atol=1e-5, rtol=0)
