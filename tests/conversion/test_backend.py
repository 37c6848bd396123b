"""`--backend`: exported networks in torch's place; the same images within a grey level, labels as they were."""

import hashlib
import importlib.util
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ray import cloudpickle

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.portable import FORMATS
from sflow_pipeline.bundle.portable.exported_networks import read_export
from sflow_pipeline.bundle.portable.portable_bundle import export_bundle
from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.conversion.job.backend import build_export_factory
from sflow_pipeline.errors import MissingExtraError, SflowError, UsageError


@pytest.fixture(scope="module")
def exports(appearance_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Exports by format."""
    root, bundle = tmp_path_factory.mktemp("exports"), load_bundle(appearance_bundle)
    for to in FORMATS:
        export_bundle(bundle, root / to, to)
    return {to: root / to for to in FORMATS}


@pytest.fixture
def make_palette_job(make_job, appearance_bundle):
    return lambda **fields: make_job(bundle=str(appearance_bundle), appearance="palette", **fields)


def decode(value: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(value["bytes"]))).astype(int)


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_converts_as_torch_does(make_palette_job, exports, to, read_dataset, tmp_path):
    options = {"limit": 3, "variants": 2, "palette": "drawn"}
    for name, backend in (("torch", None), ("export", str(exports[to]))):
        summary = convert(make_palette_job(out_dir=str(tmp_path / name), backend=backend, **options))
        assert (summary.status, summary.device, summary.precision) == ("clean", "cpu", "fp32")
    usual, other = (read_dataset(tmp_path / name) for name in ("torch", "export"))
    assert len(usual) == len(other) == 6
    for before, after in zip(usual, other, strict=True):
        assert (after["sample_id"], after["variant"]) == (before["sample_id"], before["variant"])
        assert after["label"]["bytes"] == before["label"]["bytes"]
        for column in ("image", "edge"):
            difference = np.abs(decode(after[column]) - decode(before[column]))
            assert difference.max() <= 1
            assert difference.mean() < 0.05
        assert decode(after["image"]).std() > 1  # a picture of something
    images = {row["image"]["bytes"] for row in other}
    assert len(images) == 6  # variants and frames differ


def test_workers_elsewhere_need_no_folder(appearance_bundle, exports, tmp_path):
    folder, bundle = tmp_path / "export", load_bundle(appearance_bundle)
    shutil.copytree(exports["torchscript"], folder)
    carried = cloudpickle.dumps(build_export_factory(read_export(folder, bundle, "random"), bundle))
    shutil.rmtree(folder)
    translator = cloudpickle.loads(carried)()
    render, class_index = np.full((2, 24, 40, 3), 90, np.uint8), np.zeros((2, 24, 40), np.uint8)
    class_index[1, :, 20:] = 3
    both = translator.translate(class_index, render, np.full((2, 5), 0.2, np.float32))
    assert (both.photo.shape, both.edge.shape) == ((2, 24, 40, 3), (2, 24, 40))
    alone = translator.translate(class_index[1:], render[1:], np.full((1, 5), 0.2, np.float32))
    np.testing.assert_array_equal(alone.photo[0], both.photo[1])


def test_a_dataset_of_torch_is_converted_again_and_then_kept(make_palette_job, exports):
    convert(make_palette_job(limit=3))
    job = make_palette_job(limit=3, backend=str(exports["torchscript"]))
    plan = plan_conversion(job)
    assert len(plan.tasks) == 1
    assert convert(job).status == "clean"
    assert not plan_conversion(job).tasks
    assert len(plan_conversion(make_palette_job(limit=3)).tasks) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"appearance": "auto"}, "appearance auto follows renders"),
        ({"appearance": 0.5}, "appearance 0.5 follows renders"),
        ({"precision": "bf16"}, "precision is bf16"),
        ({"shifts": 2}, "shifts is 2"),
        ({"bundle": "sflow"}, "and the job converts with sflow"),
    ],
)
def test_what_an_export_cannot_do_is_refused(make_job, appearance_bundle, exports, fields, said, tmp_path):
    stated = {"bundle": str(appearance_bundle), "appearance": "palette", **fields}
    with pytest.raises(UsageError, match=said) as caught:
        convert(make_job(**stated, backend=str(exports["onnx"])))
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def _cut(folder: Path) -> None:
    (folder / "networks.onnx").write_bytes((folder / "networks.onnx").read_bytes()[:1000])


def _remove(folder: Path) -> None:
    (folder / "networks.onnx").unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _nonsense(folder: Path) -> None:
    (folder / "interface.json").write_text('{"format": ["onnx"], "files": 3}')


def _no_json(folder: Path) -> None:
    (folder / "interface.json").write_bytes(b"\xff{")


def _unknown_format(folder: Path) -> None:
    content = json.loads((folder / "interface.json").read_text())
    (folder / "interface.json").write_text(json.dumps({**content, "format": "../coreml"}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "networks.onnx is not the file"),
        (_remove, "networks.onnx cannot be read"),
        (_empty, "no folder of `models export`"),
        (_nonsense, "interface.json is damaged"),
        (_no_json, "interface.json is damaged"),
        (_unknown_format, "interface.json is damaged"),
    ],
)
def test_a_damaged_export_is_refused_with_the_command_that_writes_it(make_palette_job, exports, damage, said, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(exports["onnx"], folder)
    damage(folder)
    with pytest.raises(UsageError, match=said) as caught:
        convert(make_palette_job(backend=str(folder)))
    assert f"{folder} --to o" in (caught.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_written_to(make_palette_job, dump):
    with pytest.raises(UsageError, match="no folder of `models export`") as caught:
        convert(make_palette_job(backend=str(dump.root)))
    assert f"{dump.root}-openvino --to openvino" in (caught.value.hint or "")


def test_a_file_that_its_runtime_does_not_take_is_one_sentence(make_palette_job, exports, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(exports["onnx"], folder)
    (folder / "networks.onnx").write_bytes(b"no model")
    content = json.loads((folder / "interface.json").read_text())
    content["files"]["networks.onnx"] = hashlib.sha256(b"no model").hexdigest()
    (folder / "interface.json").write_text(json.dumps(content))
    with pytest.raises(SflowError, match="openvino does not run its ONNX files here") as caught:
        convert(make_palette_job(backend=str(folder)))
    assert "\n" not in str(caught.value.message)


def test_a_runtime_that_is_not_installed_is_named(make_palette_job, exports, monkeypatch, tmp_path):
    genuine = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "openvino" else genuine(name))
    with pytest.raises(MissingExtraError, match="openvino, which runs OpenVINO files, is not installed") as caught:
        convert(make_palette_job(backend=str(exports["openvino"])))
    assert "sflow-pipeline[export]" in (caught.value.hint or "")
    assert not (tmp_path / "out").exists()
