"""Source files of the last finished run with their identities, so that the next one can name what changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sflow_pipeline.conversion.source_index import SourceFrame
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder

SOURCES_PATH = f"{STATE_PATH}/sources.parquet"
_SCHEMA = pa.schema([("path", pa.string()), ("identity", pa.string())])


@dataclass(frozen=True)
class SourceChanges:
    """Source files that differ from those of the last finished run, by path in the dump.

    Attributes:
        new, changed, gone: paths, sorted; ``gone`` are those that the job no longer reads.
        unchanged: how many files are as they were.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    unchanged: int = 0


def write_source_list(out: Folder, frames: Iterable[SourceFrame]) -> None:
    """Write the list; the same files give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(_list_sources(frames), sink, compression="zstd", use_dictionary=False)
    out.write_bytes(SOURCES_PATH, sink.getvalue().to_pybytes())


def compare_sources(out: Folder, frames: Sequence[SourceFrame]) -> SourceChanges | None:
    """Compare a dump's files with those of the last finished run; None where none is recorded."""
    before = load_source_list(out)
    if before is None:
        return None
    now = _to_dict(_list_sources(frames))
    known = [path for path in now if path in before]
    changed = sorted(path for path in known if now[path] != before[path])
    return SourceChanges(
        new=tuple(sorted(now.keys() - before.keys())),
        changed=tuple(changed),
        gone=tuple(sorted(before.keys() - now.keys())),
        unchanged=len(known) - len(changed),
    )


def load_source_list(out: Folder) -> dict[str, str] | None:
    """Path -> identity of the last finished run's files; None where there is no list that can be read."""
    try:
        with out.open_input(SOURCES_PATH) as stream:
            return _to_dict(pq.read_table(stream, schema=_SCHEMA))
    except (OSError, ValueError, pa.ArrowException):
        return None


def _list_sources(frames: Iterable[SourceFrame]) -> pa.Table:
    found: dict[str, str] = {}
    for frame in frames:
        for modality, identity in frame.identities.items():
            path = getattr(frame.ref, modality, None) or frame.ref.files.get(modality)
            if path:
                found[path] = identity
    # Lone surrogates of file names have no UTF-8; they are replaced.
    names = [path.encode("utf-8", "replace").decode() for path in found]
    table = pa.table({"path": names, "identity": list(found.values())}, schema=_SCHEMA)
    return table.take(pc.sort_indices(table["path"]))


def _to_dict(table: pa.Table) -> dict[str, str]:
    paths: list[Any] = table["path"].to_pylist()
    identities: list[Any] = table["identity"].to_pylist()
    return dict(zip(paths, identities, strict=True))
