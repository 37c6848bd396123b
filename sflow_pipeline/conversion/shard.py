"""Converts one shard: the one idempotent function that every engine calls.

Reading and decoding run in one thread, encoding in another, the model in the caller's: the device never waits.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.palette import draw_palette
from sflow_pipeline.conversion.decode import DecodedFrame, decode_frame
from sflow_pipeline.conversion.gate import judge_photo
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source_index import SourceFrame
from sflow_pipeline.conversion.translator_factory import FrameTranslator
from sflow_pipeline.errors import FrameError, SflowError
from sflow_pipeline.schema import QUARANTINE_SCHEMA
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.commits import ShardRecord, write_commit
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.shard_file import ShardFileWriter

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation

#: Frames in flight before and after the model.
_DEPTH = 2


@dataclass(frozen=True)
class ShardTask:
    """One shard to convert.

    Attributes:
        shard_id, split, fingerprint: as in its record.
        frames: in order.
        set_aside: sample id -> why this frame must not be touched (it killed its worker).
    """

    shard_id: str
    split: str
    fingerprint: str
    frames: Sequence[SourceFrame]
    set_aside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FrameResult:
    """A frame's rows, one per variant, or the row that says why there are none."""

    rows: tuple[dict[str, Any], ...] = ()
    quarantine: dict[str, Any] | None = None


def convert_shard(
    task: ShardTask,
    settings: ConversionSettings,
    translator: FrameTranslator,
    on_frame: Callable[[], None] = lambda: None,
) -> ShardRecord:
    """Convert a shard, write its files and commit it.

    The same task gives the same bytes, wherever and however often it runs; until the commit record is in place the
    dataset is as it was.

    Raises:
        OutputError: the disk is full, ….
    """
    out = Folder(settings.out_uri)
    quarantine = []
    scores = []
    shard_file = None
    with ExitStack() as stack:
        writer = None
        for result in convert_frames(task, settings, translator):
            if result.quarantine is not None:
                quarantine.append(result.quarantine)
            for row in result.rows:
                if writer is None:
                    stem = f"data/{task.split}/{task.shard_id}"
                    writer = stack.enter_context(ShardFileWriter(out, stem, settings.row_schema, settings.format))
                writer.add(row)
                scores.append(row["edge_f1"])
            on_frame()
        if writer is not None:
            shard_file = writer.publish()
    quarantine_file = write_quarantine(out, f"quarantine/{task.split}/{task.shard_id}", quarantine)
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
        reasons=dict(sorted(Counter(row["reason"] for row in quarantine).items())),
        edge_f1_mean=round(float(np.mean(scores)), 6) if scores else None,
    )
    write_commit(out, record)
    return record


def convert_frames(task: ShardTask, settings: ConversionSettings, translator: FrameTranslator) -> Iterator[FrameResult]:
    """Convert a shard's frames in order, writing nothing.

    A frame that cannot be converted becomes a quarantine row; other frames do not notice.
    """
    source = Folder(settings.source_uri)
    with ThreadPoolExecutor(1, "sflow-decode") as decoder, ThreadPoolExecutor(1, "sflow-encode") as encoder:
        waiting = iter(task.frames)
        decoding: deque[tuple[SourceFrame, Future[DecodedFrame]]] = deque()
        encoding: deque[tuple[SourceFrame, list[Future[dict[str, Any]]] | BaseException]] = deque()

        def prefetch() -> None:
            while len(decoding) <= _DEPTH and (frame := next(waiting, None)) is not None:
                decoding.append((frame, decoder.submit(_decode, frame, task, settings, source)))

        try:
            prefetch()
            while decoding:
                frame, future = decoding.popleft()
                try:
                    decoded = future.result()
                    prefetch()
                    rows = []
                    shown = {} if decoded.instance_map is None else {"instance_map": decoded.instance_map[None]}
                    for variant in range(settings.variants):
                        alpha, palette = _draw_look(frame.ref.sequence_id, variant, settings)
                        if palette is not None:
                            shown["palette"] = np.array([palette])
                        photo = translator.translate(
                            decoded.class_index[None], decoded.render[None], alpha[None], **shown
                        )
                        origin = {"variant": variant, "alpha": alpha.tolist(), "palette": palette}
                        rows.append(encoder.submit(_build_row, decoded, photo, origin, settings))
                    encoding.append((frame, rows))
                except Exception as error:  # noqa: BLE001  the frame's fault, or ours: either way the others go on
                    _reraise_fatal(error)
                    encoding.append((frame, error))
                    prefetch()
                while len(encoding) > _DEPTH:
                    yield _finish(*encoding.popleft())
            while encoding:
                yield _finish(*encoding.popleft())
        finally:
            decoder.shutdown(wait=False, cancel_futures=True)
            encoder.shutdown(wait=False, cancel_futures=True)


