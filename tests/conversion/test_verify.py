"""`verify` finds what was tampered with, whatever it was."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import OutputError
from sflow_pipeline.storage.filesystem import Folder


@pytest.fixture
def dataset(make_job, tmp_path):
    convert(make_job())
    return tmp_path / "out"


def _shard(dataset):
    return sorted((dataset / "data").rglob("*.parquet"))[0]


def test_sound_dataset(dataset):
    found = verify(str(dataset))
    assert (found.problems, found.rows, found.labels_compared) == ((), 12, 12)


def test_the_manifest_is_read_once(dataset, monkeypatch):
    content = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps({**content, "tool_version": "another"}))
    read, paths = Folder.read_bytes, []
    monkeypatch.setattr(Folder, "read_bytes", lambda self, path: paths.append(path) or read(self, path))
    assert "manifest.json: states other facts than were written" in verify(str(dataset)).problems
    assert paths.count("manifest.json") == 1


def test_flipped_bit(dataset):
    shard = _shard(dataset)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    assert any(shard.name in problem for problem in verify(str(dataset)).problems)


def test_swapped_label_in_a_shard_that_is_whole(dataset):
    shard = _shard(dataset)
    table = pq.read_table(shard)
    rows = table.to_pylist()
    rows[0]["label"], rows[1]["label"] = rows[1]["label"], rows[0]["label"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)
    problems = verify(str(dataset)).problems
    assert any("label is not the bytes that were read" in problem for problem in problems)


@pytest.mark.parametrize("damage", ["gone", "other bytes"])
def test_the_list_of_files_that_were_left_out(damage, dump, make_job, tmp_path):
    dump.write("town01/rgb/9.txt", b"no picture of a frame")
    (dump.root / "town01" / "semantic" / "0000.png").unlink()
    convert(make_job(max_bad_fraction=1))
    (left_out,) = (tmp_path / "out" / "quarantine").glob("left_out-*.parquet")
    assert verify(str(tmp_path / "out")).problems == ()
    if damage == "gone":
        left_out.unlink()
    else:
        left_out.write_bytes(b"x")
    assert any(left_out.name in problem for problem in verify(str(tmp_path / "out")).problems)


def test_missing_shard(dataset):
    _shard(dataset).unlink()
    found = verify(str(dataset))
    assert any("cannot be read" in problem for problem in found.problems)


def test_stray_file(dataset):
    stray = dataset / "data/train/old-shard.parquet"
    stray.write_bytes(_shard(dataset).read_bytes())
    assert any("belongs to no shard" in problem for problem in verify(str(dataset)).problems)


def test_counts_that_do_not_add_up(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    manifest["counts"]["rows"] += 1
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    assert any("rows" in problem for problem in verify(str(dataset)).problems)


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("labels.json", '"road"', '"car"'),
        ("labels.json", "{", ""),
        ("manifest.json", '"label_encoding": "ids"', '"label_encoding": "palette"'),
        ("manifest.json", '"name": "camvid11"', '"name": "nyu40"'),
        ("manifest.json", '"precision": "fp32"', '"precision": "bf16"'),
        ("README.md", "    - data/train/", "    - data/other/"),
        ("README.md", "---", ""),
    ],
)
def test_a_document_that_says_something_else_is_found_and_written_again(dataset, make_job, name, old, new):
    before = (dataset / name).read_bytes()
    _edit(dataset / name, old, new)
    assert any(problem.startswith(f"{name}: ") for problem in verify(str(dataset)).problems)
    convert(make_job())
    assert (dataset / name).read_bytes() == before
    assert verify(str(dataset)).problems == ()


@pytest.mark.parametrize("name", ["labels.json", "README.md"])
def test_missing_document(dataset, make_job, name):
    (dataset / name).unlink()
    assert any(f"{name}: cannot be read" in problem for problem in verify(str(dataset)).problems)
    convert(make_job())
    assert verify(str(dataset)).problems == ()


def test_a_card_with_other_prose_and_other_yaml_is_no_fault(dataset):
    card = dataset / "README.md"
    _edit(card, "made photo-realistic\n", "for the course\n")
    card.write_text(card.read_text() + "\nThanks to all.\n")
    head = yaml.safe_load(card.read_text().split("---\n")[1])
    prose = card.read_text().split("---\n", 2)[2]
    card.write_text(f"---\n{json.dumps({**head, 'license': 'mit'}, indent=1)}\n---\n{prose}")
    assert verify(str(dataset)).problems == ()


def test_a_dataset_of_an_older_version_has_no_digests_of_documents(dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    del manifest["manifest_sha256"], manifest["labels_sha256"]
    (dataset / "manifest.json").write_text(json.dumps(manifest))
    assert verify(str(dataset)).problems == ()


def test_source_that_moved_or_changed_is_no_fault(dataset, dump, tmp_path):
    dump.add_frame("town01", 0, salt="new")
    found = verify(str(dataset))
    assert (found.problems, found.sources_changed, found.labels_compared) == ((), 1, 11)
    dump.root.rename(tmp_path / "moved")
    assert verify(str(dataset)).sources_missing == 12
    assert verify(str(dataset), source=str(tmp_path / "moved")).labels_compared == 11


def test_no_dataset(tmp_path):
    with pytest.raises(OutputError):
        verify(str(tmp_path))
