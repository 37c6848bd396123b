"""One training step: edges, discriminator, generator and DNED, in named phases."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.dned import SIDES, fuse_sides
from sflow_pipeline.networks.edges import extract_edges
from sflow_pipeline.networks.layers import place_network
from sflow_pipeline.networks.palette import build_own_palette_map
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.networks.semantic_discriminator import SemanticDiscriminator
from sflow_pipeline.tensors import ClassIndexMap, EdgeMap, Photo, SemanticMap, build_semantic_map, to_unit_range
from sflow_pipeline.training.augmentation import Augmentation
from sflow_pipeline.training.class_weights import compute_class_weights
from sflow_pipeline.training.crops import CropBatch
from sflow_pipeline.training.draws import Draws
from sflow_pipeline.training.edge_corruption import corrupt_edges
from sflow_pipeline.training.losses import (
    discriminator_loss,
    dned_loss,
    feature_matching_loss,
    generator_loss,
    gradient_penalty,
    measure_scales,
    perceptual_loss,
    semantic_discriminator_loss,
    semantic_loss,
)
from sflow_pipeline.training.photo_set import PhotoSet
from sflow_pipeline.training.state import TrainingState
from sflow_pipeline.training.team import ALONE, Team


@dataclass(frozen=True)
class StepContext:
    """What a step needs besides the state: fixed for a whole run."""

    recipe: Recipe
    classes: int
    device: torch.device
    precision: str
    perceptual: PerceptualNetwork | None
    team: Team = ALONE
    class_weights: Float[Tensor, " classes"] | None = None

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        photos: PhotoSet,
        device: torch.device,
        precision: str,
        perceptual: PerceptualNetwork | None,
        team: Team = ALONE,
    ) -> "StepContext":
        """What a run on these photos needs, on its device."""
        space = load_label_space(recipe.label_space)
        network = None if perceptual is None else place_network(perceptual, device)
        weights = None
        if recipe.discriminator.semantic_width:
            weights = compute_class_weights(photos, space).to(device)
        return cls(recipe, space.num_classes, device, precision, network, team, weights)

    def autocast(self) -> torch.autocast:
        """bf16 where the run is in bf16."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")


@dataclass(frozen=True)
class _Scene:
    """What one step is about: ``target`` is the photo's skeleton, ``sides`` and ``alpha`` are DNED's answer to what CG
    would leave of it, ``edge`` is what the generator is shown.
    """

    photo: Photo
    class_index: ClassIndexMap
    semantic: SemanticMap
    target: EdgeMap
    sides: Float[Tensor, "b 5 h w"]
    alpha: Float[Tensor, "b 5"]
    edge: EdgeMap


def train_step(state: TrainingState, batch: CropBatch, context: StepContext) -> dict[str, float]:
    """Update D, then G and DNED, on one batch, or with a team on the batch of which this is a share.

    Returns:
        The loss terms by name, over the whole batch.

    Raises:
        TrainingError: a term is not finite; names the term and the clock.
    """
    recipe, loss, team = context.recipe, context.recipe.loss, context.team
    images = len(batch.photo) * team.size
    draws = Draws(recipe.seed * 1_000_003 + state.images_seen, state.images_seen, images, team)
    scene = _build_scene(state, batch, context, draws)
    photo = scene.photo

    # Fake.
    with context.autocast():
        fake = state.generator(scene.semantic, scene.edge)
    fake = fake.float()
    conditions = torch.cat((scene.semantic, scene.edge.detach().to(scene.semantic.dtype)), dim=1)
    draw = Augmentation(photo, draws) if loss.augment else None
    if draw:
        conditions = draw.of_conditions(conditions)

    def judge(picture: Tensor) -> list[list[Tensor]]:
        with context.autocast():
            verdicts: list[list[Tensor]] = state.discriminator(draw.of_photo(picture) if draw else picture, conditions)
        return verdicts

    # Discriminator; its features of the photo serve feature matching too, so it moves only after G has seen them.
    terms: dict[str, Tensor] = {}
    zero = torch.zeros((), device=context.device)
    judge_total = zero
    judging = state.images_seen >= recipe.schedule.warmup_images
    if judging:
        state.discriminator.requires_grad_(True)
        real_verdicts = judge(photo)
        terms["discriminator"] = discriminator_loss(loss.gan, real_verdicts, judge(fake.detach()))
        if loss.r1 and state.images_seen // images % loss.r1_every_steps == 0:
            # Second derivatives are kept out of bf16.
            shown, given = (draw.of_photo(photo) if draw else photo), conditions.float()
            terms["r1"] = gradient_penalty(lambda picture: state.discriminator(picture, given), shown, draws)
        judge_total = terms["discriminator"] + loss.r1 * loss.r1_every_steps / 2 * terms.get("r1", zero)

        # Generator and DNED; the judge is fixed while they learn.
        state.discriminator.requires_grad_(False)
        fake_verdicts = judge(fake)
        state.discriminator.requires_grad_(True)  # or backward would drop the gradients of its own loss
        terms["gan"] = generator_loss(loss.gan, fake_verdicts)
        terms["feature_matching"] = feature_matching_loss(real_verdicts, fake_verdicts)
    semantic_total = zero
    if context.perceptual is not None:
        seen = _look(context.perceptual, scene, fake, context, draws)
        if loss.perceptual:
            terms["perceptual"] = perceptual_loss(context.perceptual, seen.real, seen.fake, seen.scales)
        if judging and state.semantic_discriminator is not None:
            semantic_total, terms["semantic"] = _ask_semantic_judge(state.semantic_discriminator, seen, context)
            terms["semantic_discriminator"] = semantic_total
    if loss.l1:
        terms["l1"] = (fake - photo).abs().mean()
    terms["dned"] = dned_loss(scene.sides, scene.alpha, scene.target)
    total = (
        loss.adversarial * terms.get("gan", zero)
        + loss.semantic * terms.get("semantic", zero)
        + loss.feature_matching * terms.get("feature_matching", zero)
        + loss.perceptual * terms.get("perceptual", zero)
        + loss.l1 * terms.get("l1", zero)
        + loss.dned * terms["dned"]
    )
    told = {name: term.detach().clone() for name, term in terms.items()}
    team.average(told.values())
    _stop_if_not_finite(told, state.images_seen)
    state.set_learning_rates()
    state.descend(*((judge_total + semantic_total, total) if judging else (total,)), team=team)

    state.images_seen += images
    state.update_averages(images)
    return {name: term.item() for name, term in told.items()}


