"""An ONNX network gives the result of the same network as TorchScript."""

from pathlib import Path

import numpy as np
import pytest

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.label_spaces import load_label_space

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")


def save_onnx(path: Path) -> Path:
    """The colour segmenter of the other tests, built node by node."""
    space = load_label_space("camvid11")
    colors = np.array([item.color for item in space.classes if item.id != space.void_id], np.float32)
    weight = onnx.numpy_helper.from_array(2 * colors[:, :, None, None], "weight")
    bias = onnx.numpy_helper.from_array(-(colors**2).sum(axis=1), "bias")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["image", "weight", "bias"], ["scores"])],
        "colors",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, 48, 64])],
        [onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [1, 11, 48, 64])],
        [weight, bias],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_onnx_judge_sees_what_the_torchscript_one_sees(tmp_path: Path, judge_file: Path) -> None:
    spec = NetworkSpec(file=str(save_onnx(tmp_path / "judge.onnx")), size_px=(64, 48), label_space="camvid11")
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    first = ReferenceSegmenter(spec, "cpu").predict(photo, (64, 48))
    second = ReferenceSegmenter(load_network_spec(judge_file, what="judge"), "cpu").predict(photo, (64, 48))
    assert len(np.unique(first)) > 5
    assert np.array_equal(first, second)


def test_a_size_that_the_network_was_not_made_for_is_named(tmp_path: Path) -> None:
    spec = NetworkSpec(file=str(save_onnx(tmp_path / "judge.onnx")), size_px=(32, 48), label_space="camvid11")
    with pytest.raises(UsageError, match=r"judge\.onnx: fails on a 32x48 picture"):
        ReferenceSegmenter(spec, "cpu").predict(np.zeros((48, 64, 3), np.uint8), (64, 48))
