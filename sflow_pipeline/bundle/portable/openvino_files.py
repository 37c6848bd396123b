"""OpenVINO model of a bundle's networks, in fp32, for any batch and frame size; made of the ONNX file."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sflow_pipeline.bundle.portable import onnx_files
from sflow_pipeline.bundle.portable.format import Inputs, PortableFormat, Run
from sflow_pipeline.bundle.portable.networks import PortableNetworks

FILES = ("networks.xml", "networks.bin")


def build(networks: PortableNetworks, example: Inputs) -> dict[str, bytes]:
    """``networks.xml`` with the graph and ``networks.bin`` with the weights, as they are: not rounded to fp16."""
    import openvino

    data = onnx_files.build(networks, example)[onnx_files.FILE]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, FILES[0])
        openvino.save_model(openvino.Core().read_model(data), path, compress_to_fp16=False)
        return {name: Path(folder, name).read_bytes() for name in FILES}


def open_files(files: Mapping[str, bytes]) -> Run:
    """See ``PortableFormat.open``."""
    import openvino

    graph, weights = (files[name] for name in FILES)
    return onnx_files.open_in_openvino(openvino.Core().read_model(graph, weights))


_EXAMPLE = """import openvino
hints = {"INFERENCE_PRECISION_HINT": "f32"}
model = openvino.Core().compile_model("networks.xml", "CPU", hints)
def run(inputs):
    found = model(inputs)
    return found["image"], found["edge"]
"""
_REMARK = """The weights are fp32, and the hint `f32` keeps the arithmetic so. With `bf16`, which is what OpenVINO does
without a hint where the processor has it, images of the default bundle differ by 0.2 grey levels on average.
"""

FORMAT = PortableFormat("OpenVINO", FILES, build, open_files, "openvino", _EXAMPLE, _REMARK, onnx_files.check_extra)
