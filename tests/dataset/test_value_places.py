"""Pictures are read alone from where they stand in the file; where that cannot be known, with their row group."""

import mmap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.dataset.value_places import find_places
from sflow_pipeline.schema import IMAGE_TYPE


def find(path: Path, group: int) -> dict | None:
    file = pq.ParquetFile(path)
    with path.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    table = file.read_row_group(group, columns=["image.bytes"])
    places = find_places(mapped, file.metadata, group, table, ["image"])
    if places is None:
        return None
    return {name: [place and mapped[place[0] : sum(place)] for place in column] for name, column in places.items()}


@pytest.mark.parametrize("shard", [0, 1])
def test_every_picture_of_a_shard_is_found(shard, convert_streets):
    path = sorted((convert_streets(format="parquet", variants=2) / "data").rglob("*.parquet"))[shard]
    images = [value["bytes"] for value in pq.read_table(path)["image"].to_pylist()]
    assert find(path, 0) == {"image": images}


#: Values that begin alike, are empty, missing, the same twice, and hold bytes above 127.
VALUES = [b"\xff" * 40 + b"a", b"\xff" * 40 + b"b", b"", None, b"\xff" * 40 + b"b", b"\x29\x00\x00\x00" * 30]


def test_awkward_values(tmp_path):
    rows = [value if value is None else {"bytes": value, "path": "x"} for value in VALUES]
    table = pa.table({"image": pa.array(rows, IMAGE_TYPE)})
    for size in (1, 4, 100):
        pq.write_table(table, tmp_path / "x.parquet", compression="NONE", use_dictionary=False, row_group_size=size)
        groups = pq.ParquetFile(tmp_path / "x.parquet").num_row_groups
        found = [find(tmp_path / "x.parquet", group) for group in range(groups)]
        assert [value for group in found for value in group["image"]] == VALUES


def test_compressed_values_are_not_found(tmp_path):
    rows = [{"bytes": bytes(range(256)) * 40, "path": "x"}]
    pq.write_table(pa.table({"image": pa.array(rows, IMAGE_TYPE)}), tmp_path / "x.parquet", compression="zstd")
    assert find(tmp_path / "x.parquet", 0) is None
