"""The image stage's loss terms, each a mean that does not depend on image size."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.networks.dned import mix_sides
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import ClassIndexMap, EdgeMap, Photo
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.step.step_rng import StepRng

#: Features of every layer of every scale, the verdict last.
Verdicts = list[list[Tensor]]


#: Whose criterion the judge learns by: Lim & Ye 2017, Mao et al. 2017, Goodfellow et al. 2014.
GanKind = Literal["hinge", "lsgan", "bce"]


def discriminator_loss(kind: GanKind, real: Verdicts, fake: Verdicts) -> Tensor:
    """How wrong the judge is; chance is 0.5 for lsgan at 0.5, 2 for hinge at 0 and 2 ln 2 for bce at 0."""
    terms = []
    for r, f in zip(real, fake, strict=True):
        r_verdict, f_verdict = r[-1].float(), f[-1].float()
        if kind == "hinge":
            terms.append(F.relu(1 - r_verdict).mean() + F.relu(1 + f_verdict).mean())
        elif kind == "bce":
            terms.append(F.softplus(-r_verdict).mean() + F.softplus(f_verdict).mean())
        else:
            terms.append((r_verdict - 1).square().mean() + f_verdict.square().mean())
    return torch.stack(terms).mean()


def generator_loss(kind: GanKind, fake: Verdicts) -> Tensor:
    """How unconvinced the judge is by the fakes."""
    verdicts = [f[-1].float() for f in fake]
    if kind == "hinge":
        terms = [-v.mean() for v in verdicts]
    elif kind == "bce":
        terms = [F.softplus(-v).mean() for v in verdicts]
    else:
        terms = [(v - 1).square().mean() for v in verdicts]
    return torch.stack(terms).mean()


def gradient_penalty(judge: Callable[[Photo], Verdicts], photo: Photo, rng: StepRng) -> Tensor:
    """R1 (Mescheder et al. 2018): squared gradient of a patch's verdict on photos, summed over pixels, mean of patches.

    One backward pass for all patches: verdicts are summed under random signs, and what patches have in common cancels
    in expectation (Hutchinson), so the value does not depend on the picture's size.
    """
    photo = photo.detach().requires_grad_(True)
    terms = []
    for scale in judge(photo):
        verdict = scale[-1]
        signs = rng.bits(*verdict.shape[1:]).to(verdict) * 2 - 1
        (gradient,) = torch.autograd.grad((verdict * signs).sum(), photo, create_graph=True)
        terms.append(gradient.square().sum() / verdict.numel())
    return torch.stack(terms).mean()


def feature_matching_loss(real: Verdicts, fake: Verdicts) -> Tensor:
    """L1 between the judge's features of photo and fake, over layers and scales (pix2pixHD)."""
    terms = [
        _mean_distance(f, r.detach())
        for r_scale, f_scale in zip(real, fake, strict=True)
        for r, f in zip(r_scale[:-1], f_scale[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


def measure_scales(
    network: PerceptualNetwork, real: Sequence[Tensor], group: ProcessGroup = SINGLE_PROCESS
) -> list[Tensor]:
    """What each slice's features are measured in: the photos' mean activation where the network asks for that, else 1.

    The scale is the mean absolute activation; activations of some networks grow with depth.
    """
    means = [r.detach().abs().mean(dtype=torch.float32) for r in real]
    if not network.relative:
        return [torch.ones_like(mean) for mean in means]
    group.average(means)  # a batch that is shared has one mean
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


#: Where a repetition is looked for, (down, right) pixels: up to one coarse cell away in steps of half of it, one of
#: each pair of opposites.
LAGS = tuple((down, right) for down in (0, 8, 16) for right in (-16, -8, 0, 8, 16) if (down, right) > (0, 0))


def repetition_loss(real: Photo, fake: Photo, window: int = 64) -> Tensor:
    """How much more the fake's detail resembles itself a few pixels away than the photo's does at the same place.

    The correlation of luma, its local mean taken away, with itself at each of ``LAGS``, in overlapping windows; what
    goes beyond the photo's, summed over the lags, mean over windows. A generator that works from a grid of 16 pixels up
    prints that grid where nothing else tells it what to paint; a photo's own regularity, a fence, stays free.

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


def _correlate(picture: Photo, window: int) -> list[Tensor]:
    """Of a picture's detail with itself, at each lag, window by window, in [-1, 1]."""
    luma = picture.float().mean(dim=1, keepdim=True)
    detail = luma - F.avg_pool2d(luma, 25, stride=1, padding=12, count_include_pad=False)
    height, width = detail.shape[-2:]

    def average(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, stride=max(1, window // 2))

    correlations = []
    for down, right in LAGS:
        here = detail[..., : height - down, max(0, -right) : width - max(0, right)]
        there = detail[..., down:, max(0, right) : width - max(0, -right)]
        # The floor keeps what is flat to the eye, such as sky, from being judged by its rounding errors.
        energy = (average(here.square()) + 1e-3) * (average(there.square()) + 1e-3)
        correlations.append(average(here * there) / energy.sqrt())
    return correlations


def semantic_discriminator_loss(
    real: Sequence[Tensor], fake: Sequence[Tensor], class_index: ClassIndexMap, class_weights: Float[Tensor, " classes"]
) -> Tensor:
    """How wrong the semantic judge is about the classes of photos, plus how far it is taken in by fakes (OASIS).

    Args:
        real, fake: its logits on photos and fakes, (b, classes + 1, h, w) of any sizes; fake is the last channel.
        class_weights: how much a pixel of each class counts; void counts nothing.
    """
    is_fake = class_weights.new_full((class_index.shape[0], 1, 1), len(class_weights)).long()
    taken_in = [F.cross_entropy(f.float(), is_fake.expand(-1, *f.shape[-2:])) for f in fake]
    return semantic_loss(real, class_index, class_weights) + torch.stack(taken_in).mean()


def semantic_loss(
    logits: Sequence[Tensor], class_index: ClassIndexMap, class_weights: Float[Tensor, " classes"]
) -> Tensor:
    """Weighted cross-entropy between the semantic judge's logits and the classes, mean over its depths.

    Of photos it is the judge's loss, of fakes the generator's: to be taken for a photo of the right class.
    """
    terms = []
    for answer in logits:
        truth = F.interpolate(class_index[:, None].float(), size=answer.shape[-2:], mode="nearest-exact")[:, 0].long()
        weight = class_weights[truth]
        per_pixel = F.cross_entropy(answer.float(), truth, reduction="none")
        # Image by image, so that a batch may be shared; a crop may be void all over.
        per_image = (per_pixel * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)
        terms.append(per_image.mean())
    return torch.stack(terms).mean()


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
