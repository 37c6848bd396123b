"""Kernel distance of converted simulator frames to photos as a loss, simulator by simulator.

MMD with the kernel of KID (Bińkowski et al. 2018) on features of whole views. The gradient of MMD² for one view is that
of its mean kernel to other converted views of the simulator, less that to photos; a batch has too few of the former, so
the last ones are remembered. Unlike a discriminator the target stands still and cannot win, and unlike statistics by
class whole views are compared, as ``evaluate`` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.metrics.kernel import compute_mmd2
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import Photo, to_unit_range
from sflow_pipeline.training.data.crops import CropOrigins
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import ProcessGroup
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng
from sflow_pipeline.training.step.views import cut_views, find_viewable

#: Views: of each photo, of each simulator's rendered frames, of each crop in a step, and how many are remembered.
_OF_PHOTO, _OF_SIMULATOR, _OF_CROP, _REMEMBERED = 4, 96, 2, 96
#: Views that a network is given at once.
_AT_ONCE = 32
#: Least distance that counts as a unit, so that noise is none for simulators about as near to photos as other photos.
_LEAST_UNIT = 0.05


@dataclass(frozen=True)
class KernelReference:
    """What converted frames are compared with in one network's features, which are divided by their ``scale``.

    Attributes:
        scale: root mean square of the photos' features.
        photos: features of views of photos.
        renders: of each simulator, by the number of its folder, features of views of its rendered frames; the first
            memory.
        units: of each simulator, the kernel distance of its rendered frames to the photos.
    """

    network: PerceptualNetwork
    scale: Float[Tensor, ""]
    photos: Float[Tensor, "n d"]
    renders: Mapping[int, Float[Tensor, "m d"]]
    units: Mapping[int, float]

    def embed(self, views: Photo) -> Float[Tensor, "b d"]:
        """Features of views in their unit."""
        return self.network.embed(views) / self.scale


def measure_kernel_references(
    networks: Sequence[PerceptualNetwork], photos: PhotoSet, renders: PhotoSet, seed: int, device: Device
) -> list[KernelReference]:
    """References of the networks: views of every photo that is one, and of every simulator's frames in turn.

    Raises:
        TrainingError: no photo is a reference.
    """
    chosen = [i for i, facts in enumerate(photos.facts) if facts.is_reference]
    if not chosen:
        raise TrainingError(
            "loss.kernel: no photo is there to compare with, reference is false in every one of data.sources",
            hint="set reference: true for a folder of photos of many towns, or --set loss.kernel=0",
        )
    frames: dict[int, list[int]] = {}
    for i, facts in enumerate(renders.facts):
        frames.setdefault(facts.source, []).append(i)
    of_photos = _Views(photos, seed * 2, device)
    of_renders = _Views(renders, seed * 2 + 1, device)
    features_of_photos = of_photos.embed(networks, [i for i in chosen for _ in range(_OF_PHOTO)])
    features_of_renders = {
        source: of_renders.embed(networks, [numbers[n % len(numbers)] for n in range(_OF_SIMULATOR)])
        for source, numbers in frames.items()
    }
    references = []
    for number, (network, features) in enumerate(zip(networks, features_of_photos, strict=True)):
        scale = features.square().mean().sqrt().clamp(min=1e-6)
        photo_features = features / scale
        own = {source: each[number] / scale for source, each in features_of_renders.items()}
        units = {source: max(_LEAST_UNIT, _measure_distance(x, photo_features)) for source, x in own.items()}
        references.append(KernelReference(network, scale, photo_features, own, units))
    return references


def kernel_loss(
    state: TrainingState,
    fake: Photo,
    origins: CropOrigins,
    references: Sequence[KernelReference],
    rng: StepRng,
    group: ProcessGroup,
) -> Tensor:
    """Sum over networks of what each crop adds to its simulator's MMD² to the photos, in units; mean over crops.

    It is no distance, as what does not change with the generator is left out. Crops of frames so large that they do not
    fill a view add nothing. ``state.memory`` gets the views' features.

    Args:
        fake: converted crops of simulator frames.
        origins: where they are from.
    """
    views = cut_views(fake.float(), origins.frame_width_px, _OF_CROP, rng)
    counts = find_viewable(min(fake.shape[-2:]), origins.frame_width_px).to(fake.device)
    total = fake.new_zeros(())
    for number, reference in enumerate(references):
        features = reference.embed(views).unflatten(0, (len(fake), _OF_CROP))
        for own, source, is_viewable in zip(features, origins.source.tolist(), counts, strict=True):
            memory = _recall(state, number, source, reference)
            to_own, to_photos = cubic_kernel(own, memory).mean(), cubic_kernel(own, reference.photos).mean()
            total = total + is_viewable * 2 * (to_own - to_photos) / reference.units[source]
        _remember(state, number, features.detach(), origins.source, counts, reference, group)
    return total / len(fake)


def cubic_kernel(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """k(x, y) = (x·y / d + 1)³, the kernel of KID."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def _measure_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    return compute_mmd2(first.double().cpu().numpy(), second.double().cpu().numpy())


def _recall(state: TrainingState, network: int, source: int, reference: KernelReference) -> Float[Tensor, "m d"]:
    """The last converted views of a simulator in a network's features; its rendered ones at first."""
    return state.memory.get(f"{network}/{source}", reference.renders[source])


def _remember(
    state: TrainingState,
    network: int,
    features: Float[Tensor, "b v d"],
    source: Tensor,
    counts: Tensor,
    reference: KernelReference,
    group: ProcessGroup,
) -> None:
    """Add the views of the whole batch to the memory, the same in every process."""
    rows, sources, viewable = (group.gather_rows(x) for x in (features, source.to(features.device), counts.float()))
    for own, number, is_viewable in zip(rows, sources.tolist(), viewable.tolist(), strict=True):
        if is_viewable:
            memory = torch.cat((_recall(state, network, number, reference), own))
            state.memory[f"{network}/{number}"] = memory[-_REMEMBERED:]


@dataclass(frozen=True)
class _Views:
    """Views of a set's pictures."""

    pictures: PhotoSet
    seed: int
    device: Device

    @torch.no_grad()
    def embed(self, networks: Sequence[PerceptualNetwork], numbers: Sequence[int]) -> list[Float[Tensor, "n d"]]:
        """Every network's features of a view of each of these pictures; all networks see the same views."""
        features: list[list[Tensor]] = [[] for _ in networks]
        for first in range(0, len(numbers), _AT_ONCE):
            chosen = numbers[first : first + _AT_ONCE]
            views = torch.cat([self._cut(picture, first + n) for n, picture in enumerate(chosen)])
            for found, network in zip(features, networks, strict=True):
                found.append(network.embed(views))
        return [torch.cat(found) for found in features]

    def _cut(self, picture: int, number: int) -> Photo:
        rng = StepRng((self.seed * 1_000_003 + number) * 2 + 1, 0, 1)
        pixels = torch.from_numpy(self.pictures.read(picture)[0].copy()).permute(2, 0, 1)[None]
        frame = to_unit_range(pixels.to(self.device.name))
        width = torch.tensor([float(frame.shape[-1])])
        return cut_views(frame, width, 1, rng)
