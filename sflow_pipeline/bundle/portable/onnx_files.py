"""ONNX file of a bundle's networks, in fp32, for any batch and frame size; compared with torch by OpenVINO."""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.bundle.portable.format import Inputs, PortableFormat, Run
from sflow_pipeline.bundle.portable.networks import PortableNetworks
from sflow_pipeline.errors import MissingExtraError

OPSET = 18
FILE = "networks.onnx"


def build(networks: PortableNetworks, example: Inputs) -> dict[str, bytes]:
    """``networks.onnx``."""
    frames = {0: "batch", 1: "height", 2: "width"}
    axes = {"render": frames, "class_index": frames, "alpha": {0: "batch"}, "image": frames, "edge": frames}
    if "colors" in example:
        axes["colors"] = {0: "batch", 2: "height", 3: "width"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are dynamic below
        path = Path(folder, FILE)
        # The exporter by tracing: the newer one cannot leave batch, height and width open for these networks.
        torch.onnx.export(
            networks,
            tuple(torch.from_numpy(array) for array in example.values()),
            str(path),
            input_names=list(example),
            output_names=["image", "edge"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        return {FILE: path.read_bytes()}


def open_files(files: Mapping[str, bytes]) -> Run:
    """See ``PortableFormat.open``; by OpenVINO, which reads ONNX."""
    import openvino

    return open_in_openvino(openvino.Core().read_model(files[FILE]))


def open_in_openvino(model: Any) -> Run:
    """An OpenVINO model in fp32; by default it is bf16 where the processor has it."""
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(model, "CPU", hints)

    def run(inputs: Inputs) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        found = compiled(inputs)
        return np.array(found["image"]), np.array(found["edge"])

    return run


def check_extra() -> None:
    """ONNX and OpenVINO.

    Raises:
        MissingExtraError: one is not installed.
    """
    try:
        import onnx  # noqa: F401  torch writes with it
        import openvino  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"models export needs ONNX and OpenVINO, which compares the file with torch ({error})",
            hint="pip install -c constraints.txt 'sflow-pipeline[export]', or export --to torchscript",
        ) from error


_EXAMPLE = """import onnxruntime
session = onnxruntime.InferenceSession("networks.onnx")
def run(inputs):
    return session.run(None, inputs)
"""

FORMAT = PortableFormat("ONNX", (FILE,), build, open_files, "openvino", _EXAMPLE, check_extra=check_extra)
