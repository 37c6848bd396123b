"""``inspect --against``: how far a dump is from real photos, before anything is converted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle, load_bundle
from sflow_pipeline.bundle.appearance import is_blank
from sflow_pipeline.errors import DumpError
from sflow_pipeline.evaluation.measures.edge_statistics import compute_total_variation
from sflow_pipeline.evaluation.photos import FolderPhotos
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.inspection.domain_tally import DomainTally, choose_width, measure_picture
from sflow_pipeline.metrics import compute_iou
from sflow_pipeline.networks.device import resolve_device

#: Pictures of each set that are measured, spread evenly.
SAMPLED = 48
_AVERAGED = ("lightness", "contrast", "chroma", "sharpness")


@dataclass(frozen=True)
class Distance:
    """Total variation between the two sets, 0 the same to 1 nothing in common.

    Attributes:
        value: of the frames to the photos.
        by_chance: of one half of the photos to the other half.
    """

    value: float
    by_chance: float

    @property
    def is_large(self) -> bool:
        """Whether it is clearly more than chance."""
        return self.value > max(2.0 * self.by_chance, self.by_chance + 0.05)


@dataclass(frozen=True)
class ComparedClass:
    """A class of the model in both sets.

    Attributes:
        name: of the class.
        frames_share, photos_share: of all pixels.
        frames_recall, photos_recall: share of its pixels that the bundle's segmenter finds; None without pixels or
            without a segmenter.
    """

    name: str
    frames_share: float
    photos_share: float
    frames_recall: float | None
    photos_recall: float | None


@dataclass(frozen=True)
class DomainGap:
    """A dump beside real photos, both reduced to the same width.

    Attributes:
        photos_root: the folder of the photos.
        frames, photos: how many were measured.
        width_px: common width.
        bundle, label_space: whose classes are compared.
        classes: every class of the model but void, the largest of the frames first.
        void_share: of the frames' pixels, classes that the model does not have included.
        blank_frames: rendered frames that are black or of one colour.
        class_distance, layout_distance: of class shares; of the same per cell of a 16x16 grid, averaged.
        edge_density_distance, edge_direction_distance: of the edges' histograms; None where a set has no edge.
        color_distance: of Lab colours.
        lightness, contrast, chroma, sharpness: frames and photos.
        frames_miou, photos_miou: of the bundle's segmenter over the classes of both sets; None without a segmenter.
        judge_note: why there is no recognition; empty where there is.
    """

    photos_root: str
    frames: int
    photos: int
    width_px: int
    bundle: str
    label_space: str
    classes: tuple[ComparedClass, ...]
    void_share: float
    blank_frames: int
    class_distance: Distance
    layout_distance: Distance
    edge_density_distance: Distance
    edge_direction_distance: Distance | None
    color_distance: Distance
    lightness: tuple[float, float]
    contrast: tuple[float, float]
    chroma: tuple[float, float]
    sharpness: tuple[float, float]
    frames_miou: float | None
    photos_miou: float | None
    judge_note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-like content."""
        return asdict(self)


def compare_with_photos(
    sim_dir: str | Path,
    photos: str | Path,
    *,
    bundle: str | None = None,
    dump_options: Mapping[str, Any] | None = None,
    sample: int = SAMPLED,
    device: str = "auto",
) -> DomainGap:
    """Measure some frames of a dump and some real photos alike; pictures that cannot be read are left out.

    Args:
        sim_dir: the dump.
        photos: folder of labelled real photos, in any layout that ``inspect`` recognises.
        bundle: name or folder; the default one where None.
        dump_options: facts about the dump that its user states, as for ``discover``.
        sample: pictures of each at most.
        device: where the bundle's segmenter runs.

    Raises:
        BundleError: the bundle cannot be used.
        DumpError: one of the folders cannot be used, no frame can be read, or fewer than two photos can.
        LabelSpaceError: labels cannot be mapped to the model's classes.
    """
    loaded = load_bundle(bundle)
    segmenter, note = _load_segmenter(loaded, resolve_device(device, "fp32").name)
    sources = (FolderPhotos(str(sim_dir), options=dump_options), FolderPhotos(str(photos)))
    firsts = []
    for source in sources:
        source.take_evenly(sample)
        firsts += [photo.photo.shape for photo in islice(source.read_sound(), 1)]
    width_px = choose_width((width, height) for height, width, _ in firsts)
    tallies, blank = [DomainTally(), DomainTally()], 0
    for index, (source, tally) in enumerate(zip(sources, tallies, strict=True)):
        for photo in source.read_sound():
            threshold = loaded.recipe.edges.threshold
            facts = measure_picture(photo, width_px, source.label_space, loaded.label_space, threshold, segmenter)
            tally.pictures.append(facts)
            blank += int(index == 0 and is_blank(photo.photo))
    _check_counts(len(tallies[0].pictures), len(tallies[1].pictures), str(sim_dir), str(photos))
    return _compare(tallies[0], tallies[1], loaded, str(photos), width_px, blank, note)


