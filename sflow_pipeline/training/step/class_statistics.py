"""Statistics of perceptual-network features, class by class: converted frames are held to what photos have.

Where there is no photo of a scene, each class's features can still be compared with those of the same class in photos:
their mean and standard deviation over a crop, as in style transfer (Huang & Belongie 2017), against the means and
spreads of these numbers over many crops of photos. Unlike a discriminator the target stands still, and what lies within
the photos' variety costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.tensors import ClassIndexMap, to_unit_range
from sflow_pipeline.training.data.crops import CropSampler

#: Crops that are measured: of each photo, and in all at most; and in how many of them a class must occur.
_CROPS_OF_A_PHOTO, _MOST_CROPS, _LEAST_CROPS = 3, 600, 20
#: A class's least number of feature cells in a crop, and how much of a cell must belong to it.
_LEAST_CELLS, _LEAST_COVER = 48, 0.9
#: In spreads over photos: what costs nothing, and from where on the cost grows linearly.
_FREE, _LINEAR = 0.5, 2.0


@dataclass(frozen=True)
class ClassStatistics:
    """Statistics of one slice of features.

    Attributes:
        values: of each image and class, the mean of every channel over the class's cells, then the logarithms of their
            standard deviations.
        cells: how many cells each class has.
    """

    values: Float[Tensor, "b classes c2"]
    cells: Float[Tensor, "b classes"]

    @property
    def is_known(self) -> Bool[Tensor, "b classes"]:
        """Whether a class has enough cells."""
        return self.cells >= _LEAST_CELLS


@dataclass(frozen=True)
class PhotoStatistics:
    """Mean and spread of the statistics over crops of photos, and which classes have enough crops; one slice."""

    mean: Float[Tensor, "classes c2"]
    spread: Float[Tensor, "classes c2"]
    is_known: Bool[Tensor, " classes"]


def measure_class_statistics(
    features: Sequence[Tensor], class_index: ClassIndexMap, classes: int
) -> list[ClassStatistics]:
    """Statistics of each slice of features, (b, c, h, w).

    >>> halves = torch.tensor([0, 1], dtype=torch.uint8).repeat_interleave(8).expand(1, 16, 16)
    >>> (slice,) = measure_class_statistics([halves[:, None] * 2.0], halves, classes=2)
    >>> slice.values[0, :, 0].tolist(), slice.cells[0].tolist()
    ([0.0, 2.0], [128.0, 128.0])
    """
    member = F.one_hot(class_index.long(), classes).permute(0, 3, 1, 2).float()
    found = []
    for feature in features:
        height, width = feature.shape[-2:]
        cover = F.adaptive_avg_pool2d(member, (height, width)).flatten(2)
        inside = (cover > _LEAST_COVER).float()
        cells = inside.sum(dim=2)
        x = feature.float().flatten(2).transpose(1, 2)
        share = inside / cells.clamp(min=1)[..., None]
        mean = share @ x
        variance = (share @ x.square() - mean.square()).clamp(min=0)
        # The floor keeps channels that are silent in a class from deciding.
        floor = 1e-4 * x.detach().square().mean() + 1e-12
        found.append(ClassStatistics(torch.cat((mean, (variance + floor).log() / 2), dim=2), cells))
    return found


@torch.no_grad()
def measure_photo_statistics(
    network: PerceptualNetwork, sampler: CropSampler, classes: int, device: Device
) -> list[PhotoStatistics]:
    """Statistics of each slice of a network's features over the first crops of a sampler of photos."""
    measured: list[list[ClassStatistics]] = []
    for number in range(min(_CROPS_OF_A_PHOTO * len(sampler.photos), _MOST_CROPS)):
        batch = sampler.cut_batch(number, 1)
        photo, class_index = (x.to(device.name) for x in (batch.photo, batch.class_index))
        with device.autocast():
            features = network(to_unit_range(photo))
        measured.append(measure_class_statistics(features, class_index, classes))
    return [_summarise(slices) for slices in zip(*measured, strict=True)]


def _summarise(crops: Sequence[ClassStatistics]) -> PhotoStatistics:
    values, known = torch.cat([x.values for x in crops]), torch.cat([x.is_known for x in crops])
    share = known.float() / known.sum(dim=0).clamp(min=1)  # (crops, classes)
    mean = torch.einsum("nk,nkc->kc", share, values)
    spread = torch.einsum("nk,nkc->kc", share, (values - mean).square()).sqrt()
    least = 0.05 * spread.mean(dim=1, keepdim=True) + 1e-6
    return PhotoStatistics(mean, spread + least, known.sum(dim=0) >= _LEAST_CROPS)


def statistics_loss(
    photos: Sequence[PhotoStatistics], features: Sequence[Tensor], class_index: ClassIndexMap
) -> Tensor:
    """Distance, in spreads over photos, of an image's statistics from the photos' mean beyond half a spread.

    Squared up to two spreads, linear further on (Huber); mean over images. In an image a class counts by the root of
    its cells, so that small ones are heard.
    """
    classes = len(photos[0].is_known)
    total = count = torch.zeros((), device=features[0].device)
    measured = measure_class_statistics(features, class_index, classes)
    for known, own, feature in zip(photos, measured, features, strict=True):
        excess = F.relu(((own.values - known.mean) / known.spread).abs() - _FREE)
        cost = F.huber_loss(excess, torch.zeros_like(excess), reduction="none", delta=_LINEAR)
        per_class = 2 * cost.mean(dim=2)
        weight = (own.is_known & known.is_known).float() * (own.cells / feature[0, 0].numel()).sqrt()
        total = total + (weight * per_class).sum(dim=1)
        count = count + weight.sum(dim=1)
    return (total / count.clamp(min=1e-6)).mean()
