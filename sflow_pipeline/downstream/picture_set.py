"""Picture sets: labelled pictures of one or several sources in the job's classes, decoded once and packed on disk."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.downstream_job import SourceJob
from sflow_pipeline.errors import FrameError, OutputError, TrainingError, UsageError, first_line
from sflow_pipeline.evaluation.photos import PhotoSource, open_photos
from sflow_pipeline.label_spaces import LabelSpace, build_mapping
from sflow_pipeline.storage.canonical_json import compute_digest, encode_json
from sflow_pipeline.storage.write_whole import write_whole
from sflow_pipeline.training.data.photo_set import PACK_FORMAT, PhotoEntry, PhotoFacts, PhotoSet, pack_photo_set

_FACTS = "facts.json"


@dataclass(frozen=True)
class PictureSet:
    """Packed pictures.

    Attributes:
        name: in the job, such as ``real/4``.
        photos: pictures and class indices.
        digest: sha256 of pixels and labels; the same pictures in another place have the same.
        class_pixels: pixels of every class of the label space.
        lost: classes of the sources that the label space lacks; their pixels are void.
    """

    name: str
    photos: PhotoSet
    digest: str
    class_pixels: tuple[int, ...]
    lost: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photos)


def pack_pictures(
    name: str,
    sources: Sequence[SourceJob],
    label_space: LabelSpace,
    cache: Path,
    *,
    every: int = 1,
    largest_width_px: int | None = None,
) -> PictureSet:
    """Decode and pack the pictures of some sources, or open the pack of the same files and settings.

    Args:
        name: in errors.
        sources: read one after the other.
        label_space: labels are mapped to its classes by concept.
        cache: folder of packs.
        every: 4 takes every fourth picture of each source.
        largest_width_px: wider pictures are made this wide; None keeps every size.

    Raises:
        UsageError: there is no picture, or no label has a class of the label space.
        TrainingError: a picture or its label cannot be read.
        DumpError, OutputError, LabelSpaceError: a source as a whole cannot be read.
    """
    opened = [(source, open_photos(source.path, split=source.split, column=source.column)) for source in sources]
    identity = {
        "format": PACK_FORMAT,
        "label_space": label_space.digest,
        "every": every,
        "largest_width_px": largest_width_px,
        "sources": [
            [source.model_dump(mode="json"), photos.label_space.digest, photos.compute_identity()]
            for source, photos in opened
        ],
    }
    folder = cache / compute_digest(identity)[:16]
    if not (folder / _FACTS).exists():
        _pack(name, opened, label_space, folder, every, largest_width_px)
    lost = dict.fromkeys(
        item for _source, photos in opened for item in build_mapping(photos.label_space, label_space).lost
    )
    return replace(_open(name, folder), lost=tuple(lost))


def _pack(
    name: str,
    opened: Sequence[tuple[SourceJob, PhotoSource]],
    label_space: LabelSpace,
    folder: Path,
    every: int,
    largest_width_px: int | None,
) -> None:
    counts = np.zeros(label_space.num_classes, np.int64)

    def list_entries() -> Iterator[PhotoEntry]:
        for number, (source, photos) in enumerate(opened):
            for entry in _read(name, number, source, photos, label_space, every, largest_width_px):
                counts[:] += np.bincount(entry.class_index.ravel(), minlength=len(counts))
                yield entry
        _check_counts(name, opened, label_space, counts)  # here, so that nothing is left of a set that is refused

    try:
        packed = pack_photo_set(list_entries(), folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}", hint="free space, or choose another --out"
        ) from error
    digest = hashlib.sha256()
    for i in range(len(packed)):
        photo, class_index = packed.read(i)
        digest.update(f"{photo.shape}{packed.facts[i].weight}".encode())
        digest.update(photo.tobytes())
        digest.update(class_index.tobytes())
    facts = {"digest": digest.hexdigest(), "class_pixels": counts.tolist()}
    write_whole(folder / _FACTS, encode_json(facts))


def _open(name: str, folder: Path) -> PictureSet:
    try:
        facts = json.loads((folder / _FACTS).read_bytes())
        return PictureSet(name, PhotoSet(folder), str(facts["digest"]), tuple(facts["class_pixels"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"packed pictures {folder}: damaged: {first_line(error)}", hint="remove the folder; it is made again"
        ) from error


def _check_counts(
    name: str,
    opened: Sequence[tuple[SourceJob, PhotoSource]],
    label_space: LabelSpace,
    counts: NDArray[np.int64],
) -> None:
    """Refuse what nothing can be learnt from or tested on."""
    paths = ", ".join(source.path for source, _photos in opened)
    if not counts.any():
        raise UsageError(f"{name}: no pictures in {paths}", hint="check path, split, samples and limit of this source")
    if not any(count for channel, count in enumerate(counts) if channel != label_space.void_channel):
        spaces = ", ".join(dict.fromkeys(photos.label_space.name for _source, photos in opened))
        raise UsageError(
            f"{name}: no pixel of {paths} has a class of label space {label_space.name}; its labels are in {spaces}",
            hint="set label_space of the job to one that has common classes with all sources and tests",
        )


def _read(
    name: str,
    number: int,
    source: SourceJob,
    photos: PhotoSource,
    label_space: LabelSpace,
    every: int,
    largest_width_px: int | None,
) -> Iterator[PhotoEntry]:
    """The pictures of one source with class indices of the label space."""
    mapping = build_mapping(photos.label_space, label_space)
    chosen = (item for item in photos.read() if source.samples is None or fnmatchcase(item.sample_id, source.samples))
    try:
        for item in islice(chosen, 0, source.limit, every):
            classes = mapping.apply(item.label_map)
            facts = PhotoFacts(name=f"{number}:{item.sample_id}", frame=item.variant, weight=source.weight)
            yield _shrink(PhotoEntry(facts, item.photo, classes), largest_width_px)
    except FrameError as error:
        raise TrainingError(
            f"{name}: {source.path}: {error.message}",
            hint="fix or remove the pair; `sflow-pipeline inspect` lists every problem of a folder",
        ) from error


def _shrink(entry: PhotoEntry, largest_width_px: int | None) -> PhotoEntry:
    height, width = entry.photo.shape[:2]
    if largest_width_px is None or width <= largest_width_px:
        return entry
    size = (largest_width_px, max(1, round(height * largest_width_px / width)))
    photo: NDArray[Any] = cv2.resize(entry.photo, size, interpolation=cv2.INTER_AREA)
    classes: NDArray[Any] = cv2.resize(entry.class_index, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return replace(entry, photo=photo, class_index=classes)
