"""A second run never takes rows away by a slip: it says what would go, and waits for the word."""

import shutil

import pytest

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.errors import OutputError


def list_rows(rows) -> set[tuple[str, int]]:
    return {(row["sample_id"], row["variant"]) for row in rows}


def refuse(job, snapshot, *words: str) -> None:
    """The job is refused with these words and nothing of the dataset changes."""

    def take() -> dict[str, str]:  # without the cache of the labels' class ids, and the note of the refusal
        notes = {".sflow/label_counts.parquet", ".sflow/status.json"}
        return {path: digest for path, digest in snapshot(job.out_dir).items() if path not in notes}

    before = take()
    with pytest.raises(OutputError) as refused:
        convert(job)
    for word in words:
        assert word in refused.value.message
    assert "--replace" in refused.value.hint
    assert take() == before


@pytest.fixture
def other_dump(dump, tmp_path):
    """A dump at another place whose frames have the same names and other pixels."""
    root = tmp_path / "other"
    shutil.copytree(dump.root, root)
    other = type(dump)(root)
    for sequence in ("town01", "town02"):
        for frame in range(6):
            other.add_frame(sequence, frame, salt="other")
    return other


@pytest.mark.parametrize("file_format", ["parquet", "png"])
def test_another_dump_of_the_same_names_is_refused(
    file_format, dump, other_dump, make_job, snapshot, read_dataset, read_manifest
):
    job = make_job(format=file_format)
    convert(job)
    other = make_job(format=file_format, sim_dir=str(other_dump.root))
    refuse(other, snapshot, "12 rows", str(dump.root), str(other_dump.root))
    convert(other.model_copy(update={"replace": True}))
    assert read_manifest(job.out_dir)["source"]["root"] == str(other_dump.root)


def test_another_dump_of_other_names_is_refused(other_dump, make_job, snapshot, read_dataset):
    convert(make_job())
    for sequence in ("town01", "town02"):
        (other_dump.root / sequence).rename(other_dump.root / f"{sequence}b")
    other = make_job(sim_dir=str(other_dump.root))
    refuse(other, snapshot, "another dump")
    summary = convert(other.model_copy(update={"replace": True}))
    assert summary.rows == 12
    assert {row["sequence_id"] for row in read_dataset(other.out_dir)} == {"town01b", "town02b"}


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        ({"variants": 3}, {"variants": 1}, 24),
        ({}, {"limit": 5}, 7),
        ({"include": ["edge", "render"]}, {"include": ["edge"]}, 12),
    ],
)
def test_options_that_drop_rows_are_refused(first, second, rows, make_job, snapshot, read_dataset):
    convert(make_job(**first))
    job = make_job(**second)
    refuse(job, snapshot, f"{rows} rows")
    plan = plan_conversion(job)
    assert [loss.rows for loss in plan.losses if loss.needs_replace] == [rows]
    assert {change.name for change in plan.settings} >= set(second)
    convert(make_job(**second, replace=True))
    assert plan_conversion(job).is_up_to_date
    kept = list_rows(read_dataset(job.out_dir))
    assert len(kept) == second.get("limit", 12) * second.get("variants", 1)


def test_growing_regenerating_and_another_bundle_need_no_word(dump, make_job, tmp_path, read_dataset):
    convert(make_job(variants=2))
    dump.add_frame("town03", 0)
    assert convert(make_job(variants=2)).rows == 26
    dump.add_frame("town01", 0, salt="rendered again")
    dump.remove_frame("town02", 3)
    plan = plan_conversion(make_job(variants=2))
    assert [(loss.kind, loss.rows, loss.needs_replace) for loss in plan.losses] == [("source gone", 2, False)]
    assert convert(make_job(variants=2)).rows == 24
    build_random_bundle(tmp_path / "bundle", seed=9)
    assert convert(make_job(variants=2, bundle=str(tmp_path / "bundle"))).rows == 24
    assert convert(make_job(variants=3, bundle=str(tmp_path / "bundle"))).rows == 36


def test_a_dump_that_was_copied_is_the_same_dump(dump, make_job, tmp_path):
    convert(make_job())
    copied = tmp_path / "copied"
    shutil.copytree(dump.root, copied, copy_function=shutil.copyfile)  # with new times
    grown = type(dump)(copied)
    grown.add_frame("town03", 0)
    assert convert(make_job(sim_dir=str(copied))).rows == 13


def test_a_plan_names_settings_and_files(dump, make_job, tmp_path):
    job = make_job()
    assert plan_conversion(job).sources is None
    convert(job)
    dump.add_frame("town01", 0, salt="new")
    dump.add_frame("town01", 6)
    dump.remove_frame("town02", 0)
    plan = plan_conversion(make_job(seed=4, size="40x24"))
    assert plan.sources is not None
    towns = ((1, 0), (1, 6), (2, 0))
    kinds = [f"town0{town}/{kind}/000{frame}.png" for town, frame in towns for kind in ("rgb", "semantic")]
    assert plan.sources.changed == tuple(kinds[:2])
    assert plan.sources.new == tuple(kinds[2:4])
    assert plan.sources.gone == tuple(kinds[4:])
    assert plan.sources.unchanged == 20
    assert {str(change) for change in plan.settings} == {"seed: 0 -> 4", "size: none -> 40,24"}
    assert {shard.reason for shard in plan.shards if shard.action == "redo"} == {"settings changed"}


def test_the_second_of_two_runs_that_were_interrupted_is_asked_too(dump, other_dump, make_job, tmp_path, snapshot):
    """Without a manifest there is only what was committed."""
    convert(make_job())
    (tmp_path / "out/manifest.json").unlink()
    refuse(make_job(limit=3), snapshot, "9 rows")


def test_after_an_interrupted_first_run_another_dump_is_refused(other_dump, make_job, tmp_path, snapshot):
    """The settings of the run that began say which dump the committed rows are of."""
    convert(make_job())
    (tmp_path / "out/manifest.json").unlink()
    refuse(make_job(sim_dir=str(other_dump.root)), snapshot, "12 rows", "another dump")
    assert convert(make_job()).shards_kept > 0
