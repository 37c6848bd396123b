"""Inspection of a dump before conversion: contents, label ids, mapping, problems, cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sflow_pipeline.addresses import redact_address
from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.dump_checks.contradictions import CONTRADICTIONS, find_contradictions
from sflow_pipeline.conversion.job.device_facts import DeviceFacts
from sflow_pipeline.conversion.job.resolve_job import find_stated, resolve_settings
from sflow_pipeline.conversion.labels.census import measure_void
from sflow_pipeline.conversion.source.source_index import build_index, read_frames
from sflow_pipeline.frames import FrameRef, iterate_column
from sflow_pipeline.inspection.tally import ClassShare, Tally, UnmappedId
from sflow_pipeline.inspection.thumbnail import Thumbnail
from sflow_pipeline.inspection.trial_run import TIMED_FRAMES, Estimate, time_a_few_frames
from sflow_pipeline.label_spaces import LabelSpace, MappingRow, build_mapping, load_label_space
from sflow_pipeline.simulators import Problem, discover

#: Dumps up to this many frames are read whole.
READ_ALL_FRAMES = 200


@dataclass(frozen=True)
class Inspection:
    """Result of ``inspect``.

    Attributes:
        sizes: ``"<width>x<height>"`` -> sampled pictures of that size in pixels.
        sampled_frames: how many frames were opened; ``frames`` counts all.
        classes: share of the pixels per class that occurs, largest first, after the dump's label rule.
        mapping: source class -> class of the model's label space.
        lost_classes: classes with a meaning that the model's label space lacks; they become void.
        unmapped_ids: what conversion would quarantine frames for.
        instance_encoding: what the values of instance files mean; None without such files.
        void_shares: class -> share of the pixels, for classes that the model does not have, void included.
        problems: of discovery, of the frames that were opened, and contradictions between files.
        failure: why a conversion would stop, "" where it would not.
        source_bytes: all files of all frames, extrapolated from the opened ones.
        estimate: what a dataset of it would take at the source's size with every column, one photo of each frame.
        thumbnails: some opened frames, picture and label side by side; not part of ``to_dict``.
    """

    root: str
    simulator: str
    version: str
    why: str
    sequences: int
    frames: int
    sampled_frames: int
    splits: dict[str, int]
    modalities: tuple[str, ...]
    sizes: dict[str, int]
    fps: float | None
    label_space: str
    label_encoding: str
    label_rule: str
    instance_encoding: str | None
    model_label_space: str
    classes: tuple[ClassShare, ...]
    mapping: tuple[MappingRow, ...]
    lost_classes: tuple[str, ...]
    unmapped_ids: tuple[UnmappedId, ...]
    void_shares: dict[str, float]
    problems: tuple[Problem, ...]
    failure: str
    source_bytes: int
    estimate: Estimate
    thumbnails: tuple[Thumbnail, ...] = ()

    @property
    def leaves_out(self) -> bool:
        """Whether a conversion would leave out frames or files."""
        return any(problem.severity == "error" and problem.kind not in CONTRADICTIONS for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, for JSON."""
        return asdict(replace(self, thumbnails=()))


