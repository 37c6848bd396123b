"""Source files of two runs are compared as two dictionaries would be, part by part."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.conversion.source import source_list
from sflow_pipeline.conversion.source.source_list import SOURCES_PATH, compare_sources, write_source_list
from sflow_pipeline.storage.filesystem import Folder


def make_index(files: dict[str, str]) -> pa.Table:
    """An index whose frames share a camera file; labels are the renders of other frames."""
    renders = [path for path in files if path.startswith("rgb/")]
    labels = [path if path in files else None for path in (f"ids{path[3:]}" for path in renders)]
    columns = {"render": renders, "label": labels, "camera": ["camera.json"] * len(renders)}
    identities = {f"{name}_identity": [files.get(path) for path in paths] for name, paths in columns.items()}
    return pa.table({**columns, **identities})


def draw(seed: int) -> dict[str, str]:
    rng = random.Random(seed)
    frames = sorted(rng.sample(range(200), 40), key=lambda _: rng.random())
    files = {
        f"{kind}/{'é' if i % 7 == 0 else ''}{i}.png": str(rng.randrange(2)) for i in frames for kind in ("rgb", "ids")
    }
    return {**files, "camera.json": str(rng.randrange(2))}


@pytest.mark.parametrize("at_once", [1, 7, 65536])
@pytest.mark.parametrize("seed", range(5))
def test_what_changed_is_named(tmp_path, monkeypatch, seed, at_once):
    monkeypatch.setattr(source_list, "_AT_ONCE", at_once)
    before, now = draw(seed), draw(seed + 100)
    out = Folder(str(tmp_path))
    assert compare_sources(out, make_index(now)) is None
    write_source_list(out, make_index(before))
    listed = pq.read_table(tmp_path / SOURCES_PATH)
    assert listed.to_pydict() == {
        "path": sorted(before),
        "identity": [before[p] for p in sorted(before)],
    }
    found = compare_sources(out, make_index(now))
    assert found is not None
    both = before.keys() & now.keys()
    assert found.new == tuple(sorted(now.keys() - before.keys()))
    assert found.gone == tuple(sorted(before.keys() - now.keys()))
    assert found.changed == tuple(sorted(path for path in both if before[path] != now[path]))
    assert found.unchanged == sum(before[path] == now[path] for path in both)


def test_a_list_that_cannot_be_read_is_none(tmp_path):
    out, index = Folder(str(tmp_path)), make_index(draw(0))
    write_source_list(out, index)
    path = tmp_path / SOURCES_PATH
    whole = path.read_bytes()
    pq.write_table(pa.table({"path": ["a"], "size": [1]}), path)
    assert compare_sources(out, index) is None
    for damaged in (b"", whole[:-20], whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]):
        path.write_bytes(damaged)
        assert compare_sources(out, index) is None
