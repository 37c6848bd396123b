"""From a folder of labelled real photos to a run's two photo sets: what it learns from and what it is watched on."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import FrameError, TrainingError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import build_mapping, load_label_space
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.instance_codec import decode_instance
from sflow_pipeline.training.data.photo_set import PhotoSet, pack_photo_set


def load_real_photos(data: str, recipe: Recipe, cache: Path) -> tuple[PhotoSet, PhotoSet]:
    """Find, check, decode and pack the photos of ``recipe.data.split``; the end of every recording is held out.

    Returns:
        The photos to learn from, and the held-out ones.

    Raises:
        TrainingError: the split is empty, a photo lacks its label or they do not fit, photos are too few, or the recipe
            shows instances and a photo has none.
        DumpError, LabelSpaceError: the folder as a whole cannot be read.
    """
    dump = discover(data)
    if dump.label_encoding == "table":
        raise TrainingError(
            f"data {data}: label colours mean something else in every frame of {dump.simulator}",
            hint="train on real photos whose labels follow one label space",
        )
    unpaired = [problem for problem in dump.problems if problem.severity == "error"]
    if unpaired:
        raise TrainingError(
            f"data {data}: {unpaired[0].message}", hint="complete or remove these files, then train again"
        )
    train, held_out = split_frames(dump, recipe)
    with_instances = _choose_instances(dump, [*train, *held_out], recipe)
    packs = (_pack(dump, frames, recipe, cache, with_instances) for frames in (train, held_out))
    return next(packs), next(packs)


def split_frames(dump: Dump, recipe: Recipe) -> tuple[list[FrameRef], list[FrameRef]]:
    """The frames of the recipe's split: the beginning of every recording, and its last ``holdout_fraction``.

    Where recordings are too short for that, the last ones are held out instead of the last photos of each.
    """
    recordings: dict[str, list[FrameRef]] = defaultdict(list)
    for frame in dump.frames:
        if frame.split == recipe.data.split:
            recordings[frame.sequence_id].append(frame)
    if not recordings:
        splits = sorted({frame.split for frame in dump.frames})
        raise TrainingError(
            f"data {dump.root}: split {recipe.data.split!r} is empty; there are {', '.join(splits)}",
            hint="set data.split in the recipe",
        )
    train: list[FrameRef] = []
    held_out: list[FrameRef] = []
    for frames in recordings.values():
        frames.sort(key=lambda frame: (frame.frame_index, frame.sample_id))
        cut = len(frames) - round(recipe.data.holdout_fraction * len(frames))
        train += frames[:cut]
        held_out += frames[cut:]
    if not held_out:  # recordings of a photo or two, as in Cityscapes: the last of them, whole
        ordered = sorted(recordings)
        kept = len(ordered) - round(recipe.data.holdout_fraction * len(ordered))
        held_out = [frame for name in ordered[kept:] for frame in recordings[name]]
        train = [frame for name in ordered[:kept] for frame in recordings[name]]
    if len(train) < recipe.schedule.batch_size or not held_out:
        raise TrainingError(
            f"data {dump.root}: {len(train)} photos to learn from and {len(held_out)} held out, "
            f"batches need {recipe.schedule.batch_size} and watching needs 1",
            hint="give more photos, lower schedule.batch_size, or change data.holdout_fraction",
        )
    return train, held_out


def _choose_instances(dump: Dump, frames: Sequence[FrameRef], recipe: Recipe) -> bool:
    lacking = [frame for frame in frames if frame.instance is None]
    if lacking and recipe.generator.use_instances is True:
        raise TrainingError(
            f"data {dump.root}: {len(lacking)} of {len(frames)} photos have no instances, first {lacking[0].render}, "
            "and generator.use_instances is true",
            hint="add their instance files (gtFine_instanceIds in Cityscapes), or --set generator.use_instances=auto",
        )
    return not lacking and recipe.generator.use_instances is not False


def _pack(dump: Dump, frames: Sequence[FrameRef], recipe: Recipe, cache: Path, with_instances: bool) -> PhotoSet:
    spaces = f"{dump.load_label_space().digest}\n{load_label_space(recipe.label_space).digest}"
    identity = hashlib.sha256(f"{dump.root}\n{spaces}".encode())
    paths = [path for frame in frames for path in (frame.render, frame.label)]
    if with_instances:
        paths += [str(frame.instance) for frame in frames]
    for path, fact in zip(paths, dump.folder.stat(paths), strict=True):
        identity.update(f"{path}\n{fact.size_bytes}\n{fact.mtime_ns}\n".encode())
    folder = cache / identity.hexdigest()[:16]
    if (folder / "index.json").exists():
        return PhotoSet(folder)
    return pack_photo_set(_decode(dump, frames, recipe, with_instances), folder, has_instances=with_instances)


def _decode(
    dump: Dump, frames: Sequence[FrameRef], recipe: Recipe, with_instances: bool
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8], *tuple[NDArray[np.uint16], ...]]]:
    label_format, folder = dump.label_format, dump.folder
    mapping = build_mapping(label_format.space, load_label_space(recipe.label_space))
    for frame in frames:
        try:
            photo = image_codec.decode_rgb(folder.read_bytes(frame.render), name=frame.render)
            label_map = label_format.read_for_network(
                folder.read_bytes(frame.label),
                folder.read_bytes(frame.label_table) if frame.label_table else None,
                frame.label,
                (photo.shape[1], photo.shape[0]),
            )
            channels = mapping.apply(label_map)
            instances = [_read_instances(folder, str(frame.instance), photo.shape[:2])] if with_instances else []
        except (FrameError, OSError) as error:
            text = str(error)
            named = text.startswith(tuple(path for path in (frame.render, frame.label, frame.instance) if path))
            raise TrainingError(
                f"data {dump.root}: {text if named else f'{frame.label}: {text}'}",
                hint="mend or remove the pair, then train again; `sflow-pipeline inspect` shows what else there is",
            ) from error
        yield frame.sample_id, photo, channels, *instances


def _read_instances(folder: Folder, path: str, size: tuple[int, ...]) -> NDArray[np.uint16]:
    """(h, w) instances of one photo, numbered from 0."""
    ids = decode_instance(folder.read_bytes(path), name=path)
    image_codec.check_size((ids.shape[1], ids.shape[0]), (size[1], size[0]), name=path, picture="its picture")
    return np.unique(ids, return_inverse=True)[1].reshape(size).astype(np.uint16)
