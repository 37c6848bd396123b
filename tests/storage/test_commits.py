"""Commit records: what is damaged counts as not committed, whichever byte it is."""

import json
from pathlib import Path

from sflow_pipeline.storage.commits import ShardRecord, load_commits, write_commit
from sflow_pipeline.storage.filesystem import Folder

RECORD = ShardRecord(
    shard_id="street_0000_000005-0384e3b3",
    split="train",
    fingerprint="57" * 32,
    path="data/train/street_0000_000005-0384e3b3-013766c12be0.parquet",
    sha256="01" * 32,
    size_bytes=56446,
    rows=1,
    frames=2,
    reasons={"unreadable": 1},
    faults={"street_0000/000005": ""},
    edge_f1_mean=0.8712345,
    settings_fingerprint="97" * 32,
)


def test_a_record_with_one_flipped_bit_is_whole_or_damaged(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write_commit(folder, RECORD)
    path = tmp_path / RECORD.commit_path
    data = path.read_bytes()
    assert load_commits(folder) == {RECORD.shard_id: RECORD}
    for place in range(len(data)):
        bit = 1 << place % 7
        path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        damaged: list[str] = []
        found = load_commits(folder, damaged.append)
        if json.loads(data) != _read(path):
            assert not found, f"byte {place}: {path.read_bytes()!r}"
            assert damaged == [RECORD.commit_path]


def test_a_record_of_an_older_version_has_no_digest_and_is_read(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write_commit(folder, RECORD)
    path = tmp_path / RECORD.commit_path
    content = json.loads(path.read_bytes())
    del content["record_sha256"], content["batch_size"]
    path.write_text(json.dumps(content))
    assert load_commits(folder) == {RECORD.shard_id: RECORD}


def _read(path: Path) -> object:
    """Its content, None where it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None
