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

from sflow_pipeline.config.downstream_job import Objects, SourceJob
from sflow_pipeline.downstream.detection.objects import number_objects
from sflow_pipeline.errors import FrameError, OutputError, TrainingError, UsageError, first_line
from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.photos import open_photos
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
        num_objects: objects in all pictures, 0 where they are not told apart.
        pictures_of_regions: pictures whose objects are connected regions of a class.
    """

    name: str
    photos: PhotoSet
    digest: str
    class_pixels: tuple[int, ...]
    lost: tuple[str, ...] = ()
    num_objects: int = 0
    pictures_of_regions: int = 0

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
    objects: Objects | None = None,
) -> PictureSet:
    """Decode and pack the pictures of some sources, or open the pack of the same files and settings.

    Args:
        name: in errors.
        sources: read one after the other.
        label_space: labels are mapped to its classes by concept.
        cache: folder of packs.
        every: 4 takes every fourth picture of each source.
        largest_width_px: wider pictures are made this wide; None keeps every size.
        objects: how objects are told apart; None does not number them.

    Raises:
        UsageError: there is no picture, no label has a class of the label space, or no picture has an object.
        TrainingError: a picture or its label cannot be read.
        DumpError, OutputError, LabelSpaceError: a source as a whole cannot be read.
    """
    opened = [(source, open_photos(source.path, split=source.split, column=source.column)) for source in sources]
    with_instances = objects == "auto"
    identity = {
        "format": PACK_FORMAT,
        "label_space": label_space.digest,
        "every": every,
        "largest_width_px": largest_width_px,
        "sources": [
            [
                source.model_dump(mode="json"),
                photos.label_space.digest,
                photos.compute_identity(with_instances=with_instances),
            ]
            for source, photos in opened
        ],
        **({"objects": objects} if objects else {}),
    }
    folder = cache / compute_digest(identity)[:16]
    if not (folder / _FACTS).exists():
        _pack(name, opened, _Settings(label_space, every, largest_width_px, objects), folder)
    lost = dict.fromkeys(
        item for _source, photos in opened for item in build_mapping(photos.label_space, label_space).lost
    )
    return replace(_open(name, folder), lost=tuple(lost))


@dataclass(frozen=True)
class _Settings:
    """See ``pack_pictures``."""

    label_space: LabelSpace
    every: int
    largest_width_px: int | None
    objects: Objects | None


def _pack(name: str, opened: Sequence[tuple[SourceJob, PhotoSource]], settings: _Settings, folder: Path) -> None:
    counts = np.zeros(settings.label_space.num_classes, np.int64)
    tally = {"objects": 0, "of_regions": 0}

    def list_entries() -> Iterator[PhotoEntry]:
        for number, (source, photos) in enumerate(opened):
            for entry, has_instances in _read(name, number, source, photos, settings):
                counts[:] += np.bincount(entry.class_index.ravel(), minlength=len(counts))
                if entry.instances is not None:
                    tally["objects"] += int(entry.instances.max())
                    tally["of_regions"] += not has_instances
                yield entry
        # Here, so that nothing is left of a set that is refused.
        _check_counts(name, opened, settings, counts, tally["objects"])

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
        if packed.has_instances:
            digest.update(packed.read_instances(i).tobytes())
    facts = {"digest": digest.hexdigest(), "class_pixels": counts.tolist(), **tally}
    write_whole(folder / _FACTS, encode_json(facts))


def _open(name: str, folder: Path) -> PictureSet:
    try:
        facts = json.loads((folder / _FACTS).read_bytes())
        return PictureSet(
            name,
            PhotoSet(folder),
            str(facts["digest"]),
            tuple(facts["class_pixels"]),
            num_objects=int(facts.get("objects", 0)),
            pictures_of_regions=int(facts.get("of_regions", 0)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"packed pictures {folder}: damaged: {first_line(error)}", hint="remove the folder; it is made again"
        ) from error


def _check_counts(
    name: str,
    opened: Sequence[tuple[SourceJob, PhotoSource]],
    settings: _Settings,
    counts: NDArray[np.int64],
    num_objects: int,
) -> None:
    """Refuse what nothing can be learnt from or tested on."""
    label_space = settings.label_space
    paths = ", ".join(source.path for source, _photos in opened)
    if not counts.any():
        raise UsageError(f"{name}: no pictures in {paths}", hint="check path, split, samples and limit of this source")
    if not any(count for channel, count in enumerate(counts) if channel != label_space.void_channel):
        spaces = ", ".join(dict.fromkeys(photos.label_space.name for _source, photos in opened))
        raise UsageError(
            f"{name}: no pixel of {paths} has a class of label space {label_space.name}; its labels are in {spaces}",
            hint="set label_space of the job to one that has common classes with all sources and tests",
        )
    if settings.objects and not num_objects:
        raise UsageError(
            f"{name}: no picture of {paths} shows a person, a vehicle or another moving thing of label space "
            f"{label_space.name}",
            hint="add pictures with traffic, or set task: segmentation",
        )


def _read(
    name: str,
    number: int,
    source: SourceJob,
    photos: PhotoSource,
    settings: _Settings,
) -> Iterator[tuple[PhotoEntry, bool]]:
    """The pictures of one source with class indices of the label space, and whether they have an instance file."""
    mapping = build_mapping(photos.label_space, settings.label_space)
    read = photos.read(with_instances=settings.objects == "auto")
    chosen = (item for item in read if source.samples is None or fnmatchcase(item.sample_id, source.samples))
    try:
        for item in islice(chosen, 0, source.limit, settings.every):
            classes = mapping.apply(item.label_map)
            facts = PhotoFacts(name=f"{number}:{item.sample_id}", frame=item.variant, weight=source.weight)
            objects = number_objects(item, classes, photos.label_format, mapping) if settings.objects else None
            entry = PhotoEntry(facts, item.photo, classes, objects)
            yield _shrink(entry, settings.largest_width_px), item.instance_map is not None
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
    objects: NDArray[Any] | None = None
    if entry.instances is not None:
        objects = cv2.resize(entry.instances, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return replace(entry, photo=photo, class_index=classes, instances=objects)
