"""The dataset as other libraries read it, without this package: labels are the simulator's, byte for byte."""

import hashlib
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest


def list_source_labels(dump: Path) -> Counter[str]:
    """Digests of the dump's labels, twice each for the dataset's two variants."""
    return Counter({hashlib.sha256(path.read_bytes()).hexdigest(): 2 for path in dump.glob("*/semantic/*.png")})


def test_hugging_face_datasets(convert_streets, street_dump, tmp_path):
    out = convert_streets(format="parquet", variants=2)
    files = {"train": str(out / "data" / "train" / "*.parquet")}
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert np.array(loaded[0]["label"]).shape == (48, 96)
    raw = loaded.cast_column("label", datasets.Image(decode=False))
    found = Counter(hashlib.sha256(row["label"]["bytes"]).hexdigest() for row in raw)
    assert found == list_source_labels(street_dump) and found.total() == 16


@pytest.mark.ray
def test_ray_data(convert_streets, street_dump):
    ray = pytest.importorskip("ray")
    out = convert_streets(format="parquet", variants=2)
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        rows = ray.data.read_parquet(str(out / "data" / "train")).take_all()
    finally:
        ray.shutdown()
    found = Counter(hashlib.sha256(row["label"]["bytes"]).hexdigest() for row in rows)
    assert found == list_source_labels(street_dump) and found.total() == 16