def inspect_dump(
    root: str | Path,
    *,
    simulator: str | None = None,
    layout: str | Mapping[str, str] | None = None,
    label_space: str | None = None,
    label_encoding: str | None = None,
    instance_encoding: str | None = None,
    model_label_space: str | None = None,
    bundle: str | None = None,
    sample: int = 64,
    thumbnails: int = 0,
    measure: bool = False,
    **limits: Any,
) -> Inspection:
    """Discover a dump and open a sample of its frames, as a conversion would.

    Args:
        root: the dump's folder.
        simulator, layout, label_space, label_encoding, instance_encoding: as in ``ConvertJob``; detected where None.
        model_label_space: name or file of the label space of the model that would convert it; the bundle's where None.
        bundle: name or folder of the bundle that would convert it; the default one where None.
        sample: how many frames to open, spread evenly; all of them in dumps of up to 200 frames.
        thumbnails: how many of them to draw.
        measure: convert a few of them in memory, to estimate from that.
        limits: fields of ``ConvertJob`` that decide what a conversion refuses, such as ``max_bad_fraction``.

    Raises:
        BundleError: the bundle cannot be used.
        ConfigError: an option has a value that it cannot have.
        DumpError: the dump as a whole cannot be used.
        LabelSpaceError: a label space does not exist or cannot be mapped.
    """
    root = str(root)
    stated = {"simulator": simulator, "layout": layout, "label_space": label_space, "label_encoding": label_encoding}
    beside = f"{root if '://' in root else Path(root).resolve()}.unwritten"
    places = {"sim_dir": root, "out_dir": beside, "bundle": bundle}
    job = build_job({**places, **stated, "instance_encoding": instance_encoding, **limits})
    dump = discover(root, **job.dump_options)
    loaded = load_bundle(bundle)
    target = load_label_space(model_label_space) if model_label_space else loaded.label_space
    mapping = build_mapping(dump.label_format.space, target)
    chosen = _choose(dump.frames, sample)
    alone = job.model_copy(update={"smooth": 0.0})  # to find the motion, pictures are read, and torch is loaded
    resolved = resolve_settings(alone, loaded, dump, dump.frames, lambda *_: DeviceFacts("cpu", "fp32"))
    settings = replace(resolved.settings, target_space=target)
    tally = Tally(dump, mapping, settings)
    drawn = _choose(chosen, thumbnails, read_all=0) if thumbnails else []
    for frame in read_frames(build_index(chosen, settings.source, settings.modalities)):
        tally.add(frame, is_drawn=frame.ref in drawn)
    share = len(dump.frames) / max(len(chosen), 1)
    if measure:
        estimate = time_a_few_frames(job, _choose(chosen, 1 + TIMED_FRAMES, read_all=0), tally.pixels * share)
    else:
        how = "at most, from the pixels of the opened frames; --estimate measures"
        estimate = Estimate(round(tally.output_bytes * share), None, how)
    contradictions = find_contradictions(dump, dump.frames, **find_stated(job))
    refused = [
        problem.message for problem in contradictions if problem.severity == "error" and job.contradictions == "error"
    ]
    blank = [Problem("blank_renders", text, (), "warning") for text in resolved.appearance.warnings]
    problems = (*dump.problems, *blank, *tally.problems(), *contradictions)
    return Inspection(
        root=redact_address(root),
        simulator=dump.simulator,
        version=dump.version,
        why=dump.why,
        sequences=len(dump.sequence_ids),
        frames=len(dump.frames),
        sampled_frames=len(chosen),
        splits=dict(Counter(iterate_column(dump.frames, "split"))),
        modalities=dump.modalities,
        sizes=dict(tally.sizes.most_common()),
        fps=dump.fps,
        label_space=mapping.source.name if isinstance(dump.label_space, LabelSpace) else dump.label_space,
        label_encoding=dump.label_encoding,
        label_rule=dump.label_rule,
        instance_encoding=dump.instance_encoding if "instance" in dump.modalities else None,
        model_label_space=model_label_space or target.name,
        classes=tally.class_shares(),
        mapping=mapping.rows,
        lost_classes=mapping.lost,
        unmapped_ids=tally.unmapped_ids(),
        void_shares=measure_void(tally.pixels_of_ids(), mapping),
        problems=problems,
        failure=tally.find_failure(len(dump.frames)) or (refused[0] if refused else ""),
        source_bytes=round(tally.source_bytes * share),
        estimate=estimate,
        thumbnails=tuple(tally.thumbnails),
    )


def _choose(frames: Sequence[FrameRef], sample: int, *, read_all: int = READ_ALL_FRAMES) -> list[FrameRef]:
    if len(frames) <= max(read_all, sample):
        return list(frames)
    return [frames[position] for position in np.linspace(0, len(frames) - 1, max(sample, 1)).astype(int)]
