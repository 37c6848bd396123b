"""Splits made by a conversion, read back with pyarrow: whole sequences, kept while a dump grows."""

from collections import Counter
from pathlib import Path

import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.errors import ConfigError, UsageError

SHARES = "sequence 0.6/0.2/0.2"


@pytest.fixture
def grow(dump):
    """Adds sequences of two frames, to those of six that the dump has."""

    def add(*names: str) -> None:
        for name in names:
            for frame in range(2):
                dump.add_frame(name, frame)

    return add


def splits_of(rows) -> dict[str, str]:
    found = {(row["sequence_id"], row["split"]) for row in rows}
    assert len(dict(found)) == len(found), "a sequence is in two splits"
    return dict(found)


def test_sequences_are_shared_out_and_keep_their_split(make_job, read_dataset, read_manifest, grow, tmp_path):
    grow("town03", "town04", "town05", "town06")
    job = make_job(split_by=SHARES)
    convert(job)
    first = splits_of(read_dataset(tmp_path / "out"))
    frames = Counter(row["split"] for row in read_dataset(tmp_path / "out"))
    assert set(first.values()) == {"train", "val", "test"}
    assert frames["train"] >= 10 and read_manifest(tmp_path / "out")["splits"].keys() == frames.keys()
    assert read_manifest(tmp_path / "out")["job"]["split_by"] == SHARES
    grow(*(f"new{number}" for number in range(8)))
    kept = convert(job).shards_kept
    grown = splits_of(read_dataset(tmp_path / "out"))
    assert first.items() < grown.items() and kept > 0
    assert Counter(grown.values())["train"] > 5
    assert convert(job).shards_converted == 0


def test_a_dry_run_says_the_splits_of_the_run_and_writes_nothing(make_job, read_dataset, grow, tmp_path):
    grow("town03")
    plan = plan_conversion(make_job(split_by=SHARES))
    planned = {frame.ref.sequence_id: shard.task.split for shard in plan.shards for frame in shard.task.frames}
    assert not (tmp_path / "out").exists()
    convert(make_job(split_by=SHARES))
    assert splits_of(read_dataset(tmp_path / "out")) == planned


def test_other_shares_are_other_splits(make_job, read_dataset, grow, tmp_path):
    grow("town03", "town04")
    convert(make_job(split_by=SHARES))
    convert(make_job(split_by="sequence 0.5/0.5"))
    assert set(splits_of(read_dataset(tmp_path / "out")).values()) == {"train", "val"}


def test_damaged_splits_are_made_again(make_job, read_dataset, grow, tmp_path):
    grow("town03")
    convert(make_job(split_by=SHARES))
    first = splits_of(read_dataset(tmp_path / "out"))
    (tmp_path / "out" / ".sflow" / "splits.json").write_text("[1")
    summary = convert(make_job(split_by=SHARES))
    assert any("splits.json" in warning for warning in summary.warnings)
    assert splits_of(read_dataset(tmp_path / "out")) == first


def test_too_few_sequences_are_refused_before_anything_is_written(make_job, tmp_path):
    with pytest.raises(UsageError, match="2 of them cannot make 3 splits") as refused:
        convert(make_job(split_by=SHARES))
    assert "--split-by block" in refused.value.hint and "--split-by frame" in refused.value.hint
    assert not list(Path(tmp_path / "out").rglob("*.parquet"))
    assert convert(make_job(split_by="frame 0.5/0.25/0.25")).rows == 12


@pytest.mark.parametrize("value", ["sequence", "sequence 0.8/0.3", "town 0.5/0.5", ["sequence", 1]])
def test_wrong_splits_are_explained(value):
    with pytest.raises((UsageError, ConfigError), match=r"0\.8/0\.1/0\.1|--split-by"):
        build_job({"sim_dir": "a", "out_dir": "b", "split_by": value})


def test_one_split_and_new_splits_exclude_each_other():
    with pytest.raises(ConfigError, match="give one of them"):
        build_job({"sim_dir": "a", "out_dir": "b", "split": "train", "split_by": SHARES})


def test_a_block_has_fifty_frames_however_they_are_numbered(make_job, dump, read_dataset, tmp_path):
    """Every twentieth frame of a simulator: 110 frames are three blocks, not 44."""
    for frame in range(6):
        dump.remove_frame("town02", frame)
        dump.remove_frame("town01", frame)
    for frame in range(110):
        dump.add_frame("town03", 20 * frame, size_px=(16, 16))
    convert(make_job(split_by="block 0.5/0.5", gate="off", max_frame_void=1.0))
    rows = sorted(read_dataset(tmp_path / "out"), key=lambda row: row["frame_index"])
    splits = [row["split"] for row in rows]
    assert len(splits) == 110 and set(splits) == {"train", "val"}
    changes = [at for at in range(1, 110) if splits[at] != splits[at - 1]]
    assert changes and set(changes) <= {50, 100}
