"""The image stage's loss terms, each a mean that does not depend on image size."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.dned import mix_sides
from sflow_pipeline.networks.perceptual import SqueezeNetFeatures
from sflow_pipeline.tensors import EdgeMap, Photo

#: Features of every layer of every scale, the verdict last.
Verdicts = list[list[Tensor]]


def discriminator_loss(kind: Literal["hinge", "lsgan"], real: Verdicts, fake: Verdicts) -> Tensor:
    """How wrong the judge is; 1 is chance for lsgan at 0.5, 2 for hinge at 0."""
    terms = []
    for r, f in zip(real, fake, strict=True):
        r_verdict, f_verdict = r[-1].float(), f[-1].float()
        if kind == "hinge":
            terms.append(F.relu(1 - r_verdict).mean() + F.relu(1 + f_verdict).mean())
        else:
            terms.append((r_verdict - 1).square().mean() + f_verdict.square().mean())
    return torch.stack(terms).mean()


def generator_loss(kind: Literal["hinge", "lsgan"], fake: Verdicts) -> Tensor:
    """How unconvinced the judge is by the fakes."""
    verdicts = [f[-1].float() for f in fake]
    return torch.stack([-v.mean() if kind == "hinge" else (v - 1).square().mean() for v in verdicts]).mean()


def feature_matching_loss(real: Verdicts, fake: Verdicts) -> Tensor:
    """L1 between the judge's features of photo and fake, over layers and scales (pix2pixHD)."""
    terms = [
        _mean_distance(f, r.detach())
        for r_scale, f_scale in zip(real, fake, strict=True)
        for r, f in zip(r_scale[:-1], f_scale[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


def perceptual_loss(network: SqueezeNetFeatures, photo: Photo, fake: Photo) -> Tensor:
    """Weighted L1 between the perceptual network's features, each slice relative to the photo's mean activation.

    The features follow a ReLU, so their mean is a scale.
    """
    with torch.no_grad():
        real = network(photo)
    terms = []
    for weight, r, f in zip(network.weights, real, network(fake), strict=True):
        terms.append(weight * _mean_distance(f, r) / (r.mean(dtype=torch.float32) + 1e-6))
    return torch.stack(terms).sum() / sum(network.weights)


def dned_loss(sides: Float[Tensor, "b 5 h w"], alpha: Float[Tensor, "b 5"], target: EdgeMap) -> Tensor:
    """Class-balanced cross-entropy of every side, weighted by alpha, plus that of the ensemble (HED).

    Balance is by the square root of the class ratio: full balance calls every second pixel an edge.
    """
    positives = target.mean(dim=(1, 2, 3), keepdim=True).clamp(0.01, 0.99)
    balance = torch.where(target > 0.5, ((1 - positives) / positives).sqrt(), torch.ones_like(target))
    per_side = F.binary_cross_entropy_with_logits(sides, target.expand_as(sides), weight=balance, reduction="none")
    ensemble = F.binary_cross_entropy_with_logits(mix_sides(sides, alpha), target, weight=balance)
    return (per_side.mean(dim=(2, 3)) * alpha).sum(dim=1).mean() + ensemble


def _mean_distance(a: Tensor, b: Tensor) -> Tensor:
    """L1 whose sum is kept in float32 whatever the features are in; casting the features first costs two passes."""
    return (a - b).abs().mean(dtype=torch.float32)
