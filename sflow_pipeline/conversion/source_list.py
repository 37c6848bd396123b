"""Source files of the last finished run with their identities, so that the next one can name what changed."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.write_errors import translate_write_errors

SOURCES_PATH = f"{STATE_PATH}/sources.parquet"
_AT_ONCE = 65536
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
    with out.scratch(SOURCES_PATH) as scratch, translate_write_errors(f"{out.uri}: {SOURCES_PATH}"):
        with pq.ParquetWriter(scratch.path, _SCHEMA, compression="zstd", use_dictionary=False) as writer:
            for part in _list_sources(index):
                writer.write_table(part)
        scratch.publish(SOURCES_PATH)


def compare_sources(out: Folder, index: pa.Table) -> SourceChanges | None:
    """Compare an index's files with those of the last finished run; None where none is recorded."""
    before = load_source_list(out)
    if before is None:
        return None
    new: list[str] = []
    changed: list[str] = []
    gone: list[str] = []
    start = 0
    for now in _list_sources(index):  # both are sorted, so that parts of both are compared
        stop = bisect_right(before["path"], str(now["path"][-1]), start, key=str)
        known, place = (
            before.slice(start, stop - start),
            pc.index_in(now["path"], before["path"].slice(start, stop - start)),
        )
        same = now.filter(pc.is_valid(place))
        is_same = pc.equal(same["identity"], known["identity"].take(place.drop_null()))
        new += _list_paths(now, pc.is_null(place))
        changed += _list_paths(same, pc.invert(is_same))
        gone += _list_paths(known, pc.invert(pc.is_in(known["path"], value_set=now["path"])))
        start = stop
    gone += map(str, before["path"].slice(start))
    return SourceChanges(tuple(new), tuple(changed), tuple(gone), before.num_rows - len(changed) - len(gone))


def load_source_list(out: Folder) -> pa.Table | None:
    """Path and identity of the last finished run's files; None where there is no list that can be read."""
    try:
        with out.open_input(SOURCES_PATH) as stream:
            return pq.read_table(stream, schema=_SCHEMA)
    except (OSError, ValueError, pa.ArrowException):
        return None


def _list_sources(index: pa.Table) -> Iterator[pa.Table]:
    """Every file once, sorted by path, in parts."""
    parts = [
        pa.table({"path": index[name], "identity": index[f"{name}_identity"]}).cast(_SCHEMA)
        for name in MODALITIES
        if name in index.column_names
    ]
    table = pa.concat_tables(parts) if parts else _SCHEMA.empty_table()
    table = (table.filter(pc.is_valid(table["path"])) if table["path"].null_count else table).combine_chunks()
    order = pc.sort_indices(table["path"])
    last = None
    for start in range(0, len(order), _AT_ONCE):
        part = table.take(order.slice(start, _AT_ONCE)).combine_chunks()
        paths = part["path"].combine_chunks()
        is_first = pc.not_equal(paths.slice(1), paths.slice(0, len(paths) - 1))
        part = part.filter(pa.concat_arrays([pa.array([str(paths[0]) != last]), is_first]))
        last = str(paths[-1])
        if part.num_rows:
            yield part


def _list_paths(table: pa.Table, mask: Any) -> list[str]:
    paths: list[Any] = table.filter(mask)["path"].to_pylist()
    return paths
