"""Conversion of one shard: the idempotent function that every engine calls.

Reading and decoding run in threads of their own, encoding in others, translation and gate in the caller's.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.frame.source_reading import NOT_READ
from sflow_pipeline.conversion.motion.smoothing import REACH
from sflow_pipeline.conversion.painting.fatal_errors import reraise_fatal
from sflow_pipeline.conversion.painting.paint import Painted, Painter
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.dataset_row import build_row
from sflow_pipeline.conversion.shard.decoded_frames import Decoded, cut_batches, decode_ahead, keep_decoded, look_ahead
from sflow_pipeline.conversion.shard.frame_helpers import FrameHelpers, ThisProcess
from sflow_pipeline.conversion.shard.overlap import overlap
from sflow_pipeline.conversion.shard.quarantine import QuarantineWriter, describe_quarantine, describe_rejection
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.conversion.stage_timer import OnStage, Stage, ignore_stage, timed
from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.commits import ShardRecord, write_commit
from sflow_pipeline.storage.shard_file import ShardFileWriter

#: Frames in flight before and after the model, of each thread, beside a batch.
_DEPTH = 2


@dataclass(frozen=True)
class FrameResult:
    """Rows of a frame and what was left out of it.

    Attributes:
        rows: one per accepted variant.
        rejected: quarantine rows, one per variant that the gate did not accept.
        quarantine: quarantine row of the frame; None if it was converted.
        read_digest: what the files of a quarantined frame are known by; None if the next run need not read them.
    """

    rows: tuple[dict[str, Any], ...] = ()
    rejected: tuple[dict[str, Any], ...] = ()
    quarantine: dict[str, Any] | None = None
    read_digest: str | None = None


def convert_shard(
    task: ShardTask,
    settings: ConversionSettings,
    painter: Painter,
    on_frame: Callable[[], None] = lambda: None,
    check_lock: Callable[[], None] = lambda: None,
    helpers: FrameHelpers | None = None,
    on_stage: OnStage = ignore_stage,
    *,
    second: Painter | None = None,
) -> ShardRecord:
    """Convert a shard, write its files and commit it.

    The same task gives the same bytes, wherever and however often it runs; until the commit record is in place the
    dataset does not change.

    Args:
        task, settings, painter: what is converted, how, and by what.
        on_frame: called after each frame.
        check_lock: called before anything appears under its final name; raises where the run has lost the folder.
        helpers: decode frames and encode rows; this process by default.
        on_stage: gets the seconds of every stage.
        second: see ``convert_frames``.

    Raises:
        OutputError: the disk is full, the run has lost the folder, ….
    """
    out = settings.out
    reasons: Counter[str] = Counter()
    rejected = 0
    faults: dict[str, str] = {}
    scores = []
    shard_file = None
    with ExitStack() as stack:
        writer = None
        quarantine = stack.enter_context(QuarantineWriter(out, f"quarantine/{task.split}/{task.shard_id}"))
        for result in convert_frames(task, settings, painter, helpers, faults.__setitem__, on_stage, second):
            if result.quarantine is not None:
                quarantine.add(result.quarantine)
                reasons[result.quarantine["reason"]] += 1
                if result.read_digest is not None:
                    faults[result.quarantine["sample_id"]] = result.read_digest
            for row in result.rejected:
                quarantine.add(row)
            rejected += len(result.rejected)
            for row in result.rows:
                if writer is None or settings.job.format == "png":  # a tree's pictures appear one by one
                    check_lock()
                if writer is None:
                    stem = f"data/{task.split}/{task.shard_id}"
                    writer = stack.enter_context(ShardFileWriter(out, stem, settings.row_schema, settings.job.format))
                with timed("write", on_stage):
                    writer.add(row)
                scores.append(row["edge_f1"])
            on_frame()
        for each in (painter, second):
            faults |= dict.fromkeys(each.unread_samples if each is not None else (), NOT_READ)
        check_lock()
        if writer is not None:
            shard_file = writer.publish()
        quarantine_file = quarantine.publish()
    batch_size = min(each.batch_size for each in (painter, second) if each is not None)
    record = ShardRecord(
        shard_id=task.shard_id,
        split=task.split,
        fingerprint=task.fingerprint,
        path=shard_file.path if shard_file else None,
        sha256=shard_file.sha256 if shard_file else None,
        size_bytes=shard_file.size_bytes if shard_file else 0,
        rows=shard_file.rows if shard_file else 0,
        frames=len(task.frames),
        quarantine_path=quarantine_file[0] if quarantine_file else None,
        quarantine_sha256=quarantine_file[1] if quarantine_file else None,
        reasons=dict(sorted(reasons.items())),
        rejected=rejected,
        faults=faults,
        edge_f1_mean=round(float(np.mean(scores)), 6) if scores else None,
        settings_fingerprint=settings.fingerprint,
        batch_size=batch_size if batch_size < (settings.counted_batch_size or 0) else None,
        graph_failure=painter.graph_failure,
    )
    check_lock()
    write_commit(out, record)
    return record


def convert_frames(
    task: ShardTask,
    settings: ConversionSettings,
    painter: Painter,
    helpers: FrameHelpers | None = None,
    on_fault: Callable[[str, str], None] = lambda _sample_id, _read_digest: None,
    on_stage: OnStage = ignore_stage,
    second: Painter | None = None,
) -> Iterator[FrameResult]:
    """Convert a shard's frames in order, writing nothing.

    A frame that cannot be converted becomes a quarantine row; other frames are not affected.

    Args:
        task, settings, painter, helpers, on_stage: as for ``convert_shard``.
        on_fault: gets the sample id and the read digest of a neighbour that cannot be decoded.
        second: paints every second batch in another thread: a GPU translates one while the other is judged.
    """
    helpers = helpers or ThisProcess(settings)
    depth = _DEPTH * helpers.threads + settings.batch_size
    with (
        ThreadPoolExecutor(helpers.threads, "sflow-decode") as decoder,
        ThreadPoolExecutor(helpers.threads, "sflow-encode") as encoder,
    ):
        decode = _hand_over(decoder, helpers, "decode", on_stage)
        encode = _hand_over(encoder, helpers, "encode", on_stage)
        encoding: deque[_Encoding] = deque()
        try:
            decoded = decode_ahead(task, depth, decode)
            before = list(keep_decoded(islice(decoded, len(task.neighbours.before)), on_fault))
            painters = [each for each in (painter, second) if each is not None]
            for each in painters:
                each.begin(task, before)
            batches = cut_batches(islice(decoded, len(task.frames)), settings.batch_size)
            after = keep_decoded(decoded, on_fault) if task.neighbours.after else ()

            def paint(number: int, batch: Sequence[Decoded], following: Sequence[DecodedFrame]) -> list[_Encoding]:
                with timed("paint", on_stage):
                    return _paint_batch(batch, following, settings, painters[number % len(painters)], encode)

            looked = enumerate(look_ahead(batches, after, 0 if settings.motion is None else REACH))
            for started in overlap(lambda item: paint(item[0], *item[1]), looked, len(painters)):
                encoding += started
                while len(encoding) > depth:
                    yield _finish(encoding.popleft())
            while encoding:
                yield _finish(encoding.popleft())
        finally:
            decoder.shutdown(wait=False, cancel_futures=True)
            encoder.shutdown(wait=False, cancel_futures=True)


#: Runs a function on its arguments and the settings, later.
_Submit = Callable[..., Future[Any]]


def _hand_over(pool: ThreadPoolExecutor, helpers: FrameHelpers, stage: Stage, on_stage: OnStage) -> _Submit:
    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        with timed(stage, on_stage):
            return helpers.call(function, *arguments)

    def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return pool.submit(run, function, *arguments)

    return submit


@dataclass(frozen=True)
class _Encoding:
    """A frame whose rows are being encoded."""

    source: SourceFrame
    rows: tuple[Future[dict[str, Any]], ...] = ()
    rejected: tuple[Future[dict[str, Any]], ...] = ()
    error: Exception | None = None


def _paint_batch(
    batch: Sequence[Decoded],
    following: Sequence[DecodedFrame],
    settings: ConversionSettings,
    painter: Painter,
    encode: _Submit,
) -> list[_Encoding]:
    """Paint every variant of a batch and start to encode the rows."""
    frames = [decoded for _source, decoded in batch if isinstance(decoded, DecodedFrame)]
    images: dict[str, list[Painted | Exception]] = {frame.ref.sample_id: [] for frame in frames}
    if frames:
        for variant in range(settings.job.variants):
            for frame, painted in zip(frames, painter.paint(frames, variant, following), strict=True):
                images[frame.ref.sample_id].append(painted)
    started = []
    for source, decoded in batch:
        if isinstance(decoded, Exception):
            started.append(_Encoding(source, error=decoded))
            continue
        painted_variants = images[decoded.ref.sample_id]
        error = next((painted for painted in painted_variants if isinstance(painted, Exception)), None)
        if error is not None:
            started.append(_Encoding(source, error=error))
            continue
        rows, rejected = [], []
        for variant, painted in enumerate(painted_variants):
            assert isinstance(painted, Painted)
            if painted.judgement.is_accepted:
                rows.append(encode(build_row, decoded, painted, variant))
            else:
                rejected.append(encode(_describe_rejection, source, decoded, variant, painted))
        started.append(_Encoding(source, tuple(rows), tuple(rejected)))
    return started


def _describe_rejection(
    source: SourceFrame, decoded: DecodedFrame, variant: int, painted: Painted, _settings: ConversionSettings
) -> dict[str, Any]:
    return describe_rejection(source, decoded, variant, painted)


def _finish(encoding: _Encoding) -> FrameResult:
    error = encoding.error
    if error is None:
        try:
            rows, rejected = (
                tuple(future.result() for future in futures) for futures in (encoding.rows, encoding.rejected)
            )
            return FrameResult(rows, rejected)
        except Exception as failure:  # noqa: BLE001  a fault of the frame or of the code: the other frames go on
            reraise_fatal(failure)
            error = failure
    read_digest = error.read_digest if isinstance(error, FrameError) else None
    return FrameResult(quarantine=describe_quarantine(encoding.source, error), read_digest=read_digest)
