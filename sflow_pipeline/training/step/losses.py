"""Loss terms, each a mean that does not depend on image size."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.discriminators.discriminator import DiscriminatorOutput
from sflow_pipeline.networks.edges.dned import mix_sides
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import ClassIndexMap, EdgeMap, Photo
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.step.step_rng import StepRng

#: A discriminator's outputs, one per scale.
Outputs = Sequence[DiscriminatorOutput]

#: Adversarial criteria of Lim & Ye 2017, Mao et al. 2017 and Goodfellow et al. 2014.
GanKind = Literal["hinge", "lsgan", "bce"]


def discriminator_loss(kind: GanKind, real: Outputs, fake: Outputs) -> Tensor:
    """The discriminator's loss; chance is 0.5 for lsgan at 0.5, 2 for hinge at 0 and 2 ln 2 for bce at 0."""
    terms = []
    for r, f in zip(real, fake, strict=True):
        r_verdict, f_verdict = r.verdict.float(), f.verdict.float()
        if kind == "hinge":
            terms.append(F.relu(1 - r_verdict).mean() + F.relu(1 + f_verdict).mean())
        elif kind == "bce":
            terms.append(F.softplus(-r_verdict).mean() + F.softplus(f_verdict).mean())
        else:
            terms.append((r_verdict - 1).square().mean() + f_verdict.square().mean())
    return torch.stack(terms).mean()


def generator_loss(kind: GanKind, fake: Outputs) -> Tensor:
    """The generator's adversarial loss."""
    verdicts = [f.verdict.float() for f in fake]
    if kind == "hinge":
        terms = [-v.mean() for v in verdicts]
    elif kind == "bce":
        terms = [F.softplus(-v).mean() for v in verdicts]
    else:
        terms = [(v - 1).square().mean() for v in verdicts]
    return torch.stack(terms).mean()


def gradient_penalty(discriminate: Callable[[Photo], Outputs], photo: Photo, rng: StepRng) -> Tensor:
    """R1 (Mescheder et al. 2018): squared gradient of a patch's verdict on photos, summed over pixels, mean of patches.

    One backward pass for all patches: verdicts are summed under random signs, and the products of different patches
    cancel in expectation (Hutchinson), so the value does not depend on the photo's size.
    """
    photo = photo.detach().requires_grad_(True)
    terms = []
    for output in discriminate(photo):
        verdict = output.verdict
        signs = rng.bits(*verdict.shape[1:]).to(verdict) * 2 - 1
        (gradient,) = torch.autograd.grad((verdict * signs).sum(), photo, create_graph=True)
        terms.append(gradient.square().sum() / verdict.numel())
    return torch.stack(terms).mean()


def feature_matching_loss(real: Outputs, fake: Outputs) -> Tensor:
    """L1 between the discriminator's features of photo and fake, mean over layers and scales (pix2pixHD)."""
    terms = [
        _mean_distance(f, r.detach())
        for r_scale, f_scale in zip(real, fake, strict=True)
        for r, f in zip(r_scale.features, f_scale.features, strict=True)
    ]
    return torch.stack(terms).mean()


def measure_scales(
    network: PerceptualNetwork, real: Sequence[Tensor], group: ProcessGroup = SINGLE_PROCESS
) -> list[Tensor]:
    """Unit of each slice's features: the photos' mean absolute activation for a ``relative`` network, else 1.

    Activations of some networks grow with depth.
    """
    means = [r.detach().abs().mean(dtype=torch.float32) for r in real]
    if not network.relative:
        return [torch.ones_like(mean) for mean in means]
    group.average(means)  # one scale for a batch that processes share
    return [mean + 1e-6 for mean in means]


def perceptual_loss(
    network: PerceptualNetwork, real: Sequence[Tensor], fake: Sequence[Tensor], scales: Sequence[Tensor]
) -> Tensor:
    """Weighted L1 between the perceptual network's features of photo and fake, each slice in its scale.

    Where slices are relative, the weights' sum is divided out; else it is pix2pixHD's plain sum.
    """
    terms = [
        weight * _mean_distance(f, r) / scale
        for weight, scale, r, f in zip(network.weights, scales, real, fake, strict=True)
    ]
    total = torch.stack(terms).sum()
    return total / sum(network.weights) if network.relative else total


#: Offsets of the repetition loss, (down, right) pixels: up to one cell of the coarsest scale (16 px) in steps of half
#: a cell, one of each opposite pair.
LAGS = tuple((down, right) for down in (0, 8, 16) for right in (-16, -8, 0, 8, 16) if (down, right) > (0, 0))

#: Energy of detail, of luma in [-1, 1]: 1.3 of 255 grey levels, squared.
_FLOOR = 1e-4