def _check_counts(frames: int, photos: int, sim_dir: str, root: str) -> None:
    if not frames:
        raise DumpError(f"dump {sim_dir}: no frame that can be read", hint="inspect it without --against")
    if photos < 2:
        raise DumpError(
            f"--against {root}: {photos} photo{'' if photos == 1 else 's'} that can be read, at least 2 are needed",
            hint="name a folder with more labelled photos of real streets",
        )


def _load_segmenter(bundle: Bundle, device: str) -> tuple[ReferenceSegmenter | None, str]:
    if bundle.metadata.segmenter_sha256 is None:
        note = f"bundle {bundle.name} has no segmenter, so recognition is not measured; train --only segmenter adds one"
        return None, note
    return ReferenceSegmenter(load_network_spec(bundle.path, what="judge"), device), ""


def _compare(
    frames: DomainTally, photos: DomainTally, bundle: Bundle, root: str, width_px: int, blank: int, note: str
) -> DomainGap:
    space = bundle.label_space
    void = space.num_classes if space.void_channel is None else space.void_channel
    halves = photos.split_in_halves()
    recalls = [_list_recalls(tally.confusion) for tally in (frames, photos)]
    shares = [tally.class_shares for tally in (frames, photos)]
    classes = [
        ComparedClass(
            item.name,
            float(shares[0][channel]),
            float(shares[1][channel]),
            None if note else recalls[0][channel],
            None if note else recalls[1][channel],
        )
        for channel, item in enumerate(space.classes)
        if channel != void
    ]
    ious = [compute_iou(tally.confusion) for tally in (frames, photos)]
    common = [c for c in range(len(ious[0])) if c != void and not np.isnan([ious[0][c], ious[1][c]]).any()]
    miou = [float(iou[common].mean()) if common else None for iou in ious]
    edges = [tally.measure_edges() for tally in (frames, photos, *halves)]
    densities = [item.density_histogram for item in edges]
    directions = [item.orientation_histogram for item in edges]
    pairs = {name: (frames.average(name), photos.average(name)) for name in _AVERAGED}
    return DomainGap(
        photos_root=root,
        frames=len(frames.pictures),
        photos=len(photos.pictures),
        width_px=width_px,
        bundle=f"{bundle.name} {bundle.metadata.version}",
        label_space=space.name,
        classes=tuple(sorted(classes, key=lambda item: -item.frames_share)),
        void_share=float(shares[0][void]) if void < len(shares[0]) else 0.0,
        blank_frames=blank,
        class_distance=Distance(
            compute_total_variation(*(_named(share, void) for share in shares)),
            compute_total_variation(*(_named(half.class_shares, void) for half in halves)),
        ),
        layout_distance=Distance(
            _average_cells(frames.layout, photos.layout), _average_cells(*(half.layout for half in halves))
        ),
        edge_density_distance=Distance(
            compute_total_variation(*densities[:2]), compute_total_variation(*densities[2:])
        ),
        edge_direction_distance=Distance(
            compute_total_variation(*directions[:2]), compute_total_variation(*directions[2:])
        )
        if all(item.density for item in edges)
        else None,
        color_distance=Distance(
            compute_total_variation(frames.colors, photos.colors),
            compute_total_variation(*(half.colors for half in halves)),
        ),
        lightness=pairs["lightness"],
        contrast=pairs["contrast"],
        chroma=pairs["chroma"],
        sharpness=pairs["sharpness"],
        frames_miou=None if note else miou[0],
        photos_miou=None if note else miou[1],
        judge_note=note,
    )


def _named(shares: NDArray[np.float64], void: int) -> NDArray[np.float64]:
    """Shares of the named classes among themselves."""
    named = np.delete(shares, void) if void < len(shares) else shares
    return np.asarray(named / max(float(named.sum()), 1e-9), np.float64)


def _average_cells(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Total variation of the classes of a cell, averaged over the cells."""
    return float(0.5 * np.abs(first - second).sum(axis=2).mean())


def _list_recalls(confusion: NDArray[np.int64]) -> list[float | None]:
    counted = confusion.sum(axis=1)
    return [float(confusion[c, c] / n) if n else None for c, n in enumerate(counted)]
