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
from sflow_pipeline.bundle.combined_check import combine_checks
from sflow_pipeline.bundle.contradictions import Contradiction, compare_with_usual, find_contradictions
from sflow_pipeline.bundle.frame_threads import map_frames
from sflow_pipeline.bundle.label_likelihood import (
    LEAST_LOG,
    SMALLEST_SHARE,
    compare_exchanged,
    count_labelled,
    find_largest_mean,
    score_label,
    take_class,
)
from sflow_pipeline.bundle.label_outlines import compare_outlines
from sflow_pipeline.bundle.load_segmenter import load_segmenter
from sflow_pipeline.bundle.metadata import UsualAgreement
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.networks.device import Device, fetch, send
from sflow_pipeline.networks.segmenters.lite_segmenter import LiteSegmenter
from sflow_pipeline.tensors import to_unit_range

#: Pictures are reduced to half their height, within these limits; those of less than the lower one keep their size.
WORKING_HEIGHT_PX, _MOST_HEIGHT_PX = 192, 256
#: A class that covers less than this share of the labelled pixels is rare in its frame.
RARE_SHARE = 0.05
#: Where the segmenter's largest probability is below this, a pixel is of no familiar class.
_UNFAMILIAR_BELOW = 0.5
#: (h, w, 3) picture and (h, w) class channels at the working size.
ReducedPair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


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
            ``likelihood``: the same mean over all labelled pixels, unweighted;
            ``naming``: by how much labelled classes are more probable than any two of them exchanged;
            ``outlines``: by how much the picture's edges are stronger along the label's outlines than along those of
            the label when it is moved (``label_outlines``);
            ``mirror``: by how much it is more probable than the mirrored label;
            ``blank``: minus the mean probability of void in the window with most of it, which is what a segmenter
            trained with mixed crops calls blank regions;
            ``objects``: minus the strongest contradiction, relative to what is usual for its classes;
            ``together``: several of them in one (``combined_check``), where it is known what is usual.
        void: (h, w) probability of void, of every second pixel where pictures are large.
        contradictions: regions where the segmenter says something else than the label.
    """

    pixel_accuracy: float
    miou: float
    rare_recall: float | None
    unfamiliar: float
    recall: Mapping[str, float]
    checks: Mapping[str, float]
    void: NDArray[np.float32]
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
        self._usual = usual or UsualAgreement(recall={})
        self._weights = torch.tensor(weights, device=device.name)
        self.void_channel = self._space.void_channel
        self._channels = [i for i in range(self._space.num_classes) if i != self._space.void_channel]
        self._kept = torch.tensor(self._channels, device=device.name)
        self._channel_bytes = torch.tensor(self._channels, dtype=torch.uint8, device=device.name)
        self._names = [self._space.classes[channel].name for channel in self._channels]
        self._positions = torch.full((256,), len(self._channels), dtype=torch.long, device=device.name)
        self._positions[self._channels] = torch.arange(len(self._channels), device=device.name)

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
        reduced = [reduce_pair(*pair) for pair in zip(pictures, class_index, strict=True)]
        return self.score_reduced(reduced, batch_size, with_checks=with_checks)

    @torch.inference_mode()
    def score_reduced(
        self, pairs: Sequence[ReducedPair], batch_size: int = 1, *, with_checks: bool = True
    ) -> list[Agreement]:
        """As ``score``, of pairs that ``reduce_pair`` returned."""
        size = 1 if self._device.is_cpu else batch_size
        results: list[Agreement] = []
        for start in range(0, len(pairs), size):
            batch = [pairs[min(i, len(pairs) - 1)] for i in range(start, start + size)]
            logits, truth = self._predict(batch)
            results += self._compare(batch, logits, truth) if with_checks else self._count(logits, truth)
        return results[: len(pairs)]

    @torch.inference_mode()
    def score_with_renders(
        self, images: Sequence[ReducedPair], renders: Sequence[ReducedPair], batch_size: int = 1
    ) -> tuple[list[Agreement], list[Agreement]]:
        """Score images with the checks, and the renders they were made from without.

        On a CPU an image and its render are one batch, which takes 0.9 of the time of two; otherwise as ``score``.

        Args:
            images, renders: as ``reduce_pair`` returns them, all of one size.
        """
        if not self._device.is_cpu:
            return self.score_reduced(images, batch_size), self.score_reduced(renders, batch_size, with_checks=False)
        found_images, found_renders = [], []
        for image, render in zip(images, renders, strict=True):
            logits, truth = self._predict([image, render])
            found_images += self._compare([image], logits[:1], truth[:1])
            found_renders += self._count(logits[1:], truth[1:])
        return found_images, found_renders

    def _predict(self, pairs: Sequence[ReducedPair]) -> tuple[Tensor, Tensor]:
        """(b, classes, h, w) logits and (b, h, w) channels, of every second pixel where pictures are large."""
        picture, truth = (
            send(torch.from_numpy(np.stack(each)), self._device.name) for each in zip(*pairs, strict=True)
        )
        unit = to_unit_range(picture.permute(0, 3, 1, 2)).to(self._device.dtype)
        unit = unit.contiguous(memory_format=torch.channels_last)
        if truth.shape[1] < WORKING_HEIGHT_PX:
            return self._network(unit).float(), truth
        # Every second pixel says as much, in a quarter of the time.
        if isinstance(self._network, LiteSegmenter):
            return self._network.predict_halved(unit), truth[:, ::2, ::2]
        return F.avg_pool2d(self._network(unit).float(), 2, ceil_mode=True), truth[:, ::2, ::2]

    def _place(self, truth: Tensor) -> tuple[Tensor, Tensor]:
        """(b, h, w) position of each pixel's class among the channels without void, and whether it has one."""
        position = self._positions[truth.long()]
        return position.clamp(max=len(self._channels) - 1), position < len(self._channels)

    def _tabulate(self, position: Tensor, labelled: Tensor, predicted: Tensor) -> list[NDArray[np.float64]]:
        """Confusion counts of each picture, (labelled classes, predicted classes)."""
        count, pictures = len(self._channels), len(position)
        picture = torch.arange(pictures, device=position.device)[:, None, None]
        cells = (picture * (count + 1) + torch.where(labelled, position, count)) * count + predicted
        tables = torch.bincount(cells.flatten(), minlength=pictures * (count + 1) * count).cpu().numpy()
        return list(tables.reshape(pictures, count + 1, count)[:, :-1].astype(np.float64))

    def _count(self, logits: Tensor, truth: Tensor) -> list[Agreement]:
        """As ``_compare``, without checks."""
        best, predicted = logits[:, self._kept].softmax(dim=1).max(dim=1)
        unfamiliar = (best < _UNFAMILIAR_BELOW).float().mean(dim=(1, 2)).tolist()
        tables = self._tabulate(*self._place(truth), predicted)
        voids = self._find_void(logits).cpu().numpy()
        return [
            _summarise(table, self._names, {"unfamiliar": share}, (), self._usual, void)
            for table, share, void in zip(tables, unfamiliar, voids, strict=True)
        ]

    def _compare(self, pairs: Sequence[ReducedPair], logits: Tensor, truth: Tensor) -> list[Agreement]:
        """Agreements from (b, classes, h, w) logits and (b, h, w) channels of these pairs."""
        log_probability = logits[:, self._kept].log_softmax(dim=1)
        position, labelled = self._place(truth)
        wanted = ((truth[:, None] == self._channel_bytes[:, None, None]) & labelled[:, None]).float()
        best, predicted = log_probability.max(dim=1)
        bounded = log_probability.clamp(min=LEAST_LOG)
        counts = wanted.sum(dim=(2, 3))
        total = counts.sum(dim=1).clamp(min=1)
        mean_log = wanted.flatten(2) @ bounded.flatten(2).transpose(1, 2) / counts.clamp(min=1)[..., None]
        own = take_class(log_probability, position, labelled)
        surprise = (best - own).clamp(max=-LEAST_LOG) * labelled
        straight = score_label(position, labelled, bounded)
        values = {
            "region": -find_largest_mean(surprise * self._weights[self._kept][position]),
            "likelihood": -surprise.sum(dim=(1, 2)) / count_labelled(labelled),
            "naming": compare_exchanged(mean_log, counts / total[:, None]),
            "mirror": straight - score_label(position.flip(2), labelled.flip(2), bounded),
            "unfamiliar": (best < np.log(_UNFAMILIAR_BELOW)).float().mean(dim=(1, 2)),
        }
        void = self._find_void(logits)
        if self.void_channel is not None:
            values["blank"] = -find_largest_mean(void)
        outlines = map_frames(lambda pair: compare_outlines(pair[0], pair[1], self.void_channel), pairs)
        planes = (best - own, labelled, predicted.to(torch.uint8), position.to(torch.uint8), void)
        rows, gaps, marked, called, positions, voids = (
            tensor.numpy() for tensor in fetch([torch.stack(list(values.values())).double(), *planes])
        )
        columns = dict(zip(values, rows, strict=True))
        return [
            _summarise(
                table,
                self._names,
                {name: float(column[i]) for name, column in columns.items()} | {"outlines": outlines[i]},
                find_contradictions(gaps[i], called[i], positions[i], marked[i], self._names),
                self._usual,
                voids[i],
            )
            for i, table in enumerate(self._tabulate(position, labelled, predicted))
        ]

    def _find_void(self, logits: Tensor) -> Tensor:
        """(b, h, w) probability of void; 0 where the label space has none."""
        if self.void_channel is None:
            return torch.zeros_like(logits[:, 0])
        return (logits[:, self.void_channel] - logits.logsumexp(dim=1)).exp()