def repetition_loss(real: Photo, fake: Photo, window: int = 64) -> Tensor:
    """Self-correlation of the fake's detail at a few offsets, in excess of the photo's at the same place.

    The autocorrelation of high-pass luma at each of ``LAGS``, in overlapping windows; the excess over the photo's,
    summed over lags, mean over windows. A generator whose coarsest scale is a grid of 16 pixels repeats textures with
    that period; regular objects in the photo, such as a fence, are not penalised.

    >>> noise = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    >>> repeated = noise[..., :16, :16].repeat(1, 1, 6, 6)
    >>> bool(repetition_loss(noise, repeated) > 1), repetition_loss(repeated, repeated).item()
    (True, 0.0)
    """
    window = min(window, *(side - LAGS[-1][0] for side in real.shape[-2:]))
    if window < 2:
        return fake.new_zeros(())
    excess = [F.relu(f - F.relu(r)) for r, f in zip(_correlate(real, window), _correlate(fake, window), strict=True)]
    return torch.stack([e.mean() for e in excess]).sum()


def _correlate(image: Photo, window: int) -> list[Tensor]:
    """Autocorrelation of an image's detail at each lag, per window, in [-1, 1]."""
    luma = image.float().mean(dim=1, keepdim=True)
    # In two passes, rows and columns: a twelfth of the arithmetic of one.
    rows = F.avg_pool2d(luma, (25, 1), 1, (12, 0), count_include_pad=False)
    detail = luma - F.avg_pool2d(rows, (1, 25), 1, (0, 12), count_include_pad=False)
    height, width = detail.shape[-2:]

    def average(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, stride=max(1, window // 2))

    correlations = []
    for down, right in LAGS:
        here = detail[..., : height - down, max(0, -right) : width - max(0, right)]
        there = detail[..., down:, max(0, right) : width - max(0, -right)]
        # The floor keeps rounding errors of flat areas, such as sky, from counting; a lattice of one grey level does.
        energy = (average(here.square()) + _FLOOR) * (average(there.square()) + _FLOOR)
        correlations.append(average(here * there) / energy.sqrt())
    return correlations


def semantic_discriminator_loss(
    real: Sequence[Tensor], fake: Sequence[Tensor], class_index: ClassIndexMap, class_weights: Float[Tensor, " classes"]
) -> Tensor:
    """The semantic discriminator's cross-entropy: classes on photos, "fake" on fakes (OASIS).

    Args:
        real, fake: its logits on photos and fakes, (b, classes + 1, h, w) of any sizes; fake is the last channel.
        class_weights: weight of a pixel of each class; void has 0.
    """
    return semantic_loss(real, class_index, class_weights) + fake_class_loss(fake, len(class_weights))


def fake_class_loss(logits: Sequence[Tensor], classes: int) -> Tensor:
    """Cross-entropy of a semantic discriminator's logits on fakes with the class after the last, which is "fake"."""
    target = torch.full((len(logits[0]), 1, 1), classes, device=logits[0].device)
    return torch.stack([F.cross_entropy(x.float(), target.expand(-1, *x.shape[-2:])) for x in logits]).mean()


def semantic_loss(
    logits: Sequence[Tensor], class_index: ClassIndexMap, class_weights: Float[Tensor, " classes"]
) -> Tensor:
    """Weighted cross-entropy between the semantic discriminator's logits and the classes, mean over its depths.

    On photos it is the discriminator's loss, on fakes the generator's: to be classified as a photo of the right class.
    """
    terms = []
    for depth in logits:
        truth = F.interpolate(class_index[:, None].float(), size=depth.shape[-2:], mode="nearest-exact")[:, 0].long()
        weight = class_weights[truth]
        per_pixel = F.cross_entropy(depth.float(), truth, reduction="none")
        # A mean per image, so that processes can share a batch; the clamp is for crops that are entirely void.
        per_image = (per_pixel * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)
        terms.append(per_image.mean())
    return torch.stack(terms).mean()


def dned_loss(sides: Float[Tensor, "b 5 h w"], alpha: Float[Tensor, "b 5"], target: EdgeMap) -> Tensor:
    """Class-balanced cross-entropy of every side, weighted by alpha, plus that of the ensemble (HED).

    Classes are balanced by the square root of their ratio: with full balance every second pixel becomes an edge.
    """
    positives = target.mean(dim=(1, 2, 3), keepdim=True).clamp(0.01, 0.99)
    balance = torch.where(target > 0.5, ((1 - positives) / positives).sqrt(), torch.ones_like(target))
    per_side = F.binary_cross_entropy_with_logits(sides, target.expand_as(sides), weight=balance, reduction="none")
    ensemble = F.binary_cross_entropy_with_logits(mix_sides(sides, alpha), target, weight=balance)
    return (per_side.mean(dim=(2, 3)) * alpha).sum(dim=1).mean() + ensemble


def _mean_distance(a: Tensor, b: Tensor) -> Tensor:
    """L1 with a float32 sum for features of any dtype; casting the features first would cost two passes."""
    return (a - b).abs().mean(dtype=torch.float32)
