"""The column table is the only list of columns: one more entry and a carried file travels from dump to sample."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np

from sflow_pipeline.columns import COLUMNS, MODALITIES, OPTIONAL_COLUMNS, SCORE_COLUMNS, Column
from sflow_pipeline.dataset.sample import Scores

#: What adding the column `normals` to the table does, in a process of its own.
SCRIPT = """
import sys
import numpy as np
import sflow_pipeline.columns as table
from pathlib import Path

source = Path(table.__file__).read_text()
entry = '_carried_plane("normals", (".png", ".npy"), 1.5),'
source = source.replace('    Column("edge",', f'    {entry}\\n    Column("edge",')
exec(compile(source, table.__file__, "exec"), vars(table))

from sflow_pipeline import convert, open_dataset
from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.inspection.inspect_dump import inspect_dump

sim, out = sys.argv[1:]
bundle = build_random_bundle(Path(out) / "bundle", seed=3)
assert inspect_dump(sim, bundle=str(bundle.path)).modalities == ("render", "label", "normals")
options = dict(bundle=str(bundle.path), precision="fp32", workers=1, show_progress=False)
jobs = {"all": {}, "small": {"size": "24x16"}, "some": {"include": ["edge"]}, "tree": {"format": "png"}}
for name, more in jobs.items():
    summary = convert(sim, f"{out}/{name}", **options, **more)
    assert summary.status == "clean", summary
    assert verify(f"{out}/{name}").problems == ()
normals = np.load(f"{sim}/town/normals/0000.npy")
assert np.array_equal(open_dataset(f"{out}/all")[0].normals, normals)
assert np.array_equal(open_dataset(f"{out}/tree")[0].normals, normals)
assert np.array_equal(open_dataset(f"{out}/small")[0].normals, normals[1::2, 1::2])
assert open_dataset(f"{out}/some")[0].normals is None
tensors = open_dataset(f"{out}/all", columns=["normals"])[0].to_tensors()
assert tensors["normals"].shape == (3, 32, 48)
"""


def test_a_carried_column_is_one_entry(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("rgb", "semantic", "normals"):
        (tmp_path / "sim/town" / kind).mkdir(parents=True)
    for frame in ("0000", "0001"):
        cv2.imwrite(str(tmp_path / f"sim/town/rgb/{frame}.png"), rng.integers(0, 256, (32, 48, 3), np.uint8))
        cv2.imwrite(str(tmp_path / f"sim/town/semantic/{frame}.png"), np.full((32, 48), 3, np.uint8))
        np.save(tmp_path / f"sim/town/normals/{frame}.npy", rng.normal(size=(32, 48, 3)).astype(np.float32))
    (tmp_path / "sim/dataset.yaml").write_text("label_space: camvid11\n")
    (tmp_path / "out").mkdir()
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "sim"), str(tmp_path / "out")], check=True)


def test_names_are_unique_and_what_is_optional_is_content() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    by_name = {column.name: column for column in COLUMNS}
    assert all(by_name[name].group == "content" and not by_name[name].required for name in OPTIONAL_COLUMNS)
    assert all(by_name[name].carried for name in MODALITIES)
    assert isinstance(by_name["flow"], Column) and by_name["flow"].is_motion


def test_every_score_is_a_field_of_samples() -> None:
    assert tuple(item.name for item in fields(Scores)) == SCORE_COLUMNS
