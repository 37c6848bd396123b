"""Training of the segmenter on the GAN's photos, and its scores on held-out photos."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.bundle import Bundle, SegmenterScores, add_gate_thresholds
from sflow_pipeline.bundle.gate_calibration import measure_thresholds
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.metrics.confusion import count_confusion
from sflow_pipeline.metrics.miou import compute_miou
from sflow_pipeline.metrics.pixel_accuracy import compute_pixel_accuracy
from sflow_pipeline.networks.device import Device, place_network
from sflow_pipeline.networks.segmenters.lite_segmenter import LiteSegmenter, begin_from_imagenet, fold_gains
from sflow_pipeline.networks.segmenters.segmenters import build_segmenter
from sflow_pipeline.tensors import Photo, to_unit_range
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.crop_mixing import mix_crops
from sflow_pipeline.training.data.crops import CropBatch, CropSampler
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.run.checkpoint import load_newest_checkpoint, save_checkpoint
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.run.loss_log import LossLog, crossed
from sflow_pipeline.training.step.state import pack_moments, unpack_moments

#: Learning rate of ImageNet features, relative to that of the decoder.
_ENCODER_LR = 0.25


class SegmenterState:
    """The segmenter, its optimiser, and ``images_seen``; random numbers are drawn from (seed, images_seen)."""

    fixed: ClassVar[dict[str, Any]] = {
        "label_space": True,
        "data": True,
        "segmenter": {"width", "encoder"},
        "seed": True,
        "name": True,
    }

    def __init__(
        self,
        recipe: Recipe,
        classes: int,
        device: torch.device | str = "cpu",
        imagenet: Mapping[str, Tensor] | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.classes = classes
        self.provenance: dict[str, str] = {}
        self.images_seen = 0
        network = build_segmenter(recipe.segmenter, classes)
        encoder: list[Tensor] = []
        if isinstance(network, LiteSegmenter):
            begin_from_imagenet(network, imagenet)
            encoder = [*network.stem.parameters(), *network.blocks.parameters()]
        self.network = place_network(network, device)
        known = {id(parameter) for parameter in encoder}
        rest = [parameter for parameter in self.network.parameters() if id(parameter) not in known]
        groups = [{"params": rest, "share": 1.0}] + ([{"params": encoder, "share": _ENCODER_LR}] if encoder else [])
        self.optimizer = torch.optim.AdamW(groups, recipe.segmenter.lr, weight_decay=1e-2)

    def set_learning_rate(self) -> None:
        """Polynomial decay to zero over ``images_seen``, power 0.9."""
        remaining = max(0.0, 1 - self.images_seen / self.recipe.segmenter.images)
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * self.recipe.segmenter.lr * remaining**0.9

    def to_tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state under a flat name, as a checkpoint stores it."""
        tensors = {f"segmenter/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= pack_moments("segmenter", self.optimizer)
        return {k: v.detach().contiguous() for k, v in tensors.items()}

    def to_stored(self) -> dict[str, Tensor]:
        """The network's weights in the form that bundles store."""
        if not isinstance(self.network, LiteSegmenter):
            return self.network.state_dict()
        network = build_segmenter(self.recipe.segmenter, self.classes)
        assert isinstance(network, LiteSegmenter)
        begin_from_imagenet(network, None)
        network.load_state_dict(self.network.state_dict())
        fold_gains(network)
        return network.state_dict()

    def from_tensors(self, tensors: dict[str, Tensor], images_seen: int) -> None:
        """Restore what ``to_tensors`` returned."""
        prefix = "segmenter/"
        weights = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.network.load_state_dict(weights)
        unpack_moments("segmenter", self.optimizer, tensors)
        self.images_seen = images_seen


@dataclass(frozen=True)
class SegmenterContext:
    """Constants of a segmenter run: label space, weight of a pixel of each class, and device."""

    label_space: LabelSpace
    class_weights: Float[Tensor, " classes"]
    device: Device


def train_segmenter(
    recipe: Recipe,
    label_space: LabelSpace,
    photos: PhotoSet,
    out: Path,
    *,
    provenance: Mapping[str, str] = MappingProxyType({}),
    device: Device = Device("cpu"),  # noqa: B008  a NamedTuple, immutable
    imagenet: Mapping[str, Tensor] | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> SegmenterState:
    """Train for ``recipe.segmenter.images`` crops; an interrupted run in ``out`` resumes.

    Args:
        provenance: inputs by option; checkpoints of others are refused.

    Raises:
        TrainingError: checkpoints of another recipe or other inputs, or all damaged; a loss that is not finite.
    """
    settings = recipe.segmenter
    state = SegmenterState(recipe, label_space.num_classes, device.name, imagenet)
    state.provenance = dict(provenance)
    load_newest_checkpoint(state, out)
    weights = compute_class_weights(photos, label_space)
    if label_space.void_channel is not None:
        weights[label_space.void_channel] = 1.0  # of blank regions
    context = SegmenterContext(label_space, weights.to(device.name), device)
    crops = recipe.schedule.model_copy(
        update={"crop_px": settings.crop_px, "scale": settings.scale, "frame_width_px": settings.frame_width_px}
    )
    sampler = CropSampler(photos, crops, recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    log = LossLog(out / "losses.csv", state.images_seen)
    started, first = time.monotonic(), state.images_seen
    while state.images_seen < settings.images:
        before = state.images_seen
        terms = segmenter_step(state, sampler.cut_batch(before, settings.batch_size), context)
        log.add(state.images_seen, terms)
        speed = (state.images_seen - first) / (time.monotonic() - started)
        on_progress(TrainingProgress(state.images_seen, settings.images, "segmenter", speed, terms))
        finished = state.images_seen >= settings.images
        if crossed(before, state.images_seen, settings.checkpoint_every_images) or finished:
            log.flush()
            save_checkpoint(state, out)
    return state


def segmenter_step(state: SegmenterState, batch: CropBatch, context: SegmenterContext) -> dict[str, float]:
    """Update the segmenter on one batch; returns the loss and the accuracy on this batch.

    Raises:
        TrainingError: the loss is not finite; names the images seen.
    """
    rng = torch.Generator().manual_seed(state.recipe.seed * 1_000_003 + state.images_seen)
    void = context.label_space.void_channel
    photo, truth, counted = mix_crops(
        to_unit_range(batch.photo.to(context.device.name)),
        batch.class_index.to(context.device.name).long(),
        context.class_weights,
        void,
        state.recipe.segmenter.mixing,
        rng,
    )
    photo = _vary_exposure(photo, rng)
    with context.device.autocast():
        logits = state.network(photo.contiguous(memory_format=torch.channels_last))
    weight = context.class_weights[truth] * counted
    per_pixel = F.cross_entropy(logits, truth, reduction="none")
    loss = (per_pixel * weight).sum() / weight.sum().clamp(min=1.0)  # a crop may be entirely void
    if not torch.isfinite(loss):
        raise TrainingError(
            f"segmenter: loss is not finite after {state.images_seen} images",
            hint="resume from the last checkpoint with a lower segmenter.lr or precision: fp32",
        )
    state.set_learning_rate()
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.optimizer.step()
    state.images_seen += len(photo)
    right = ((logits.argmax(dim=1) == truth) & counted).sum() / counted.sum().clamp(min=1)
    return {"cross_entropy": loss.item(), "accuracy": right.item()}


@torch.inference_mode()
def score_segmenter(state: SegmenterState, label_space: LabelSpace, photos: PhotoSet) -> SegmenterScores:
    """Pixel accuracy and mIoU on whole photos with true labels, by the weights as a bundle stores them (float16).

    Where no photo has true labels, the scores are against pseudo labels.
    """
    classes = label_space.num_classes
    device = next(state.network.parameters()).device
    stored = build_segmenter(state.recipe.segmenter, classes)
    stored.load_state_dict({k: v.half().float() for k, v in state.to_stored().items()})
    place_network(stored.eval(), device)
    confusion = np.zeros((classes, classes), np.int64)
    scored = _list_scored(photos)
    for i in scored:
        photo, truth = photos.read(i)
        picture = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].to(device)
        predicted = stored(to_unit_range(picture)).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
        confusion += count_confusion(truth, predicted, classes, label_space.void_channel)
    return SegmenterScores(
        pixel_accuracy=round(compute_pixel_accuracy(confusion), 4),
        miou=round(compute_miou(confusion), 4),
        held_out_photos=len(scored),
        images_seen=state.images_seen,
    )


def calibrate_bundle_gate(bundle: Bundle, photos: PhotoSet, device: Device) -> Bundle:
    """Measure the gate's thresholds on photos that the bundle's segmenter was not trained on, and write them.

    Raises:
        TrainingError: the bundle has no segmenter.
    """
    weights = bundle.read_segmenter()
    if weights is None:
        raise TrainingError(
            f"bundle {bundle.path}: has no segmenter, whose agreement with labels the gate's thresholds are for",
            hint="train one with train --only segmenter --set segmenter.images=20000",
        )
    read = (photos.read(i) for i in range(len(photos)))
    pairs = [(np.array(photo), np.array(truth)) for photo, truth in read]
    return add_gate_thresholds(bundle, measure_thresholds(bundle, weights, pairs, device))


def _list_scored(photos: PhotoSet) -> list[int]:
    """Positions of the photos with true labels; of all where none has them."""
    return [i for i, facts in enumerate(photos.facts) if facts.labels == "true"] or list(range(len(photos)))


def _vary_exposure(photo: Photo, rng: torch.Generator) -> Photo:
    """Random contrast, brightness and white balance per photo, as of another camera."""
    batch = len(photo)
    gain = 0.7 + 0.6 * torch.rand(batch, 1, 1, 1, generator=rng)
    shift = 0.4 * torch.rand(batch, 1, 1, 1, generator=rng) - 0.2
    balance = 0.9 + 0.2 * torch.rand(batch, 3, 1, 1, generator=rng)
    scaled = (photo + 1) * balance.to(photo.device) - 1
    return (scaled * gain.to(photo.device) + shift.to(photo.device)).clamp(-1, 1)