def reduce_pair(picture: NDArray[np.uint8], class_index: NDArray[np.uint8]) -> ReducedPair:
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
    usual: UsualAgreement,
    void: NDArray[np.float32],
) -> Agreement:
    values["objects"] = -compare_with_usual(contradictions, usual.confusion)
    if usual.checks and usual.checks.keys() <= values.keys():
        values["together"] = combine_checks(values, usual.checks)
    right, labelled = confusion.diagonal(), confusion.sum(axis=1)
    total = labelled.sum()
    unfamiliar = values.pop("unfamiliar")
    if not total:
        return Agreement(1.0, 1.0, None, unfamiliar, {}, {"pixel_accuracy": 1.0, "miou": 1.0, **values}, void)
    present = labelled > 0
    recall = right[present] / labelled[present]
    iou = right[present] / (labelled + confusion.sum(axis=0) - right)[present]
    shares = labelled[present] / total
    rare = recall[shares < RARE_SHARE]
    accuracy, miou = float(right.sum() / total), float(iou.mean())
    named = {
        name: float(value)
        for name, value, share in zip(np.array(names)[present], recall, shares, strict=True)
        if share >= SMALLEST_SHARE
    }
    checks = {"pixel_accuracy": accuracy, "miou": miou, **values}
    rare_recall = float(rare.mean()) if len(rare) else None
    return Agreement(accuracy, miou, rare_recall, unfamiliar, named, checks, void, tuple(contradictions))
