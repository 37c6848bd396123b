"""One training step: edges, discriminator, generator and DNED, in named phases."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.dned import SIDES, fuse_sides
from sflow_pipeline.networks.edges import extract_edges
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import build_semantic_map, to_unit_range
from sflow_pipeline.training.augmentation import Augmentation
from sflow_pipeline.training.crops import CropBatch
from sflow_pipeline.training.edge_corruption import corrupt_edges
from sflow_pipeline.training.losses import (
    discriminator_loss,
    dned_loss,
    feature_matching_loss,
    generator_loss,
    gradient_penalty,
    perceptual_loss,
)
from sflow_pipeline.training.state import TrainingState


@dataclass(frozen=True)
class StepContext:
    """What a step needs besides the state: fixed for a whole run."""

    recipe: Recipe
    classes: int
    device: torch.device
    precision: str
    perceptual: PerceptualNetwork | None


def train_step(state: TrainingState, batch: CropBatch, context: StepContext) -> dict[str, float]:
    """Update D, then G and DNED, on one batch; returns the loss terms by name.

    Raises:
        TrainingError: a term is not finite; names the term and the clock.
    """
    recipe, loss = context.recipe, context.recipe.loss
    rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + state.images_seen)
    joint = state.images_seen >= recipe.schedule.laplacian_images
    autocast = torch.autocast(context.device.type, dtype=torch.bfloat16, enabled=context.precision == "bf16")

    # Edges: real skeleton, what CG would leave of it, and DNED's answer under a random alpha.
    photo_bytes = batch.photo.to(context.device, non_blocking=True)
    class_index = batch.class_index.to(context.device, non_blocking=True)
    dtype = torch.bfloat16 if context.precision == "bf16" else torch.float32
    semantic = build_semantic_map(class_index, context.classes, dtype).contiguous(memory_format=torch.channels_last)
    photo = to_unit_range(photo_bytes).contiguous(memory_format=torch.channels_last)
    target = extract_edges(photo_bytes, _draw_threshold(recipe, len(photo), rng).to(context.device))
    damaged = corrupt_edges(target, class_index, recipe.dned, rng)
    alpha = _draw_dirichlet(recipe.dned.alpha_concentration, len(photo), rng).to(context.device)
    with autocast:
        sides = state.dned(damaged)
    repaired = fuse_sides(sides, alpha)
    edge = repaired if joint else damaged
    if not recipe.generator.use_edges:
        edge = torch.zeros_like(damaged)  # the judge must not know what the generator is not told

    # Fake.
    with autocast:
        fake = state.generator(semantic, edge)
    fake = fake.float()
    conditions = torch.cat((semantic, edge.detach().to(semantic.dtype)), dim=1)
    draw = Augmentation(photo, rng) if loss.augment else None
    if draw:
        conditions = draw.of_conditions(conditions)

    def judge(picture: Tensor) -> list[list[Tensor]]:
        with autocast:
            verdicts: list[list[Tensor]] = state.discriminator(draw.of_photo(picture) if draw else picture, conditions)
        return verdicts

    # Discriminator; its features of the photo serve feature matching too, so it moves only after G has seen them.
    state.discriminator.requires_grad_(True)
    real_verdicts = judge(photo)
    terms = {"discriminator": discriminator_loss(loss.gan, real_verdicts, judge(fake.detach()))}

    if loss.r1 and state.images_seen // len(photo) % loss.r1_every_steps == 0:
        # Second derivatives are kept out of bf16.
        shown, given = (draw.of_photo(photo) if draw else photo), conditions.float()
        terms["r1"] = gradient_penalty(lambda picture: state.discriminator(picture, given), shown, rng)

    # Generator and DNED; the judge is fixed while they learn.
    state.discriminator.requires_grad_(False)
    fake_verdicts = judge(fake)
    state.discriminator.requires_grad_(True)  # or backward would drop the gradients of its own loss
    terms["gan"] = generator_loss(loss.gan, fake_verdicts)
    terms["feature_matching"] = feature_matching_loss(real_verdicts, fake_verdicts)
    if context.perceptual is not None and loss.perceptual:
        # The network's stride would print its grid on the fakes if it always fell on the same pixels.
        top, left = (int(v) for v in torch.randint(16, (2,), generator=rng))
        with autocast:
            terms["perceptual"] = perceptual_loss(context.perceptual, photo[..., top:, left:], fake[..., top:, left:])
    if loss.l1:
        terms["l1"] = (fake - photo).abs().mean()
    terms["dned"] = dned_loss(sides, alpha, target)
    zero = torch.zeros((), device=context.device)
    judge_total = terms["discriminator"] + loss.r1 * loss.r1_every_steps / 2 * terms.get("r1", zero)
    total = (
        terms["gan"]
        + loss.feature_matching * terms["feature_matching"]
        + loss.perceptual * terms.get("perceptual", zero)
        + loss.l1 * terms.get("l1", zero)
        + loss.dned * terms["dned"]
    )
    _stop_if_not_finite(terms, state.images_seen)
    state.set_learning_rates()
    state.descend(judge_total, total)

    state.images_seen += len(photo)
    state.update_averages(len(photo))
    return {name: term.item() for name, term in terms.items()}


def _draw_threshold(recipe: Recipe, batch: int, rng: torch.Generator) -> Float[Tensor, " b"]:
    span = math.log1p(recipe.edges.jitter)
    return recipe.edges.threshold * torch.exp(span * (2 * torch.rand(batch, generator=rng) - 1))


def _draw_dirichlet(concentration: float, batch: int, rng: torch.Generator) -> Float[Tensor, "b 5"]:
    gamma = torch._standard_gamma(torch.full((batch, SIDES), concentration), generator=rng)
    return gamma / gamma.sum(dim=1, keepdim=True)


def _stop_if_not_finite(terms: dict[str, Tensor], images_seen: int) -> None:
    broken = [name for name, term in terms.items() if not torch.isfinite(term)]
    if broken:
        raise TrainingError(
            f"loss term {', '.join(broken)} is not finite after {images_seen} images",
            hint="resume from the last checkpoint with a lower learning rate or precision: fp32",
        )
