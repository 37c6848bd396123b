"""Resolves a job before any worker starts: bundle, dump, label spaces, columns, settings and shards."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow as pa

from sflow_pipeline.bundle import Bundle, load_bundle
from sflow_pipeline.columns import estimate_row_bytes
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.dump_checks.contradictions import find_contradictions
from sflow_pipeline.conversion.gate.label_gate import check_gate
from sflow_pipeline.conversion.job.appearance_choice import AppearanceChoice, choose_appearance
from sflow_pipeline.conversion.job.backend import check_backend
from sflow_pipeline.conversion.job.column_choice import choose_columns, list_raw_columns
from sflow_pipeline.conversion.job.device_facts import DeviceFacts, choose_batch_size, find_device
from sflow_pipeline.conversion.job.output_checks import check_file_names, check_places
from sflow_pipeline.conversion.job.picture_sizes import has_another_size, read_sizes
from sflow_pipeline.conversion.job.split_assignment import SplitAssignment, assign_frames
from sflow_pipeline.conversion.motion.motion_source import describe_order, find_motion
from sflow_pipeline.conversion.motion.shard_neighbours import NO_NEIGHBOURS, NeighbourFinder
from sflow_pipeline.conversion.painting.own_vehicle import read_own_vehicle_mask
from sflow_pipeline.conversion.painting.rig_colors import choose_samples, list_samples
from sflow_pipeline.conversion.settings import ConversionSettings, compute_fingerprint
from sflow_pipeline.conversion.shard.sharding import cut_shards
from sflow_pipeline.conversion.shard_task import Samples, ShardTask
from sflow_pipeline.conversion.source.source_index import SourceFrames, build_index
from sflow_pipeline.errors import DumpError, LabelSpaceError, UsageError
from sflow_pipeline.frames import FrameList, FrameRef, find_runs
from sflow_pipeline.label_spaces import build_mapping
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.simulators.stated_facts import read_stated_facts
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_formats import check_image_format

#: (device, precision) of a job -> the concrete device.
FindDevice = Callable[[str, str], DeviceFacts]


@dataclass(frozen=True)
class ResolvedJob:
    """A job with every choice made: what planning and the dataset card start from.

    Attributes:
        job, bundle, dump, settings: the request, and what it resolved to; the dump without its frames.
        modalities: of the dump's frames.
        index: the frames to convert, see ``build_index``.
        tasks: every shard of the dataset, in index order.
        label_is_resized: some frame's size is not the output's.
        warnings: about the dump and the job, shown before the conversion.
        appearance: how far images follow their renders, and why.
        splits: made by the job, None where it makes none.
    """

    job: ConvertJob
    bundle: Bundle
    dump: Dump
    settings: ConversionSettings
    modalities: tuple[str, ...]
    index: pa.Table
    tasks: list[ShardTask]
    label_is_resized: bool
    warnings: tuple[str, ...]
    appearance: AppearanceChoice
    splits: SplitAssignment | None = None

    @property
    def groups(self) -> list[SourceFrames]:
        """The frames of each shard."""
        return [cast(SourceFrames, task.frames) for task in self.tasks]

    @property
    def frames(self) -> SourceFrames:
        return SourceFrames(self.index)


@dataclass(frozen=True)
class ResolvedSettings:
    """Settings of a job, and what they were resolved from.

    Attributes:
        settings: complete.
        sizes: sequence id -> (width, height) of its pictures.
        label_is_resized, appearance, warnings: as in ``ResolvedJob``.
    """

    settings: ConversionSettings
    sizes: Mapping[str, tuple[int, int]]
    label_is_resized: bool
    appearance: AppearanceChoice
    warnings: tuple[str, ...]


def resolve_settings(
    job: ConvertJob, bundle: Bundle, dump: Dump, frames: Sequence[FrameRef], find: FindDevice = find_device
) -> ResolvedSettings:
    """Resolve the open choices of a job about some frames of a dump.

    Raises:
        SflowError: the job cannot be carried out with this bundle and dump.
    """
    source, out = (Folder(Folder(place).full_uri) for place in (job.sim_dir, job.out_dir))  # wherever a worker runs
    sizes = read_sizes(frames, source)
    is_resized = job.size is not None and (
        any(size != job.size for size in sizes.values()) or has_another_size(frames, source, job.size)
    )
    check_image_format(job.image_format, max(max(size) for size in ([job.size] if job.size else sizes.values())))
    columns, warnings = choose_columns(job, dump, frames, is_resized)
    gate_digest, gate_notes = check_gate(job, bundle)
    choice = choose_appearance(job, bundle, frames, source)
    backend_digest = "" if job.backend is None else check_backend(job, bundle, choice.strength).digest
    settings = _build_settings(job, (source, out), bundle, dump, columns, frames, sizes, find, choice.strength)
    is_sequential = bundle.recipe.generator.use_previous
    if is_sequential and job.smooth:
        raise UsageError(
            f"smooth {job.smooth:g}: bundle {bundle.name} paints each frame from the image before it, and "
            "smoothing needs the images after it, too",
            hint="convert without --smooth",
            fields=("smooth",),
        )
    if is_sequential and not settings.has_renders:
        raise UsageError(
            f"dump {job.sim_dir}: has no pictures, and bundle {bundle.name} carries each image along the motion "
            "measured in them",
            hint="name another bundle with --bundle",
        )
    motion, motion_notes = (
        (None, describe_order(bundle.name, frames))
        if is_sequential
        else find_motion(job, dump, frames, source, shows_scene=choice.shows_scene)
    )
    settings = replace(
        settings,
        gate_digest=gate_digest,
        backend_digest=backend_digest,
        own_vehicle_mask=read_own_vehicle_mask(job.own_vehicle_mask),
        motion=motion,
        has_blank_renders=choice.has_blank_renders,
        use_previous=is_sequential,
    )
    if settings.needs_order:  # an image is judged before the next one is made from it
        settings = replace(settings, batch_size=1)
    notes = (*warnings, *choice.warnings, *gate_notes, *motion_notes)
    return ResolvedSettings(settings, sizes, is_resized, choice, notes)


def resolve_job(job: ConvertJob, find: FindDevice = find_device) -> ResolvedJob:
    """Load the bundle, discover the dump and resolve the open choices of a job; nothing is written.

    Args:
        job: the job as stated.
        find: resolves the device; to one of this process by default.

    Raises:
        SflowError: the bundle, dump, label space, size or folders cannot be used as stated.
    """
    check_places(job)
    bundle = load_bundle(job.bundle)
    dump = discover(job.sim_dir, **job.dump_options)
    frames = dump.frames[: job.limit]
    splits = None
    damaged: list[str] = []
    if job.split_by is not None:
        frames, splits = assign_frames(frames, job.split_by, Folder(job.out_dir), damaged.append)
    resolved = resolve_settings(job, bundle, dump, frames, find)
    settings, sizes = resolved.settings, resolved.sizes
    index = build_index(frames, settings.source, settings.modalities, content_hash=job.content_hash, split=job.split)
    check_file_names(job, index["sample_id"])
    row_bytes = {name: estimate_row_bytes(job.size or size, settings.columns) for name, size in sizes.items()}
    runs = find_runs(index["sequence_id"])
    frame_bytes = np.repeat(
        [row_bytes[str(index["sequence_id"][rows.start])] * job.variants for rows in runs], list(map(len, runs))
    )
    tasks = []
    shared_samples: dict[tuple[str, ...], Samples] = {}
    samples = choose_samples(index) if settings.appearance else {}
    finder = None
    if settings.motion is not None or settings.use_previous:
        finder = NeighbourFinder(index, settings.motion.reach if settings.motion is not None else 0)
    limits = {"max_frames": job.shard_frames, "max_bytes": job.shard_bytes}
    for span in cut_shards(index, frame_bytes, **limits, whole_sequences=settings.needs_order):
        group = SourceFrames(index, span.start, span.stop)
        measured = list_samples(samples, group.read_column("sequence_id"))
        around = NO_NEIGHBOURS if finder is None else finder.find(span.start, span.stop)
        fingerprint = sys.intern(compute_fingerprint(settings, group, measured.values(), around))
        size_bytes = int(frame_bytes[span.start : span.stop].sum())
        shared = shared_samples.setdefault(tuple(measured), measured)
        name = sys.intern(span.shard_id)
        task = ShardTask(name, span.split, fingerprint, group, {}, shared, size_bytes, around)
        tasks.append(task)
    notes = [f"{path} is damaged, and splits are made anew" for path in damaged]
    notes += [problem.message for problem in dump.problems]
    for problem in find_contradictions(dump, frames, **find_stated(job)):
        if problem.severity == "error" and job.contradictions == "error":
            raise DumpError(f"dump {job.sim_dir}: {problem.message}")
        notes.append(problem.message)
    if settings.mapping.lost:
        notes.append(
            f"classes {', '.join(settings.mapping.lost)} of {settings.source_space.name} have no counterpart in "
            f"{settings.target_space.name}: they are void to the model, label files keep them"
        )
    is_resized, warnings = resolved.label_is_resized, (*notes, *resolved.warnings)
    return ResolvedJob(
        job,
        bundle,
        replace(dump, frames=FrameList({})),
        settings,
        dump.modalities,
        index,
        tasks,
        is_resized,
        warnings,
        resolved.appearance,
        splits,
    )


def find_stated(job: ConvertJob) -> dict[str, bool]:
    """Whether the job or the dump's user says how labels hold ids, and which label space they follow."""
    facts = read_stated_facts(job.sim_dir)
    return {
        "is_encoding_stated": job.label_encoding is not None or facts.label_encoding is not None,
        "is_space_stated": job.label_space is not None or facts.label_space is not None,
    }