def _draw_look(sequence_id: str, variant: int, settings: ConversionSettings) -> tuple[NDArray[np.float32], int | None]:
    """Alpha, and the number of the palette if the bundle has any."""
    alpha = draw_alpha(
        settings.seed, sequence_id, variant, presets=settings.alpha, concentration=settings.alpha_concentration
    )
    if not settings.palettes:
        return alpha, None
    return alpha, draw_palette(settings.seed, sequence_id, variant, settings.palettes, first=settings.palette)


def write_quarantine(out: Folder, stem: str, rows: Sequence[dict[str, Any]]) -> tuple[str, str] | None:
    """Write quarantine rows as Parquet; path and sha256, None where there are none."""
    if not rows:
        return None
    with ShardFileWriter(out, stem, QUARANTINE_SCHEMA, "parquet") as writer:
        for row in rows:
            writer.add(row)
        published = writer.publish()
    return published.path, published.sha256


def _decode(frame: SourceFrame, task: ShardTask, settings: ConversionSettings, source: Folder) -> DecodedFrame:
    reason = task.set_aside.get(frame.ref.sample_id)
    if reason is not None:
        raise FrameError(reason, hint="look at the file; it is left out until it changes", reason="killed_worker")
    return decode_frame(frame, settings, source)


def _build_row(
    decoded: DecodedFrame, translation: "Translation", origin: dict[str, Any], settings: ConversionSettings
) -> dict[str, Any]:
    ref = decoded.ref
    photo, edge = translation.photo[0], translation.edge[0]
    score = judge_photo(photo, edge, settings.edge_threshold)
    files = dict(decoded.files)
    if "edge" in settings.columns:
        files["edge"] = image_codec.encode_gray(edge)
    name = PurePosixPath(ref.sample_id).name
    carried = {
        column: {"bytes": data, "path": f"{name}.png" if column == "edge" else getattr(ref, column)}
        for column, data in files.items()
    }
    return {
        "sample_id": ref.sample_id,
        "sequence_id": ref.sequence_id,
        "frame_index": ref.frame_index,
        "split": ref.split,
        "image": {"bytes": image_codec.encode_rgb(photo), "path": f"{name}.png"},
        "label": {"bytes": decoded.label_bytes, "path": ref.label},
        **carried,
        **decoded.texts,
        "source_uri": ref.render,
        "source_sha256": decoded.source_sha256,
        "label_sha256": decoded.label_sha256,
        "width_px": photo.shape[1],
        "height_px": photo.shape[0],
        **origin,
        "seed": settings.seed,
        "bundle_digest": settings.bundle_digest,
        "edge_f1": score.edge_f1,
    }


def _finish(frame: SourceFrame, outcome: list[Future[dict[str, Any]]] | BaseException) -> FrameResult:
    if not isinstance(outcome, BaseException):
        try:
            return FrameResult(rows=tuple(future.result() for future in outcome))
        except Exception as error:  # noqa: BLE001
            _reraise_fatal(error)
            outcome = error
    return FrameResult(quarantine=describe_quarantine(frame, outcome))


def describe_quarantine(frame: SourceFrame, error: BaseException) -> dict[str, Any]:
    """The quarantine row of a frame that failed with ``error``."""
    ref = frame.ref
    is_known = isinstance(error, FrameError)
    return {
        "sample_id": ref.sample_id,
        "sequence_id": ref.sequence_id,
        "frame_index": ref.frame_index,
        "split": ref.split,
        "source_uri": ref.render,
        "label_uri": ref.label,
        "reason": error.reason if isinstance(error, FrameError) else "unexpected",
        "message": str(error) if is_known else f"{ref.render}: {type(error).__name__}: {error}",
        "hint": error.hint if isinstance(error, FrameError) else "please report this with the frame",
    }


def _reraise_fatal(error: Exception) -> None:
    """Errors that are about the job and not about this frame end the shard."""
    if isinstance(error, SflowError) and not isinstance(error, FrameError):
        raise error
