"""A dump becomes a dataset: labels untouched, rows readable by others, only what changed is done again."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.cli.plan_text import list_plan
from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import DumpError, LabelSpaceError, OutputError, UsageError


def test_every_label_is_the_sources_byte_for_byte(dump, make_job, read_dataset):
    job = make_job()
    summary = convert(job)
    rows = read_dataset(job.out_dir)
    assert summary.status == "clean"
    assert len(rows) == summary.rows == 12
    for row in rows:
        source = (dump.root / row["sequence_id"] / "semantic" / f"{row['frame_index']:04}.png").read_bytes()
        assert row["label"]["bytes"] == source
        assert row["label_sha256"] == hashlib.sha256(source).hexdigest()
        render = (dump.root / row["source_uri"]).read_bytes()
        assert row["source_sha256"] == hashlib.sha256(render).hexdigest()
        assert row["render"]["bytes"] == render


def test_rows_say_what_they_are(make_job, read_dataset):
    job = make_job(variants=2, seed=5)
    convert(job)
    rows = read_dataset(job.out_dir)
    assert len({(row["sample_id"], row["variant"]) for row in rows}) == len(rows) == 24
    for row in rows:
        photo = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        edge = cv2.imdecode(np.frombuffer(row["edge"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert photo.shape == (row["height_px"], row["width_px"], 3) == (32, 48, 3)
        assert edge.shape == (32, 48)
        assert abs(sum(row["alpha"]) - 1) < 1e-5
        assert 0 <= row["edge_f1"] <= 1
        assert (row["seed"], row["split"]) == (5, "train")
    alphas = {(row["sequence_id"], row["variant"]): tuple(row["alpha"]) for row in rows}
    assert len(set(alphas.values())) == 3  # both sequences share the uniform one of variant 0


def test_first_variants_have_the_alphas_that_were_named(make_job, read_dataset):
    job = make_job(variants=3, alpha="crisp,soft")
    convert(job)
    rows = read_dataset(job.out_dir)
    found = {(row["variant"], tuple(round(a, 2) for a in row["alpha"])) for row in rows if row["variant"] < 2}
    assert found == {(0, (0.6, 0.25, 0.05, 0.05, 0.05)), (1, (0.05, 0.15, 0.4, 0.25, 0.15))}
    # Named after the fact, they are another job: the first variants are painted again.
    before = {(row["sample_id"], row["variant"]): row["image"]["bytes"] for row in rows}
    convert(make_job(variants=3, alpha="soft"))
    after = {(row["sample_id"], row["variant"]): row["image"]["bytes"] for row in read_dataset(job.out_dir)}
    assert after.keys() == before.keys()
    assert all(after[sample, 0] == before[sample, 1] != before[sample, 0] for sample, _ in before)


def test_hugging_face_reads_it(make_job, dump):
    datasets = pytest.importorskip("datasets")
    job = make_job()
    convert(job)
    loaded = datasets.load_dataset(job.out_dir, cache_dir=str(Path(job.out_dir).parent / "cache"))
    assert list(loaded) == ["train"]
    row = loaded["train"][0]
    assert row["image"].size == (48, 32)
    label = dump.root / row["sequence_id"] / "semantic" / f"{row['frame_index']:04}.png"
    np.testing.assert_array_equal(np.array(row["label"]), cv2.imread(str(label), cv2.IMREAD_UNCHANGED))
    assert len(loaded["train"]) == 12


def test_same_job_same_bytes(make_job, snapshot, tmp_path):
    first, second = make_job(out_dir=str(tmp_path / "a")), make_job(out_dir=str(tmp_path / "b"))
    convert(first)
    convert(second)
    assert snapshot(first.out_dir) == snapshot(second.out_dir)


def test_nothing_to_do_touches_no_shard(make_job, tmp_path):
    job = make_job()
    convert(job)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/data").rglob("*.parquet")}
    summary = convert(job)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out/data").rglob("*.parquet")} == before
    assert (summary.shards_converted, summary.shards_kept) == (0, len(before))


def test_a_changed_frame_redoes_its_shard_alone(dump, make_job, snapshot, tmp_path):
    job = make_job()
    convert(job)
    before = snapshot(f"{job.out_dir}/data")
    dump.add_frame("town01", 0, salt="new")
    plan = plan_conversion(job)
    assert [shard.action for shard in plan.shards].count("redo") == len(plan.tasks) == 1
    assert "town01/0000" in {frame.ref.sample_id for frame in plan.tasks[0].frames}
    convert(job)
    after = snapshot(f"{job.out_dir}/data")
    assert len(set(before) - set(after)) == len(set(after) - set(before)) == 1
    fresh = make_job(out_dir=str(tmp_path / "fresh"))
    convert(fresh)
    assert snapshot(job.out_dir) == snapshot(fresh.out_dir)
    assert verify(job.out_dir).problems == ()


def test_a_rate_that_changed_alone_is_work_and_written_down(dump, make_job, read_manifest, snapshot, tmp_path):
    job = make_job()
    dump.write("dataset.yaml", b"{label_space: camvid11, fps: 10, units: {depth: m}}")
    convert(job)
    before = snapshot(tmp_path / "out/data")
    dump.write("dataset.yaml", b"{label_space: camvid11, fps: 25, units: {depth: cm}}")
    plan = plan_conversion(job)
    assert (plan.is_up_to_date, plan.tasks) == (False, [])
    assert list(map(str, plan.settings)) == [
        "fps: 10.0 -> 25.0", "metadata: units {'depth': 'm'} -> units {'depth': 'cm'}"
    ]  # fmt: skip
    assert list_plan(plan).splitlines()[-1] == "every shard is converted; the manifest is to be written again"
    convert(job)
    source = read_manifest(job.out_dir)["source"]
    assert (source["fps"], source["metadata"]["units"]) == (25, {"depth": "cm"})
    assert plan_conversion(job).is_up_to_date
    assert snapshot(tmp_path / "out/data") == before


def test_a_sequence_that_is_gone_is_removed(dump, make_job, snapshot, tmp_path):
    job = make_job()
    convert(job)
    for frame in range(6):
        dump.remove_frame("town02", frame)
    summary = convert(job)
    assert summary.shards_removed > 0
    assert summary.shards_converted == 0
    fresh = make_job(out_dir=str(tmp_path / "fresh"))
    convert(fresh)
    assert snapshot(f"{job.out_dir}/data") == snapshot(f"{fresh.out_dir}/data")
    assert verify(job.out_dir).problems == ()


def test_another_bundle_redoes_everything(make_job, tmp_path, read_dataset):
    job = make_job()
    convert(job)
    first = {row["sample_id"]: row["image"]["bytes"] for row in read_dataset(job.out_dir)}
    build_random_bundle(tmp_path / "other", seed=9)
    summary = convert(make_job(bundle=str(tmp_path / "other")))
    assert summary.shards_kept == 0
    second = {row["sample_id"]: row["image"]["bytes"] for row in read_dataset(job.out_dir)}
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_moved_dump_with_content_hash_is_unchanged(dump, make_job, tmp_path):
    convert(make_job(content_hash=True))
    moved = tmp_path / "moved"
    dump.root.rename(moved)
    for path in moved.rglob("*.png"):
        path.touch()
    assert plan_conversion(make_job(content_hash=True, sim_dir=str(moved))).tasks == []


@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
def test_a_damaged_shard_is_redone(damage, make_job, snapshot, tmp_path):
    job = make_job(content_hash=True)
    convert(job)
    before = snapshot(job.out_dir)
    shard = next((tmp_path / "out/data").rglob("*.parquet"))
    data = bytearray(shard.read_bytes())
    if damage == "delete":
        shard.unlink()
    elif damage == "truncate":
        shard.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 3] ^= 1
        shard.write_bytes(data)
    assert len(verify(job.out_dir).problems) > 0
    assert convert(job).shards_converted == 1
    assert snapshot(job.out_dir) == before


def test_dry_run_writes_nothing(make_job, tmp_path):
    plan = plan_conversion(make_job())
    assert plan.frames_to_convert == 12
    assert not (tmp_path / "out").exists()


def test_bad_frames_are_quarantined_with_their_reason(dump, make_job, read_dataset, read_quarantine):
    good = (dump.root / "town01/rgb/0001.png").read_bytes()
    dump.write("town01/rgb/0001.png", good[: len(good) // 2])
    dump.write("town01/semantic/0002.png", cv2.imencode(".png", np.zeros((16, 16), np.uint8))[1].tobytes())
    dump.write("town01/semantic/0003.png", cv2.imencode(".png", np.full((32, 48, 3), (0, 9, 0), np.uint8))[1].tobytes())
    job = make_job(max_bad_fraction=0.5)
    summary = convert(job)
    assert summary.status == "quarantined"
    rows = {row["sample_id"]: row for row in read_quarantine(job.out_dir)}
    assert {name: row["reason"] for name, row in rows.items()} == {
        "town01/0001": "truncated",
        "town01/0002": "size_mismatch",
        "town01/0003": "wrong_label_depth",
    }
    assert rows["town01/0001"]["source_uri"] == "town01/rgb/0001.png"
    assert "town01/rgb/0001.png" in rows["town01/0001"]["message"]
    assert len(read_dataset(job.out_dir)) == 9
    assert verify(job.out_dir).problems == ()
    dump.add_frame("town01", 1)  # repaired
    assert convert(job).quarantined == 2


def test_too_many_bad_frames_stop_the_job(dump, make_job):
    for frame in range(5):
        dump.write(f"town01/rgb/{frame:04}.png", b"not a picture")
    with pytest.raises(DumpError) as caught:
        convert(make_job(max_bad_fraction=0.2))
    assert "max_bad_fraction 0.2" in caught.value.message


def test_unknown_ids_are_found_before_the_first_frame(dump, make_job, tmp_path, read_dataset):
    label_map = np.zeros((32, 48), np.uint8)
    label_map[:16] = 77
    dump.write("town02/semantic/0005.png", cv2.imencode(".png", label_map)[1].tobytes())
    with pytest.raises(LabelSpaceError) as caught:
        convert(make_job())
    assert "77" in caught.value.message
    assert "town02/semantic/0005.png" in caught.value.message
    assert not (tmp_path / "out/data").exists()
    job = make_job(unknown_ids="ignore")
    assert convert(job).rows == 12
    labels = {row["sample_id"]: row["label"]["bytes"] for row in read_dataset(job.out_dir)}
    assert labels["town02/0005"] == (dump.root / "town02/semantic/0005.png").read_bytes()


def test_files_of_no_frame_are_reported(dump, make_job, read_quarantine):
    (dump.root / "town01/semantic/0004.png").unlink()
    job = make_job()
    summary = convert(job)
    assert (summary.left_out, summary.status) == (1, "quarantined")
    assert [row["source_uri"] for row in read_quarantine(job.out_dir)] == ["town01/rgb/0004.png"]
    assert verify(job.out_dir).problems == ()


def test_resized_labels_keep_their_ids(dump, make_job, read_dataset, read_manifest):
    job = make_job(size="24x16")
    summary = convert(job)
    assert summary.label_is_resized
    assert read_manifest(job.out_dir)["label_resized"] is True
    for row in read_dataset(job.out_dir):
        source = cv2.imread(str(dump.root / row["label"]["path"]), cv2.IMREAD_UNCHANGED)
        label = cv2.imdecode(np.frombuffer(row["label"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(label, cv2.resize(source, (24, 16), interpolation=cv2.INTER_NEAREST_EXACT))
        assert (row["width_px"], row["height_px"]) == (24, 16)
    assert verify(job.out_dir).labels_compared == 12


def test_size_of_the_source_touches_nothing(dump, make_job, read_dataset):
    job = make_job(size="48x32")
    assert not convert(job).label_is_resized
    for row in read_dataset(job.out_dir):
        assert row["label"]["bytes"] == (dump.root / row["label"]["path"]).read_bytes()


def test_one_frame_of_another_size_is_resized_and_said(dump, make_job, read_dataset):
    """The first frames of every sequence have the output's size; the last one is twice as large, with its flow."""
    dump.add_frame("town02", 5, size_px=(96, 64))
    for sequence in ("town01", "town02"):
        for frame in range(6):
            shape = (64, 96, 3) if (sequence, frame) == ("town02", 5) else (32, 48, 3)
            data = cv2.imencode(".png", np.full(shape, 2**15, np.uint16))[1].tobytes()
            dump.write(f"{sequence}/flow/{frame:04}.png", data)
    job = make_job(size="48x32")
    summary = convert(job)
    assert summary.label_is_resized and summary.rows == 12
    rows = {row["sample_id"]: row for row in read_dataset(job.out_dir)}
    label = cv2.imdecode(np.frombuffer(rows["town02/0005"]["label"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
    source = cv2.imread(str(dump.root / "town02/semantic/0005.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(label, cv2.resize(source, (48, 32), interpolation=cv2.INTER_NEAREST_EXACT))
    assert "flow" not in rows["town02/0005"], "flow in PNG files cannot be resized"
    assert verify(job.out_dir).problems == ()
    assert verify(job.out_dir).labels_compared == 12


def test_carried_columns(dump, make_job, read_dataset, read_manifest):
    depth = np.random.default_rng(0).integers(0, 65536, (32, 48)).astype(np.uint16)
    for sequence in ("town01", "town02"):
        for frame in range(6):
            dump.write(f"{sequence}/depth/{frame:04}.png", cv2.imencode(".png", depth)[1].tobytes())
            dump.write(f"{sequence}/boxes/{frame:04}.json", b'[{"class": "car"}]')
    (dump.root / "town02/boxes/0005.json").unlink()
    job = make_job()
    convert(job)
    rows = read_dataset(job.out_dir)
    assert {row["boxes"] for row in rows} == {'[{"class": "car"}]', None}
    assert all(row["depth"]["bytes"] == (dump.root / row["depth"]["path"]).read_bytes() for row in rows)
    convert(make_job(include=["edge"], replace=True))
    assert not {"depth", "boxes", "render"} & set(read_manifest(job.out_dir)["columns"])


def test_nan_depth_is_quarantined(dump, make_job, read_quarantine, tmp_path):
    for frame in range(6):
        depth = np.full((32, 48), 7.0, np.float32)
        depth[0, 0] = np.nan if frame == 2 else np.inf
        np.save(tmp_path / "depth.npy", depth)
        dump.write(f"town01/depth/{frame:04}.npy", (tmp_path / "depth.npy").read_bytes())
    job = make_job(max_bad_fraction=0.2)
    convert(job)
    assert [(row["sample_id"], row["reason"]) for row in read_quarantine(job.out_dir)] == [("town01/0002", "nan_depth")]


def test_png_tree_holds_the_same_rows(dump, make_job, read_dataset, snapshot, tmp_path):
    parquet, tree = make_job(), make_job(format="png", out_dir=str(tmp_path / "tree"))
    convert(parquet)
    convert(tree)
    for row in read_dataset(parquet.out_dir):
        frame = tmp_path / "tree/data/train" / row["sequence_id"]
        for column in ("image", "label", "edge", "render"):
            assert (frame / column / f"{row['frame_index']:04}.png").read_bytes() == row[column]["bytes"]
    assert verify(tree.out_dir).problems == ()
    dump.remove_frame("town01", 5)
    convert(tree)
    assert not (tmp_path / "tree/data/train/town01/image/0005.png").exists()
    assert verify(tree.out_dir).problems == ()
    (tmp_path / "tree/data/train/town01/image/0002.png").unlink()
    assert len(verify(tree.out_dir).problems) > 0
    convert(tree)
    assert verify(tree.out_dir).problems == ()


def test_a_tree_that_is_half_replaced_is_no_dataset(dump, make_job, read_dataset):
    job = make_job(format="png", include=["render"])
    convert(job)
    before = {row["sample_id"]: row["image"]["bytes"] for row in read_dataset(job.out_dir)}
    pictures = [dump.root / "town01" / "rgb" / f"{frame:04}.png" for frame in range(3, 6)]
    whole = [path.read_bytes() for path in pictures]
    for path in pictures:
        path.write_bytes(b"no picture")
    other = make_job(format="png", include=["render"], seed=4, palette="drawn")
    with pytest.raises(DumpError, match="max_bad_fraction"):
        convert(other)
    with pytest.raises(OutputError, match="conversion did not finish"):
        verify(job.out_dir)
    for path, data in zip(pictures, whole, strict=True):
        path.write_bytes(data)
    convert(job)
    assert {row["sample_id"]: row["image"]["bytes"] for row in read_dataset(job.out_dir)} == before


def test_frames_named_like_variants_of_others_are_refused_as_a_tree(dump, make_job):
    for kind in ("rgb", "semantic"):
        (dump.root / f"town01/{kind}/0005.png").rename(dump.root / f"town01/{kind}/0002_v1.png")
    with pytest.raises(
        UsageError, match="frame town01/0002_v1 and a variant of frame town01/0002 would be files of one"
    ):
        convert(make_job(format="png", variants=2))
    plan_conversion(make_job(format="png", variants=1))
    plan_conversion(make_job(variants=2))


def test_limit_and_split(make_job, read_dataset, tmp_path):
    job = make_job(limit=3, split="demo")
    convert(job)
    assert [row["sample_id"] for row in read_dataset(job.out_dir)] == ["town01/0000", "town01/0001", "town01/0002"]
    assert (tmp_path / "out/data/demo").is_dir()


def test_foreign_folder_is_refused(make_job, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.docx").write_bytes(b"years of work")
    with pytest.raises(OutputError) as caught:
        convert(make_job())
    assert "thesis.docx" in caught.value.message
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["thesis.docx"]


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a filesystem where nobody may create a folder")
def test_an_output_folder_that_cannot_be_written_to(make_job):
    with pytest.raises(OutputError) as caught:
        convert(make_job(out_dir="/sys/sflow-out"))
    assert "/sys/sflow-out" in caught.value.message
    assert "cannot be written" in caught.value.message
    assert caught.value.hint == "choose an output folder that can be written to"


def test_output_inside_the_dump_is_refused(dump, make_job):
    with pytest.raises(UsageError):
        convert(make_job(out_dir=str(dump.root / "out")))


def test_columns_that_the_dump_lacks_are_refused(make_job):
    with pytest.raises(UsageError) as caught:
        convert(make_job(include=["depth"]))
    assert "depth" in caught.value.message


def test_errors_of_the_model_cost_one_frame(make_job, random_bundle, read_quarantine):
    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.bundle.translator import Translator

    class FailsOnce:
        def __init__(self):
            self.inner = Translator(load_bundle(random_bundle), "cpu", "fp32")
            self.calls = 0

        def translate(self, class_index, render, alpha, **look):
            self.calls += 1
            if self.calls == 3:
                raise RuntimeError("no kernel for this")
            return self.inner.translate(class_index, render, alpha, **look)

    job = make_job()
    summary = convert(job, build_translator=FailsOnce)
    assert (summary.rows, summary.status) == (11, "quarantined")
    row = read_quarantine(job.out_dir)[0]
    assert (row["sample_id"], row["reason"]) == ("town01/0002", "unexpected")
    assert "no kernel for this" in row["message"]


def test_errors_of_the_job_are_not_taken_for_bad_frames(make_job):
    class Full:
        def translate(self, *_batch, **_look):
            raise OutputError("the disk is full")

    with pytest.raises(OutputError):
        convert(make_job(), build_translator=Full)


def test_footer_has_page_index_and_small_row_groups(make_job, tmp_path):
    convert(make_job())
    metadata = pq.read_metadata(next((tmp_path / "out/data").rglob("*.parquet")))
    group = metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert columns["sample_id"].compression == "ZSTD"
    assert columns["sample_id"].has_offset_index