def _build_settings(
    job: ConvertJob,
    folders: tuple[Folder, Folder],
    bundle: Bundle,
    dump: Dump,
    columns: tuple[str, ...],
    frames: Sequence[FrameRef],
    sizes: Mapping[str, tuple[int, int]],
    find: FindDevice,
    appearance: float | None,
) -> ConversionSettings:
    build_mapping(dump.label_format.space, bundle.label_space)
    if job.unknown_ids == "ignore" and bundle.label_space.void_channel is None:
        raise LabelSpaceError(
            f"unknown_ids ignore: label space {bundle.label_space.name} of bundle {bundle.name} has no void class",
            hint="name the right label space with --label-space",
            fields=("unknown_ids",),
        )
    use_instances = bundle.recipe.generator.use_instances is True
    if use_instances and "instance" not in dump.modalities:
        raise DumpError(
            f"dump {job.sim_dir}: no instance files, and bundle {bundle.name} paints from instance boundaries",
            hint="render instances too, or use a bundle that was trained without them (generator.use_instances: false)",
        )
    facts = find(job.device, job.precision) if job.backend is None else find("cpu", "fp32")
    largest = max(width * height for width, height in ([job.size] if job.size else sizes.values()))
    return ConversionSettings(
        job=job,
        source=folders[0],
        out=folders[1],
        label_format=dump.label_format,
        target_space=bundle.label_space,
        allow_nan_depth="nan_depth" in dump.metadata,
        columns=columns,
        raw_columns=list_raw_columns(frames, columns, folders[0]),
        alpha_concentration=bundle.recipe.dned.alpha_concentration,
        palettes=bundle.metadata.palettes,
        appearance=appearance,
        bundle_digest=bundle.digest,
        edge_threshold=bundle.recipe.edges.threshold,
        use_instances=use_instances,
        has_renders="render" in dump.modalities,
        device=facts.device,
        precision=facts.precision,
        batch_size=job.batch_size or choose_batch_size(facts, largest),
    )
