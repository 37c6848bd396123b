"""Random access: every sample is what the files say, in both formats, in every worker."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pyarrow.fs import LocalFileSystem
from torch.utils.data import DataLoader, default_collate

from sflow_pipeline import Sample, open_dataset
from sflow_pipeline.dataset.sample import Scores
from sflow_pipeline.dataset.shard_reader import open_shard
from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.evaluation.photos import DatasetPhotos
from sflow_pipeline.label_spaces import describe_label_space, load_label_space
from sflow_pipeline.storage.filesystem import Folder

FORMATS = ("parquet", "png")


def read_source(root: Path, kind: str, sample: Sample) -> np.ndarray:
    path = root / sample.sequence_id / kind / f"{sample.frame_index:06d}.png"
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert array is not None
    return array[:, :, ::-1] if array.ndim == 3 else array


@pytest.mark.parametrize("stored", FORMATS)
def test_samples_hold_the_simulators_numbers(stored, convert_streets, street_dump):
    dataset = open_dataset(str(convert_streets(format=stored, variants=2)))
    assert len(dataset) == 16 and dataset.splits == {"train": 16}
    assert dataset.label_space.name == "cityscapes19"
    for sample in (dataset[i] for i in np.random.default_rng(0).permutation(16)):
        for column, kind in (("label", "semantic"), ("instance", "instance"), ("depth", "depth"), ("render", "rgb")):
            expected = read_source(street_dump, kind, sample)
            np.testing.assert_array_equal(getattr(sample, column), expected)
            assert getattr(sample, column).dtype == expected.dtype
        has_flow = (street_dump / sample.sequence_id / "flow" / f"{sample.frame_index:06d}.png").exists()
        assert (sample.flow is not None) == has_flow
        if has_flow:
            np.testing.assert_array_equal(sample.flow, read_source(street_dump, "flow", sample))
        assert sample.image.shape == (48, 96, 3) and sample.edge.shape == (48, 96)
        boxes = (street_dump / sample.sequence_id / "boxes" / f"{sample.frame_index:06d}.json").read_text()
        assert sample.boxes == boxes
        assert 0 <= sample.scores.edge_f1 <= 1


def test_order_is_that_of_the_shards_and_both_formats_agree(convert_streets):
    out = convert_streets(format="parquet", variants=2)
    expected = [
        (row["sample_id"], row["variant"], row["image"]["bytes"])
        for path in sorted(
            (out / "data").rglob("*.parquet"), key=lambda path: pq.read_table(path)["sample_id"][0].as_py()
        )
        for row in pq.read_table(path).to_pylist()
    ]
    tree = open_dataset(str(convert_streets(format="png", variants=2)), columns=["image"])
    table = open_dataset(str(out), columns=["image"])
    for index, (sample_id, variant, image) in enumerate(expected):
        decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        for dataset in (tree, table):
            sample = dataset[index]
            assert (sample.sample_id, sample.variant) == (sample_id, variant)
            np.testing.assert_array_equal(sample.image, decoded)
    assert table[-1].sample_id == expected[-1][0]
    with pytest.raises(IndexError):
        table[16]


@pytest.mark.parametrize("stored", FORMATS)
def test_only_what_is_asked_for_is_read(stored, convert_streets):
    out = convert_streets(format=stored, variants=2)
    dataset = open_dataset(str(out), columns=("label",), variants=[1], split="train")
    assert len(dataset) == 8 and {dataset[i].variant for i in range(8)} == {1}
    assert dataset[0].image is None and dataset[0].depth is None and dataset[0].label is not None
    values = dataset.read_values(0)
    assert "bytes" not in (values.get("image") or {})


@pytest.mark.parametrize(("stored", "start_method"), [("parquet", "fork"), ("png", "fork"), ("parquet", "spawn")])
def test_workers_see_the_same_samples(stored, start_method, convert_streets):
    out = str(convert_streets(format=stored, variants=2))
    dataset = open_dataset(out, columns=("image", "label"), transform=Sample.to_tensors)
    first = dataset[0]  # opens files here, which a forked worker must not share
    loader = DataLoader(dataset, batch_size=4, num_workers=2, multiprocessing_context=start_method)
    batches = list(loader)
    assert [name for batch in batches for name in batch["sample_id"]] == [dataset[i]["sample_id"] for i in range(16)]
    assert torch.equal(torch.cat([batch["label"] for batch in batches])[0], first["label"])
    assert batches[0]["image"].shape == (4, 3, 48, 96) and batches[0]["image"].dtype == torch.uint8
    assert batches[0]["label"].shape == (4, 48, 96) and batches[0]["label"].dtype == torch.int64


def test_tensors_hold_the_same_numbers(convert_streets):
    sample = open_dataset(str(convert_streets(format="parquet", variants=2)))[0]
    tensors = sample.to_tensors()
    np.testing.assert_array_equal(tensors["instance"].numpy(), sample.instance)
    np.testing.assert_array_equal(tensors["depth"].numpy(), sample.depth)
    np.testing.assert_array_equal(tensors["image"].permute(1, 2, 0).numpy(), sample.image)
    assert tensors["edge_f1"] == sample.scores.edge_f1
    assert tensors["sample_id"] == sample.sample_id and tensors["boxes"] == sample.boxes


def test_samples_with_and_without_a_score_make_a_batch(convert_streets):
    sample = open_dataset(str(convert_streets(format="parquet", variants=2)), columns=("label",))[0]
    scores = replace(sample.scores, rare_recall=0.5, weakest_class="pole")
    measured = replace(sample, scores=scores)
    not_measured = replace(sample, scores=replace(scores, rare_recall=None, weakest_class=None))
    for samples in ((measured, not_measured), (not_measured, measured)):
        batch = default_collate([item.to_tensors() for item in samples])
        assert sorted(batch["rare_recall"].nan_to_num(-1).tolist()) == [-1, 0.5]
        assert sorted(batch["weakest_class"]) == ["", "pole"]


def test_a_remote_folder_reads_the_same(convert_streets):
    out = convert_streets(format="parquet", variants=2)
    local, remote = Folder(str(out)), Folder(str(out))
    remote._remote = LocalFileSystem()  # read as an object store is read
    path = next(path.relative_to(out).as_posix() for path in (out / "data").rglob("*.parquet"))
    columns = ("image", "label", "flow", "boxes")
    near, far = open_shard(local, path, columns), open_shard(remote, path, columns)
    for index in range(2):
        assert near.read(index) == far.read(index)
    columns = ["variant", "edge_f1"]
    assert near.read_values(columns) == far.read_values(columns)


def test_wrong_names_say_what_there_is(convert_streets, tmp_path):
    out = str(convert_streets(format="parquet", variants=2))
    with pytest.raises(UsageError) as wrong:
        open_dataset(out, split="trian")
    assert wrong.value.hint == "did you mean train?"
    with pytest.raises(UsageError, match="column 'detph'"):
        open_dataset(out, columns=["detph"])
    with pytest.raises(OutputError, match="not a dataset"):
        open_dataset(str(tmp_path))


def test_importing_the_package_loads_no_torch():
    code = "import sys, sflow_pipeline; assert not {'torch', 'cv2', 'ray', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_label_space_of_ones_own_travels_with_the_dataset(convert_streets, tmp_path):
    space = describe_label_space(load_label_space("cityscapes19"))
    space.update(name="ours", also_void_ids=[254])
    space["classes"][3]["also_colors"] = [[1, 2, 3]]
    path = tmp_path / "ours.yaml"
    path.write_text(json.dumps(space))
    expected = load_label_space(path)
    out = convert_streets(label_space=str(path))
    path.unlink()
    assert open_dataset(str(out)).label_space == expected
    assert DatasetPhotos(str(out)).label_space == expected


def test_a_dataset_of_format_2_is_read(convert_streets):
    """Its manifest names the simulator alone where today's names how labels and instances are stored."""
    out = convert_streets()
    today = open_dataset(str(out))
    manifest = json.loads((out / "manifest.json").read_text())
    for name in ("label_table_format", "instance_encoding"):
        del manifest["source"][name]
    manifest["source"]["label_rule"] = None
    manifest = {**manifest, "format_version": 2, "left_out": {}}
    (out / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k not in ("variants", "seed")}))
    found = open_dataset(str(out))
    assert len(found) == len(today) and np.array_equal(found[0].label, today[0].label)


@pytest.mark.parametrize("dtype", [">f4", ">u2", ">i4"])
def test_arrays_of_the_other_byte_order_become_tensors(dtype: str) -> None:
    depth = np.array([[1, 258], [3, 40000]], dtype)
    sample = Sample("s/1", "s", 1, 0, "train", "1.png", Scores(1.0), {"depth": depth})
    assert sample.to_tensors()["depth"].tolist() == depth.tolist()
