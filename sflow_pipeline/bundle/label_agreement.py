"""Agreement of pictures with their labels, measured by a bundle's segmenter at a reduced size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.contradictions import Contradiction, compare_with_usual, find_contradictions
from sflow_pipeline.bundle.load_segmenter import load_segmenter
from sflow_pipeline.bundle.metadata import UsualAgreement
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.device import Device
from sflow_pipeline.tensors import to_unit_range

#: Pictures are reduced to half their height, within these limits; those of less than the lower one keep their size.
WORKING_HEIGHT_PX, _MOST_HEIGHT_PX = 192, 256
#: A class that covers less than this share of the labelled pixels is rare in its frame.
RARE_SHARE = 0.05
#: Smaller classes are not named as the weakest, nor looked for under another class's label.
_SMALLEST_SHARE = 0.01
#: Where the segmenter's largest probability is below this, a pixel is of no familiar class.
_UNFAMILIAR_BELOW = 0.5
#: How far the label is moved to test its place, as a share of the height: 16 px of CamVid's 360.
_SHIFT = 16 / 360
#: Windows in which the worst region is looked for, as a share of the height.
_WINDOW = 1 / 6
#: Log-probabilities are cut off here, so that no pixel counts without bound.
_LEAST_LOG = -6.0


@dataclass(frozen=True)
class Agreement:
    """How well the segmenter's classes agree with one label.

    Attributes:
        pixel_accuracy: share of the labelled pixels with the labelled class; 1 where nothing is labelled.
        miou: over the classes of the label.
        rare_recall: mean recall of the classes that are rare in this frame; None where none is.
        unfamiliar: share of pixels that the segmenter gives no class with a probability of at least 0.5.
        recall: class name -> recall, of classes that cover at least 1 % of the labelled pixels.
        checks: check -> value, larger being better; what thresholds apply to. ``pixel_accuracy`` and ``miou`` as above;
            ``region``: mean log-probability of the labelled class relative to the predicted one, in the worst window,
            weighted by the square of the class's recall on real photos;
            ``naming``: by how much labelled classes are more probable than any two of them exchanged; ``place`` and
            ``mirror``: by how much the label is more probable than the label moved or mirrored;
            ``blank``: minus the mean probability of void in the window with most of it, which is what a segmenter
            trained with mixed crops calls blank regions;
            ``objects``: minus the strongest contradiction, relative to what is usual for its classes.
        contradictions: regions where the segmenter says something else than the label.
    """

    pixel_accuracy: float
    miou: float
    rare_recall: float | None
    unfamiliar: float
    recall: Mapping[str, float]
    checks: Mapping[str, float]
    contradictions: Sequence[Contradiction] = ()


class AgreementScorer:
    """A bundle's segmenter on a device.

    Args:
        bundle: whose label space and recipe.
        state: the segmenter's weights, as ``Bundle.read_segmenter`` returns them.
        device: where it runs, and in which number format.
        usual: what is usual on real photos: recall of each class, whose square weights the classes in ``region``, and
            confusions, which ``objects`` is relative to. Where None, all classes count fully and none are confused.

    Raises:
        BundleError: the weights do not fit the recipe.
    """

    def __init__(
        self, bundle: Bundle, state: Mapping[str, Tensor], device: Device, usual: UsualAgreement | None = None
    ) -> None:
        self._space: LabelSpace = bundle.label_space
        self._device = device
        self._network = load_segmenter(bundle, state, device)
        # A class that the segmenter often misses in real photos says little about the place where it is missed.
        weights = [1.0 if usual is None else usual.recall.get(entry.name, 0.0) ** 2 for entry in self._space.classes]
        self._confusion = None if usual is None else usual.confusion
        self._weights = torch.tensor(weights, device=device.name)
        self.void_channel = self._space.void_channel
        self._channels = [i for i in range(self._space.num_classes) if i != self._space.void_channel]

    @torch.inference_mode()
    def score(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        class_index: Sequence[NDArray[np.uint8]],
        batch_size: int = 1,
        *,
        with_checks: bool = True,
    ) -> list[Agreement]:
        """Score pictures against their labels.

        On a CPU pictures are scored one by one, on a GPU in batches of exactly ``batch_size``, the last picture
        repeated, because kernels are chosen by shape: a picture's scores do not depend on its neighbours.

        Args:
            pictures: (h, w, 3) uint8 RGB each, all of one size.
            class_index: (h, w) uint8 channels of the bundle's label space.
            with_checks: whether the checks are made; half of the time without the network.
        """
        size = 1 if self._device.is_cpu else batch_size
        results: list[Agreement] = []
        for start in range(0, len(pictures), size):
            chosen = [min(i, len(pictures) - 1) for i in range(start, start + size)]
            reduced = [reduce_pair(pictures[i], class_index[i]) for i in chosen]
            picture = torch.from_numpy(np.stack([pair[0] for pair in reduced])).to(self._device.name)
            truth = torch.from_numpy(np.stack([pair[1] for pair in reduced])).to(self._device.name)
            unit = to_unit_range(picture.permute(0, 3, 1, 2)).to(self._device.dtype)
            logits = self._network(unit.contiguous(memory_format=torch.channels_last)).float()
            if truth.shape[1] >= WORKING_HEIGHT_PX:  # every second pixel says as much, in a quarter of the time
                logits, truth = F.avg_pool2d(logits, 2, ceil_mode=True), truth[:, ::2, ::2]
            results += self._compare(logits, truth) if with_checks else self._count(logits, truth)
        return results[: len(pictures)]

    def _count(self, logits: Tensor, truth: Tensor) -> list[Agreement]:
        """As ``_compare``, without checks."""
        best, predicted = logits[:, self._channels].softmax(dim=1).max(dim=1)
        unfamiliar = (best < _UNFAMILIAR_BELOW).float().mean(dim=(1, 2)).tolist()
        names = [self._space.classes[channel].name for channel in self._channels]
        position = torch.full((256,), len(names), dtype=torch.long, device=truth.device)
        position[self._channels] = torch.arange(len(names), device=truth.device)
        pairs = position[truth.long()] * len(names) + predicted
        tables = [
            torch.bincount(item.flatten(), minlength=(len(names) + 1) * len(names)).cpu().numpy() for item in pairs
        ]
        return [
            _summarise(table.reshape(-1, len(names))[:-1].astype(np.float64), names, {"unfamiliar": share}, (), None)
            for table, share in zip(tables, unfamiliar, strict=True)
        ]

    def _compare(self, logits: Tensor, truth: Tensor) -> list[Agreement]:
        """Agreements from (b, classes, h, w) logits and (b, h, w) channels."""
        log_probability = logits[:, self._channels].log_softmax(dim=1)
        wanted = torch.stack([truth == channel for channel in self._channels], dim=1).float()
        best, predicted = log_probability.max(dim=1)
        found = F.one_hot(predicted, len(self._channels)).permute(0, 3, 1, 2).float()
        bounded = log_probability.clamp(min=_LEAST_LOG)
        counts = wanted.sum(dim=(2, 3))
        total = counts.sum(dim=1).clamp(min=1)
        confusion = torch.einsum("bchw,bdhw->bcd", wanted, found)
        mean_log = torch.einsum("bchw,bdhw->bcd", wanted, bounded) / counts.clamp(min=1)[..., None]
        own = (wanted * log_probability).sum(dim=1)
        weight = (wanted * self._weights[self._channels][:, None, None]).sum(dim=1)
        surprise = (best - own).clamp(max=-_LEAST_LOG) * weight
        values = {
            "region": -_find_largest_mean(surprise),
            "naming": _compare_exchanged(mean_log, counts / total[:, None]),
            "place": _compare_moved(wanted, bounded),
            "mirror": _score_label(wanted, bounded) - _score_label(wanted.flip(3), bounded),
            "unfamiliar": (best < np.log(_UNFAMILIAR_BELOW)).float().mean(dim=(1, 2)),
        }
        found_gap = (best - own).float().cpu().numpy()
        labelled = wanted.any(dim=1).cpu().numpy()
        positions = wanted.argmax(dim=1).to(torch.uint8).cpu().numpy()
        called = predicted.to(torch.uint8).cpu().numpy()
        if self.void_channel is not None:
            values["blank"] = -_find_largest_mean(logits.softmax(dim=1)[:, self.void_channel])
        columns = {name: value.double().cpu().numpy() for name, value in values.items()}
        tables = confusion.double().cpu().numpy()
        names = [self._space.classes[channel].name for channel in self._channels]
        return [
            _summarise(
                tables[i],
                names,
                {name: float(column[i]) for name, column in columns.items()},
                find_contradictions(found_gap[i], called[i], positions[i], labelled[i], names),
                self._confusion,
            )
            for i in range(len(tables))
        ]


def reduce_pair(
    picture: NDArray[np.uint8], class_index: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Picture and label at the working size: pixel means, and nearest pixels.

    >>> pairs = [(np.zeros((height, 99, 3), np.uint8), np.zeros((height, 99), np.uint8)) for height in (90, 360, 1080)]
    >>> [reduce_pair(*pair)[1].shape[0] for pair in pairs]
    [90, 192, 256]
    """
    height, width = class_index.shape
    if height <= WORKING_HEIGHT_PX:
        return picture, class_index
    reduced = max(WORKING_HEIGHT_PX, min(_MOST_HEIGHT_PX, height // 2))
    size_px = (max(1, round(width * reduced / height)), reduced)
    return (
        np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(class_index, size_px, interpolation=cv2.INTER_NEAREST), np.uint8),
    )


def _summarise(
    confusion: NDArray[np.float64],
    names: Sequence[str],
    values: dict[str, float],
    contradictions: Sequence[Contradiction],
    usual: Mapping[str, Mapping[str, float]] | None,
) -> Agreement:
    values["objects"] = -compare_with_usual(contradictions, usual)
    right, labelled = confusion.diagonal(), confusion.sum(axis=1)
    total = labelled.sum()
    unfamiliar = values.pop("unfamiliar")
    if not total:
        return Agreement(1.0, 1.0, None, unfamiliar, {}, {"pixel_accuracy": 1.0, "miou": 1.0, **values})
    present = labelled > 0
    recall = right[present] / labelled[present]
    iou = right[present] / (labelled + confusion.sum(axis=0) - right)[present]
    shares = labelled[present] / total
    rare = recall[shares < RARE_SHARE]
    accuracy, miou = float(right.sum() / total), float(iou.mean())
    named = {
        name: float(value)
        for name, value, share in zip(np.array(names)[present], recall, shares, strict=True)
        if share >= _SMALLEST_SHARE
    }
    checks = {"pixel_accuracy": accuracy, "miou": miou, **values}
    return Agreement(
        accuracy, miou, float(rare.mean()) if len(rare) else None, unfamiliar, named, checks, tuple(contradictions)
    )


def _find_largest_mean(surprise: Tensor) -> Tensor:
    """(b,) the largest mean of (b, h, w) over any square window, in steps of a quarter of it."""
    side = max(1, round(_WINDOW * surprise.shape[1]))
    side = min(side, *surprise.shape[1:])
    means = F.avg_pool2d(surprise[:, None], side, stride=max(1, side // 4))
    return means.flatten(1).amax(dim=1)


def _compare_exchanged(mean_log: Tensor, shares: Tensor) -> Tensor:
    """(b,) the smaller loss, of two classes, of log-probability when they are exchanged, for the worst two."""
    kept = mean_log.diagonal(dim1=1, dim2=2)[:, :, None]
    loss = kept - mean_log
    pair = torch.maximum(loss, loss.transpose(1, 2))
    large = shares >= _SMALLEST_SHARE
    counted = (
        large[:, :, None] & large[:, None, :] & ~torch.eye(shares.shape[1], dtype=torch.bool, device=shares.device)
    )
    return torch.where(counted, pair, torch.full_like(pair, -_LEAST_LOG)).flatten(1).amin(dim=1)


def _compare_moved(wanted: Tensor, log_probability: Tensor) -> Tensor:
    """(b,) by how much the label is more probable in its place than a little further left or right."""
    height, width = wanted.shape[2:]
    step = min(max(1, round(_SHIFT * height)), width - 1)
    if step < 1:
        return torch.zeros(len(wanted), device=wanted.device)
    gains = []
    for inner, moved in ((slice(step, None), slice(None, -step)), (slice(None, -step), slice(step, None))):
        there = log_probability[..., inner]
        gains.append(_score_label(wanted[..., inner], there) - _score_label(wanted[..., moved], there))
    return torch.minimum(*gains)


def _score_label(wanted: Tensor, log_probability: Tensor) -> Tensor:
    """(b,) mean log-probability of a one-hot label over its labelled pixels."""
    return (wanted * log_probability).sum(dim=(1, 2, 3)) / wanted.sum(dim=(1, 2, 3)).clamp(min=1)
