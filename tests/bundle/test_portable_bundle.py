"""`models export`: files that other runtimes run to the same images, their card, and what is refused."""

import hashlib
import json
import re
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from sflow_pipeline.bundle import Bundle, build_random_bundle, load_bundle
from sflow_pipeline.bundle.portable import FORMATS
from sflow_pipeline.bundle.portable.portable_bundle import export_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import MissingExtraError, OutputError, UsageError


def build(folder: Path, **generator: Any) -> Bundle:
    fields = {"name": "small", "generator": {"width": 9, "blocks": 1, **generator}, "dned": {"widths": (4,) * 5}}
    return build_random_bundle(folder, 1, Recipe.model_validate(fields))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = {"use_palette": True, "use_appearance": True, "upsampling": "bilinear"}
    return build(tmp_path_factory.mktemp("bundle") / "small", **options)


@pytest.fixture(scope="module")
def folders(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Exports by format."""
    root = tmp_path_factory.mktemp("export")
    for to in FORMATS:
        assert export_bundle(bundle, root / to, to).difference < 0.01
    return {to: root / to for to in FORMATS}


@pytest.fixture
def exported(folders: dict[str, Path]) -> Path:
    return folders["onnx"]


class OnnxSession:
    """ONNX's own reference implementation under the interface of ONNX Runtime."""

    def __init__(self, path: str) -> None:
        self._evaluator = ReferenceEvaluator(path)

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self._evaluator.run(names, inputs)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("size_px", [(64, 48), (41, 30)])
def test_the_cards_example_gives_what_convert_paints(bundle, folders, to, size_px, monkeypatch):
    exported = folders[to]
    rng = np.random.default_rng(3)
    width, height = size_px
    render = rng.integers(0, 256, (height, width, 3), np.uint8)
    class_index = rng.integers(0, bundle.label_space.num_classes, (height, width), np.uint8)
    example = re.search(r"```python\n(.*?)```", (exported / "README.md").read_text(), flags=re.S)
    assert example is not None
    monkeypatch.setitem(sys.modules, "onnxruntime", types.SimpleNamespace(InferenceSession=OnnxSession))
    monkeypatch.chdir(exported)
    names: dict[str, Any] = {"render": render, "class_index": class_index}
    exec(example[1], names)  # noqa: S102  the example of the card
    ids = np.array([item.id for item in bundle.label_space.classes])[class_index]
    expected = bundle.paint(render, ids, appearance=0.0, device="cpu", precision="fp32")
    assert names["image"][0].shape == expected.shape
    difference = np.abs(names["image"][0].astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    assert expected.std() > 1  # it is a picture of something


def test_the_file_is_valid_and_of_any_size(exported):
    model = onnx.load(exported / "networks.onnx")
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes["render"] == ["batch", "height", "width", 3]
    assert shapes["colors"] == ["batch", 3, "height", "width"]
    assert list(shapes) == ["render", "class_index", "alpha", "colors", "image", "edge"]


@pytest.mark.parametrize("to", FORMATS)
def test_interface_and_card_say_what_it_is(bundle, folders, to):
    exported = folders[to]
    interface = json.loads((exported / "interface.json").read_text())
    assert interface["format"] == to
    assert interface["bundle"]["digest"] == bundle.digest
    assert interface["channels"] == [item.name for item in bundle.label_space.classes]
    assert np.shape(interface["palettes"]) == (4, bundle.label_space.num_classes, 3)
    card = (exported / "README.md").read_text()
    assert interface["files"]
    for name, digest in interface["files"].items():
        assert digest == hashlib.sha256((exported / name).read_bytes()).hexdigest()
        assert digest[:16] in card
    assert bundle.digest[:16] in card


def test_a_bundle_without_palettes_has_no_colours(tmp_path):
    dest = tmp_path / "dest"
    export_bundle(build(tmp_path / "bundle"), dest, "onnx")
    assert "colors" not in json.loads((dest / "interface.json").read_text())["inputs"]
    assert [value.name for value in onnx.load(dest / "networks.onnx").graph.input] == ["render", "class_index", "alpha"]


def test_exported_again_it_is_the_same_file(bundle, exported):
    before = (exported / "networks.onnx").read_bytes()
    export_bundle(bundle, exported, "onnx")
    assert (exported / "networks.onnx").read_bytes() == before


def test_no_file_tells_where_it_was_made(folders):
    here = str(Path(__file__).parents[2]).encode()
    for path in (path for folder in folders.values() for path in folder.iterdir()):
        data = path.read_bytes()
        parts = [data]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts += [archive.read(name) for name in archive.namelist()]
        assert not any(here in part for part in parts), path.name


def test_without_the_extra_nothing_is_written(bundle, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError) as caught:
        export_bundle(bundle, tmp_path / "dest", "onnx")
    assert "sflow-pipeline[export]" in (caught.value.hint or "")
    assert not (tmp_path / "dest").exists()


def test_a_folder_with_other_files_is_left_alone(bundle, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds mine"):
        export_bundle(bundle, tmp_path, "onnx")
    with pytest.raises(UsageError, match="is a file"):
        export_bundle(bundle, tmp_path / "mine.txt", "onnx")
    with pytest.raises(OutputError, match="mine"):
        export_bundle(bundle, tmp_path / "mine.txt" / "dest", "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("interface", ['{"a": 1}', "no JSON", None])
def test_files_of_an_exports_names_are_left_alone(bundle, tmp_path, interface):
    (tmp_path / "README.md").write_text("my notes")
    if interface is not None:
        (tmp_path / "interface.json").write_text(interface)
    with pytest.raises(UsageError, match="no file of an earlier export"):
        export_bundle(bundle, tmp_path, "torchscript")
    assert (tmp_path / "README.md").read_text() == "my notes"


def test_torchscript_needs_no_extra(bundle, tmp_path, monkeypatch):
    for name in ("openvino", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    export_bundle(bundle, tmp_path / "dest", "torchscript")
    assert (tmp_path / "dest" / "networks.pt").is_file()


def test_a_folder_with_an_export_to_another_format_is_left_alone(bundle, folders):
    before = sorted(path.name for path in folders["openvino"].iterdir())
    with pytest.raises(UsageError, match=r"networks\.bin, which is no file of an earlier export to torchscript"):
        export_bundle(bundle, folders["openvino"], "torchscript")
    assert sorted(path.name for path in folders["openvino"].iterdir()) == before


@pytest.mark.parametrize(
    ("field", "said"), [("use_instances", "instance boundaries"), ("use_previous", "the image before")]
)
def test_a_bundle_that_needs_more_than_a_frame_is_refused_with_a_way_out(tmp_path, field, said):
    with pytest.raises(UsageError, match=said) as caught:
        export_bundle(build(tmp_path / "bundle", **{field: True}), tmp_path / "dest", "onnx")
    assert f"generator.{field}: false" in (caught.value.hint or "")
    assert not (tmp_path / "dest").exists()


def test_a_generator_that_gives_another_size_elsewhere_is_refused(tmp_path):
    with pytest.raises(UsageError, match="kind unet cannot be exported") as caught:
        export_bundle(build(tmp_path / "bundle", kind="unet"), tmp_path / "dest", "onnx")
    assert "kind: compact" in (caught.value.hint or "")
    assert not (tmp_path / "dest").exists()


def test_the_shipped_bundle_is_exported(tmp_path):
    assert export_bundle(load_bundle("sflow"), tmp_path / "dest", "onnx").difference < 1
