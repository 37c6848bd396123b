"""Folders of labelled photos and simulator frames, packed as the photo sets of a run."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.recipe import Recipe, SourceRecipe
from sflow_pipeline.errors import FrameError, TrainingError, UsageError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import build_mapping, load_label_space
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.instance_codec import decode_instance
from sflow_pipeline.training.data.frame_flow import check_motion, read_visible_flow
from sflow_pipeline.training.data.photo_set import PACK_FORMAT, PhotoEntry, PhotoFacts, PhotoSet, pack_photo_set
from sflow_pipeline.training.data.white_balance import balance_white


@dataclass(frozen=True)
class _Source:
    """One data folder: its dump, its settings, and a prefix that makes its names unique."""

    dump: Dump
    settings: SourceRecipe
    prefix: str
    number: int


@dataclass(frozen=True)
class _Photo:
    """One photo to pack, by name."""

    source: _Source
    frame: FrameRef


def load_real_photos(data: str | Sequence[str], recipe: Recipe, cache: Path) -> tuple[PhotoSet, PhotoSet]:
    """Find, check, decode and pack the photos of a run; the end of every recording is held out.

    Photos with pseudo labels are held out only where no folder has true labels, or where the recipe says so.

    Args:
        data: one folder or several, in any layout that ``inspect`` reads; ``recipe.data`` has settings of each. Their
            label spaces may differ: classes are mapped to the recipe's by concept.

    Returns:
        The training photos, and the held-out ones.

    Raises:
        UsageError: the recipe has settings for more folders than there are.
        TrainingError: the split is empty, a photo lacks its label or they do not fit, photos are too few, or the recipe
            uses instances and a photo has none.
        DumpError, LabelSpaceError: a folder as a whole cannot be read.
    """
    sources = _open_sources([data] if isinstance(data, str) else data, recipe)
    has_true_labels = any(source.settings.labels == "true" for source in sources)
    train: list[_Photo] = []
    held_out: list[_Photo] = []
    for source in sources:
        if source.settings.use == "held_out":
            frames = _list_split(source.dump, source.settings.split or recipe.data.split)
            held_out += [_Photo(source, frame) for frame in frames]
            continue
        is_held_out = source.settings.labels == "true" or not has_true_labels
        fraction = recipe.data.holdout_fraction if is_held_out else 0.0
        first, last = split_frames(source.dump, source.settings.split or recipe.data.split, fraction)
        train += [_Photo(source, frame) for frame in first]
        held_out += [_Photo(source, frame) for frame in last]
    if len(train) < recipe.schedule.batch_size or not held_out:
        raise TrainingError(
            f"data {', '.join(source.dump.root for source in sources)}: {len(train)} photos to train on and "
            f"{len(held_out)} held out, batches need {recipe.schedule.batch_size} and validation needs 1",
            hint="give more photos, lower schedule.batch_size, or change data.holdout_fraction",
        )
    with_instances = _choose_instances([*train, *held_out], recipe)
    return _pack(train, recipe, cache, with_instances), _pack(held_out, recipe, cache, with_instances)


def load_renders(folders: Sequence[str], recipe: Recipe, cache: Path) -> PhotoSet:
    """Find, check, decode and pack simulator frames, all of them, with instances and flow if the recipe uses them.

    Every folder is drawn equally often, however many frames it has.

    Raises:
        TrainingError: a frame lacks its label or they do not fit, or it has no instances and the recipe uses them.
        UsageError: flow does not lead from a frame to the next one.
        DumpError, LabelSpaceError: a folder as a whole cannot be read.
    """
    with_flow = recipe.schedule.render_pair_batch_size > 0
    dumps = [_discover(folder) for folder in folders]
    sources = [
        _Source(dump, SourceRecipe(video=with_flow, weight=1 / max(1, len(dump.frames))), f"render{i}:", i)
        for i, dump in enumerate(dumps)
    ]
    frames = [_Photo(source, frame) for source in sources for frame in source.dump.frames]
    renders = _pack(frames, recipe, cache, _choose_instances(frames, recipe), with_flow)
    if with_flow:
        check_motion(renders, {source.prefix: source.dump.root for source in sources})
    return renders


def split_frames(dump: Dump, split: str, holdout_fraction: float) -> tuple[list[FrameRef], list[FrameRef]]:
    """The frames of a split: the beginning of every recording, and its last ``holdout_fraction``.

    Where recordings are too short for that, the last recordings are held out instead of the last photos of each.

    Raises:
        TrainingError: the split is empty.
    """
    recordings: dict[str, list[FrameRef]] = defaultdict(list)
    for frame in _list_split(dump, split):
        recordings[frame.sequence_id].append(frame)
    train: list[FrameRef] = []
    held_out: list[FrameRef] = []
    for frames in recordings.values():
        frames.sort(key=lambda frame: (frame.frame_index, frame.sample_id))
        cut = len(frames) - round(holdout_fraction * len(frames))
        train += frames[:cut]
        held_out += frames[cut:]
    if not held_out:  # recordings of a photo or two, as in Cityscapes
        ordered = sorted(recordings)
        kept = len(ordered) - round(holdout_fraction * len(ordered))
        held_out = [frame for name in ordered[kept:] for frame in recordings[name]]
        train = [frame for name in ordered[:kept] for frame in recordings[name]]
    return train, held_out


def _list_split(dump: Dump, split: str) -> list[FrameRef]:
    """The frames of a split, at least one."""
    frames = [frame for frame in dump.frames if frame.split == split]
    if not frames:
        splits = sorted({frame.split for frame in dump.frames})
        raise TrainingError(
            f"data {dump.root}: split {split!r} is empty; there are {', '.join(splits)}",
            hint=suggest_name(split, splits, otherwise="set data.split in the recipe, or split in its data.sources"),
        )
    return frames


def _open_sources(folders: Sequence[str], recipe: Recipe) -> list[_Source]:
    settings = recipe.data.sources
    if len(settings) > len(folders):
        raise UsageError(
            f"recipe {recipe.name}: data.sources has settings for {len(settings)} folders, --data names {len(folders)}",
            hint="give --data once per folder, in the order of data.sources, or shorten data.sources",
        )
    padded = [*settings, *[SourceRecipe()] * (len(folders) - len(settings))]
    return [
        _Source(_discover(folder), setting, f"{number}:" if len(folders) > 1 else "", number)
        for number, (folder, setting) in enumerate(zip(folders, padded, strict=True))
    ]


def _discover(folder: str) -> Dump:
    dump = discover(folder)
    dump.check_renders()
    if dump.label_encoding == "table":
        raise TrainingError(
            f"data {folder}: {dump.simulator} gives label colours another meaning in every frame",
            hint="train on real photos whose labels follow one label space",
        )
    unpaired = [problem for problem in dump.problems if problem.severity == "error"]
    if unpaired:
        raise TrainingError(
            f"data {folder}: {unpaired[0].message}", hint="complete or remove these files, then train again"
        )
    return dump


def _choose_instances(photos: Sequence[_Photo], recipe: Recipe) -> bool:
    lacking = [photo for photo in photos if photo.frame.instance is None]
    if lacking and recipe.generator.use_instances is True:
        raise TrainingError(
            f"data {lacking[0].source.dump.root}: {len(lacking)} of {len(photos)} photos have no instances, first "
            f"{lacking[0].frame.render}, and generator.use_instances is true",
            hint="add their instance files (gtFine_instanceIds in Cityscapes), or --set generator.use_instances=auto",
        )
    return not lacking and recipe.generator.use_instances is not False


def _pack(
    photos: Sequence[_Photo], recipe: Recipe, cache: Path, with_instances: bool, with_flow: bool = False
) -> PhotoSet:
    """Pack photos below ``cache``, or open the pack of the same files and settings that is there."""
    identity = hashlib.sha256(f"{PACK_FORMAT}\n{load_label_space(recipe.label_space).digest}\n".encode())
    by_source: dict[str, list[_Photo]] = defaultdict(list)
    for photo in photos:
        by_source[photo.source.prefix].append(photo)
    for group in by_source.values():
        dump, settings = group[0].source.dump, group[0].source.settings
        label_format = dump.label_format
        identity.update(f"{dump.root}\n{label_format.space.digest}\n{settings!r}\n".encode())
        identity.update(f"{sorted(label_format.describe().items())}\n".encode())
        for frame in (photo.frame for photo in group):
            identity.update(f"{frame.sequence_id}\n{frame.frame_index}\n{frame.timestamp_s}\n".encode())
        paths = [path for photo in group for path in (photo.frame.render, photo.frame.label)]
        if with_instances:
            paths += [str(photo.frame.instance) for photo in group]
        if with_flow:
            files = [(photo.frame.flow, photo.frame.occlusion) for photo in group]
            paths += [path for pair in files for path in pair if path is not None]
        for path, fact in zip(paths, dump.folder.stat(paths), strict=True):
            identity.update(f"{path}\n{fact.size_bytes}\n{fact.mtime_ns}\n".encode())
    folder = cache / identity.hexdigest()[:16]
    if (folder / "index.json").exists():
        return PhotoSet(folder)
    entries = (entry for group in by_source.values() for entry in _decode(group, recipe, with_instances, with_flow))
    return pack_photo_set(entries, folder)


def _decode(photos: Sequence[_Photo], recipe: Recipe, with_instances: bool, with_flow: bool) -> Iterator[PhotoEntry]:
    """Photos of one source with their class indices in the recipe's label space."""
    source = photos[0].source
    dump, settings, prefix = source.dump, source.settings, source.prefix
    label_format, folder = dump.label_format, dump.folder
    recipe_space = load_label_space(recipe.label_space)
    mapping = build_mapping(label_format.space, recipe_space)
    for frame in (photo.frame for photo in photos):
        try:
            photo = image_codec.decode_rgb(folder.read_bytes(frame.render), name=frame.render)
            label_map = label_format.read_for_network(
                folder.read_bytes(frame.label),
                folder.read_bytes(frame.label_table) if frame.label_table else None,
                frame.label,
                (photo.shape[1], photo.shape[0]),
            )
            class_index = mapping.apply(label_map)
            instances = _read_instances(folder, str(frame.instance), photo.shape[:2]) if with_instances else None
            flow = read_visible_flow(dump, frame, photo.shape[:2]) if with_flow else None
        except (FrameError, OSError) as error:
            text = str(error)
            is_named = text.startswith((frame.render, frame.label, *frame.files.values()))
            raise TrainingError(
                f"data {dump.root}: {text if is_named else f'{frame.label}: {text}'}",
                hint="fix or remove the pair, then train again; `sflow-pipeline inspect` lists every problem",
            ) from error
        photo = balance_white(photo, class_index, recipe_space, settings.white_balance)
        facts = PhotoFacts(
            name=prefix + frame.sample_id,
            sequence=prefix + frame.sequence_id,
            frame=frame.frame_index,
            timestamp_s=frame.timestamp_s,
            weight=settings.photo_weight,
            labels=settings.labels,
            is_video=settings.video,
            source=source.number,
            is_reference=settings.reference,
        )
        yield PhotoEntry(facts, photo, class_index, instances, flow)


def _read_instances(folder: Folder, path: str, size: tuple[int, ...]) -> NDArray[np.uint16]:
    """(h, w) instances of one photo, numbered from 0."""
    ids = decode_instance(folder.read_bytes(path), name=path)
    image_codec.check_size((ids.shape[1], ids.shape[0]), (size[1], size[0]), name=path, picture="its picture")
    return np.unique(ids, return_inverse=True)[1].reshape(size).astype(np.uint16)
