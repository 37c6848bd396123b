"""Source files of the last finished run with their identities, so that the next one can name what changed."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sflow_pipeline.columns import MODALITIES
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


def write_source_list(out: Folder, index: pa.Table) -> None:
    """Write the files of an index (see ``build_index``); the same files give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(_list_sources(index), sink, compression="zstd", use_dictionary=False)
    out.write_bytes(SOURCES_PATH, sink.getvalue().to_pybytes())


def compare_sources(out: Folder, index: pa.Table) -> SourceChanges | None:
    """Compare an index's files with those of the last finished run; None where none is recorded."""
    before = load_source_list(out)
    if before is None:
        return None
    now = _list_sources(index)
    place = pc.index_in(now["path"], value_set=before["path"])
    known = now.filter(pc.is_valid(place))
    is_same = pc.equal(known["identity"], before["identity"].take(place.drop_null()))
    return SourceChanges(
        new=_list_paths(now, pc.is_null(place)),
        changed=_list_paths(known, pc.invert(is_same)),
        gone=_list_paths(before, pc.invert(pc.is_in(before["path"], value_set=now["path"]))),
        unchanged=known.filter(is_same).num_rows,
    )


def load_source_list(out: Folder) -> pa.Table | None:
    """Path and identity of the last finished run's files; None where there is no list that can be read."""
    try:
        with out.open_input(SOURCES_PATH) as stream:
            return pq.read_table(stream, schema=_SCHEMA)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _list_sources(index: pa.Table) -> pa.Table:
    """Every file once, sorted by path."""
    parts = [
        pa.table({"path": index[name], "identity": index[f"{name}_identity"]}).cast(_SCHEMA)
        for name in MODALITIES
        if name in index.column_names
    ]
    table = pa.concat_tables(parts) if parts else _SCHEMA.empty_table()
    table = table.filter(pc.is_valid(table["path"])).combine_chunks()
    table = table.take(pc.sort_indices(table["path"]))
    if table.num_rows == 0:
        return table
    paths = table["path"].combine_chunks()
    is_first = pc.not_equal(paths.slice(1), paths.slice(0, len(paths) - 1))
    return table.filter(pa.concat_arrays([pa.array([True]), is_first]))


def _list_paths(table: pa.Table, mask: Any) -> tuple[str, ...]:
    paths: list[Any] = table.filter(mask)["path"].to_pylist()
    return tuple(sorted(paths))
