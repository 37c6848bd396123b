"""Trial run: converts a few frames in memory to estimate time and size of the whole conversion."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.engines.threads import single_threaded
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.labels.census import take_census
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.painting.translator_factory import BundleTranslatorFactory, TranslatorFactory
from sflow_pipeline.conversion.shard.shard import convert_frames
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.conversion.source.source_index import SourceFrames, build_index
from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import FrameRef

#: Frames that are timed, after one that is not: the first is slower than all that follow.
TIMED_FRAMES = 3


@dataclass(frozen=True)
class Estimate:
    """What converting a dump would take, about.

    Attributes:
        bytes: of the dataset.
        seconds: with one worker; None if not measured.
        how: where the numbers come from, in words.
    """

    bytes: int
    seconds: float | None
    how: str


def time_a_few_frames(
    job: ConvertJob, frames: Sequence[FrameRef], pixels: float, build_translator: TranslatorFactory | None = None
) -> Estimate:
    """Do to a few frames everything that a conversion does to them, but for writing.

    Args:
        job: as for a conversion; nothing is written to its ``out_dir``.
        frames: the first is only to warm up; at most ``TIMED_FRAMES`` of the others are timed.
        pixels: of all pictures of the dump.
        build_translator: makes the model; the job's bundle where None.

    Raises:
        SflowError: the job could not start.
        DumpError: none of the frames can be converted.
    """
    resolved = resolve_job(job.model_copy(update={"limit": 1}))
    settings = resolved.settings

    def run(chosen: Sequence[FrameRef]) -> list[dict[str, Any]]:
        found = SourceFrames(build_index(chosen, settings.source, settings.modalities))
        census = take_census([found], settings, None)
        written = settings.with_raw_columns(census.inexact)
        results = convert_frames(ShardTask("trial", "train", "", found), written, painter)
        return [row for result in results for row in result.rows]

    with single_threaded():
        build = build_translator or BundleTranslatorFactory(
            resolved.bundle, settings.device, settings.precision, job.shifts
        )
        painter = PainterFactory(settings, build)()
        run(frames[:1])
        started = time.perf_counter()
        rows = run(frames[1 : 1 + TIMED_FRAMES] or frames[:1])
        seconds = time.perf_counter() - started
    if not rows:
        raise DumpError(
            f"dump {job.sim_dir}: none of {len(frames)} frames that were tried can be converted",
            hint="see what `sflow-pipeline inspect` without --estimate says about them",
        )
    measured_bytes = sum(len(value["bytes"]) for row in rows for value in row.values() if isinstance(value, dict))
    share = pixels / sum(row["width_px"] * row["height_px"] for row in rows)
    how = (
        f"{len(rows)} frame{'s' if len(rows) > 1 else ''} converted in memory with bundle {resolved.bundle.name}, "
        f"one worker on {settings.device} ({settings.precision}), start-up not counted"
    )
    return Estimate(round(measured_bytes * share), round(seconds * share, 1), how)