def _build_scene(state: TrainingState, batch: CropBatch, context: StepContext, draws: Draws) -> _Scene:
    recipe = context.recipe
    photo_bytes = batch.photo.to(context.device, non_blocking=True)
    class_index = batch.class_index.to(context.device, non_blocking=True)
    dtype = torch.bfloat16 if context.precision == "bf16" else torch.float32
    boundary = batch.boundary_map.to(context.device, non_blocking=True) if batch.boundary_map is not None else None
    photo = to_unit_range(photo_bytes).contiguous(memory_format=torch.channels_last)
    colors = None
    if recipe.generator.use_palette:
        colors = build_own_palette_map(photo, class_index, context.classes)
    semantic = build_semantic_map(class_index, context.classes, dtype, boundary, colors)
    target = extract_edges(photo_bytes, _draw_threshold(recipe, draws).to(context.device))
    damaged = corrupt_edges(target, class_index, recipe.dned, draws)
    alpha = _draw_dirichlet(recipe.dned.alpha_concentration, draws).to(context.device)
    with context.autocast():
        sides = state.dned(damaged)
    edge = fuse_sides(sides, alpha) if state.images_seen >= recipe.schedule.laplacian_images else damaged
    if not recipe.generator.use_edges:
        edge = torch.zeros_like(damaged)  # the judge must not know what the generator is not told
    semantic = semantic.contiguous(memory_format=torch.channels_last)
    return _Scene(photo, class_index, semantic, target, sides, alpha, edge)


@dataclass(frozen=True)
class _Seen:
    """What the perceptual network sees of photo and fake, the scale of each slice, and the classes of that place."""

    class_index: ClassIndexMap
    real: list[Tensor]
    fake: list[Tensor]
    scales: list[Tensor]


def _look(network: PerceptualNetwork, scene: _Scene, fake: Photo, context: StepContext, draws: Draws) -> _Seen:
    # The network's stride would print its grid on the fakes if it always fell on the same pixels.
    top, left = draws.integers(0, 15, count=2)
    photo, fake, class_index = scene.photo[..., top:, left:], fake[..., top:, left:], scene.class_index[:, top:, left:]
    if context.recipe.loss.view_jitter:
        factor = 1 + context.recipe.loss.view_jitter * draws.integers(-100, 100)[0] / 100
        size = [round(factor * side) for side in photo.shape[-2:]]
        photo, fake = (F.interpolate(x, size, mode="bilinear", align_corners=False) for x in (photo, fake))
    with context.autocast():
        with torch.no_grad():
            real_features = network(photo)
        fake_features = network(fake)
    scales = measure_scales(network, real_features, context.team)
    return _Seen(class_index, real_features, fake_features, scales)


def _ask_semantic_judge(judge: SemanticDiscriminator, seen: _Seen, context: StepContext) -> tuple[Tensor, Tensor]:
    """The judge's own loss, and what the generator hears of it; each moves only its own network."""
    if context.class_weights is None:
        raise TrainingError("the semantic judge needs class weights", hint="give them in the StepContext")
    real, fake = (
        [features / scale.to(features.dtype) for features, scale in zip(side, seen.scales, strict=True)]
        for side in (seen.real, seen.fake)
    )
    with context.autocast():
        own = semantic_discriminator_loss(
            judge(real), judge([f.detach() for f in fake]), seen.class_index, context.class_weights
        )
        judge.requires_grad_(False)
        told = semantic_loss(judge(fake), seen.class_index, context.class_weights)
        judge.requires_grad_(True)
    return own, told


def _draw_threshold(recipe: Recipe, draws: Draws) -> Float[Tensor, " b"]:
    span = math.log1p(recipe.edges.jitter)
    return recipe.edges.threshold * torch.exp(span * (2 * draws.rand() - 1))


def _draw_dirichlet(concentration: float, draws: Draws) -> Float[Tensor, "b 5"]:
    gamma = draws.per_image(
        lambda images, rng: torch._standard_gamma(torch.full((images, SIDES), concentration), generator=rng)
    )
    return gamma / gamma.sum(dim=1, keepdim=True)


def _stop_if_not_finite(terms: dict[str, Tensor], images_seen: int) -> None:
    broken = [name for name, term in terms.items() if not torch.isfinite(term)]
    if broken:
        raise TrainingError(
            f"loss term {', '.join(broken)} is not finite after {images_seen} images",
            hint="resume from the last checkpoint with a lower learning rate or precision: fp32",
        )
