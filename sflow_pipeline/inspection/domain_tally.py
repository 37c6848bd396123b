"""What a set of labelled pictures looks like: classes and where they lie, edges, colours, sharpness, recognition."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.edge_statistics import EdgeStatistics, compute_edge_statistics
from sflow_pipeline.evaluation.photo_source import LabelledPhoto
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.label_spaces import UNMAPPED, LabelSpace, build_mapping
from sflow_pipeline.metrics import count_confusion
from sflow_pipeline.networks.edges.picture_edges import detect_edges

#: Cells of the layout a side.
GRID = 16
#: Bins of L, a and b.
_COLOR_BINS = (8, 12, 12)
_COLOR_WIDTH_PX = 128
_LEAST_WIDTH_PX = 64


@dataclass(frozen=True)
class PictureFacts:
    """Measurements of one picture, reduced to the common width.

    Attributes:
        cells: (16, 16, channels) share of each cell's pixels by class channel.
        edges: (h, w) of the Laplacian.
        colors: (bins,) counts of Lab colours, summing to 1.
        lightness, contrast, chroma: mean and standard deviation of L, mean distance from grey; of 100.
        sharpness: mean absolute Laplacian of the lightness.
        confusion: (channels, channels) of the segmenter against the label; zeros without a segmenter.
    """

    cells: NDArray[np.float64]
    edges: NDArray[np.bool_]
    colors: NDArray[np.float64]
    lightness: float
    contrast: float
    chroma: float
    sharpness: float
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class DomainTally:
    """The pictures of one set."""

    pictures: list[PictureFacts] = field(default_factory=list)

    @property
    def class_shares(self) -> NDArray[np.float64]:
        """(channels,) share of all pixels, summing to 1."""
        shares: NDArray[np.float64] = np.mean([facts.cells.mean(axis=(0, 1)) for facts in self.pictures], axis=0)
        return shares

    @property
    def layout(self) -> NDArray[np.float64]:
        """(16, 16, channels) how often each class is in each cell, summing to 1 over the channels."""
        mean: NDArray[np.float64] = np.mean([facts.cells for facts in self.pictures], axis=0)
        return mean

    @property
    def colors(self) -> NDArray[np.float64]:
        """(bins,) colours, summing to 1."""
        mean: NDArray[np.float64] = np.mean([facts.colors for facts in self.pictures], axis=0)
        return mean

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(channels, channels) over all pictures."""
        total: NDArray[np.int64] = np.sum([facts.confusion for facts in self.pictures], axis=0)
        return total

    def measure_edges(self) -> EdgeStatistics:
        """Density and direction of the edges of all pictures together."""
        return compute_edge_statistics(facts.edges for facts in self.pictures)

    def average(self, name: str) -> float:
        """Mean of one of the numbers of ``PictureFacts``."""
        return float(np.mean([getattr(facts, name) for facts in self.pictures]))

    def split_in_halves(self) -> "tuple[DomainTally, DomainTally]":
        """Every other picture: what a distance is by chance alone."""
        return DomainTally(self.pictures[::2]), DomainTally(self.pictures[1::2])


def choose_width(sizes_px: Iterable[tuple[int, int]]) -> int:
    """The width that all pictures are reduced to: that of the smallest, 512 px at most.

    >>> choose_width([(480, 360), (1920, 1080)]), choose_width([(2048, 1024)])
    (480, 512)
    """
    return max(_LEAST_WIDTH_PX, min(512, *(width for width, _height in sizes_px)))


def measure_picture(
    photo: LabelledPhoto,
    width_px: int,
    source: LabelSpace,
    space: LabelSpace,
    edge_threshold: float,
    segmenter: ReferenceSegmenter | None,
) -> PictureFacts:
    """Measure one picture.

    Args:
        photo: with ids of ``source``.
        width_px: common width.
        source: label space of the picture.
        space: label space in which classes are compared.
        edge_threshold: of the Laplacian.
        segmenter: whose classes are those of ``space`` without void.
    """
    height, width = photo.photo.shape[:2]
    size_px = (width_px, max(32, round(height * width_px / width)))
    picture = np.asarray(cv2.resize(photo.photo, size_px, interpolation=cv2.INTER_AREA), np.uint8)
    channels = build_mapping(source, space).table[photo.label_map]
    void = space.num_classes if space.void_channel is None else space.void_channel
    known = np.where(channels == UNMAPPED, void, channels).astype(np.uint8)
    truth = np.asarray(cv2.resize(known, size_px, interpolation=cv2.INTER_NEAREST), np.uint8)
    count = max(space.num_classes, void + 1)
    confusion = np.zeros((count, count), np.int64)
    if segmenter is not None:
        order = np.array([c for c in range(space.num_classes) if c != space.void_channel], np.uint8)
        confusion = count_confusion(truth, order[segmenter.predict(picture, size_px)], count, void)
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)
    lightness = lab[..., 0]
    return PictureFacts(
        _measure_cells(truth, count),
        detect_edges(picture, edge_threshold),
        _count_colors(lab),
        float(lightness.mean()),
        float(lightness.std()),
        float(np.hypot(lab[..., 1], lab[..., 2]).mean()),
        float(np.abs(cv2.Laplacian(lightness, cv2.CV_32F)).mean()),
        confusion,
    )


def _measure_cells(channels: NDArray[np.uint8], count: int) -> NDArray[np.float64]:
    shares = [
        cv2.resize((channels == channel).astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
        for channel in range(count)
    ]
    return np.stack(shares, axis=2).astype(np.float64)


def _count_colors(lab: NDArray[np.float32]) -> NDArray[np.float64]:
    height = max(1, round(lab.shape[0] * _COLOR_WIDTH_PX / lab.shape[1]))
    small = cv2.resize(lab, (_COLOR_WIDTH_PX, height), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    ranges: Sequence[tuple[float, float]] = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))
    limits = np.array(ranges)
    counts, _edges = np.histogramdd(small.clip(limits[:, 0], limits[:, 1]), bins=_COLOR_BINS, range=ranges)
    return np.asarray(counts.ravel() / max(counts.sum(), 1.0), np.float64)
