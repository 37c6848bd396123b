"""Quarantine rows: frames, variants and files that are not part of a dataset, with the reasons."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.conversion.summary import QuarantinedFrame
from sflow_pipeline.errors import FrameError
from sflow_pipeline.schema import QUARANTINE_SCHEMA
from sflow_pipeline.simulators import Dump
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import REASONS_PATH, LeftOut
from sflow_pipeline.storage.shard_file import ShardFileWriter, read_shard

if TYPE_CHECKING:
    from sflow_pipeline.conversion.painting.paint import Painted

_MOST_EXAMPLES = 10


def is_over_limit(bad: int, frames: int, limit: float) -> bool:
    """Whether too many frames cannot be converted for a run to go on.

    Args:
        bad: frames that cannot be converted.
        frames: of the dump.
        limit: largest share of them; one frame is always allowed unless it is 0, and all of them only if it is 1.

    >>> is_over_limit(1, 10, 0.05), is_over_limit(2, 10, 0.05), is_over_limit(1, 1, 0.05), is_over_limit(1, 10, 0)
    (False, True, True, True)
    """
    return bad > max(limit * frames, 1 if limit else 0) or (bad == frames > 0 and limit < 1)


def describe_rejection(source: SourceFrame, decoded: DecodedFrame, variant: int, painted: "Painted") -> dict[str, Any]:
    """The quarantine row of a variant that the gate did not accept, with its image and label."""
    scores = dict(painted.judgement.scores)
    failed, weakest = scores.pop("failed_checks", None), scores.pop("weakest_class", None)
    faults = [f"below the bundle's thresholds: {failed}"] if failed else []
    faults += [f"weakest class: {weakest}"] if weakest else []
    faults.append(", ".join(f"{name} {value:.3f}" for name, value in scores.items() if isinstance(value, float)))
    error = FrameError(
        f"{source.ref.sample_id}: variant {variant} was not accepted in {painted.attempts} attempts "
        f"({'; '.join(faults)})",
        hint="look at the frame's label, or convert with another seed",
        reason="rejected",
    )
    picture = image_codec.encode_rgb(painted.photo)
    return {
        **describe_quarantine(source, error),
        "variant": variant,
        "image": {"bytes": picture, "path": f"{PurePosixPath(source.ref.sample_id).name}.png"},
        "label": {"bytes": decoded.label_bytes, "path": source.ref.label},
    }


def describe_quarantine(frame: SourceFrame, error: BaseException) -> dict[str, Any]:
    """The quarantine row of a frame that failed with ``error``."""
    ref = frame.ref
    is_known = isinstance(error, FrameError)
    return {
        "sample_id": ref.sample_id,
        "sequence_id": ref.sequence_id,
        "frame_index": ref.frame_index,
        "split": ref.split,
        "source_uri": ref.source,
        "label_uri": ref.label,
        "reason": error.reason if isinstance(error, FrameError) else "unexpected",
        "message": str(error) if is_known else f"{ref.source}: {type(error).__name__}: {error}",
        "hint": error.hint if isinstance(error, FrameError) else "please report this with the frame",
    }


class QuarantineWriter:
    """Writes quarantine rows to one Parquet file, which is begun by the first row.

    Args:
        out: the dataset.
        stem: of the file's path.
    """

    def __init__(self, out: Folder, stem: str) -> None:
        self._out = out
        self._stem = stem
        self._stack = ExitStack()
        self._writer: ShardFileWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, row: dict[str, Any]) -> None:
        """Add one row."""
        if self._writer is None:
            writer = ShardFileWriter(self._out, self._stem, QUARANTINE_SCHEMA, "parquet")
            self._writer = self._stack.enter_context(writer)
        self._writer.add(row)

    def publish(self) -> tuple[str, str] | None:
        """Path and sha256 of the finished file; None where there were no rows."""
        if self._writer is None:
            return None
        published = self._writer.publish()
        return published.path, published.sha256


def write_left_out(out: Folder, dump: Dump) -> LeftOut | None:
    """Write the files of the dump that belong to no frame as quarantine rows."""
    rows = [
        {"source_uri": path, "reason": problem.kind, "message": problem.message}
        for problem in dump.problems
        if problem.severity == "error"
        for path in problem.paths
    ]
    with QuarantineWriter(out, "quarantine/left_out") as writer:
        for row in rows:
            writer.add(row)
        written = writer.publish()
    if written is None:
        return None
    reasons = dict(sorted(Counter(row["reason"] for row in rows).items()))
    return LeftOut(path=written[0], sha256=written[1], files=len(rows), reasons=reasons)


def write_reasons(out: Folder, records: Sequence[ShardRecord], left_out: LeftOut | None) -> str | None:
    """Write what was left out as a plain text file beside the Parquet files; its sha256, None where there is nothing.

    It follows from those files, so it is written anew by every run. A file that is no longer needed is removed.
    """
    data = build_reasons(out, records, left_out)
    if not data:
        out.remove(REASONS_PATH)
        return None
    out.write_bytes(REASONS_PATH, data)
    return hashlib.sha256(data).hexdigest()


def build_reasons(out: Folder, records: Sequence[ShardRecord], left_out: LeftOut | None) -> bytes:
    """Lines of frame or file, reason and message, separated by tabs; empty where nothing was left out."""
    paths = [record.quarantine_path for record in records] + [left_out.path if left_out else None]
    rows = (row for path in paths if path for row in read_shard(out, path))
    lines = [
        "\t".join(map(_escape, (row["sample_id"] or row["source_uri"], row["reason"], row["message"]))) for row in rows
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _escape(text: str) -> str:
    """Text on one line, without tabs."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def list_examples(out: Folder, records: Sequence[ShardRecord]) -> Iterator[QuarantinedFrame]:
    """The first quarantined frames of a dataset, for its summary."""
    listed = 0
    for record in records:
        if record.quarantine_path is None:
            continue
        for row in read_shard(out, record.quarantine_path, ("sample_id", "reason", "message")):
            if listed == _MOST_EXAMPLES:
                return
            yield QuarantinedFrame(row["sample_id"], row["reason"], row["message"])
            listed += 1
