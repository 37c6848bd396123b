"""TorchScript file of a bundle's networks, in fp32, for any batch and frame size: for torch in C++."""

import io
import warnings
import zipfile
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.bundle.portable.format import Inputs, PortableFormat, Run
from sflow_pipeline.bundle.portable.networks import PortableNetworks

FILE = "networks.pt"


def build(networks: PortableNetworks, example: Inputs) -> dict[str, bytes]:
    """``networks.pt``, traced and frozen."""
    inputs = tuple(torch.from_numpy(array) for array in example.values())
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that stay dynamic, and that torch.export is newer
        traced = torch.jit.trace(networks, inputs, check_trace=False)
        torch.jit.save(torch.jit.freeze(traced), stream)
    return {FILE: _drop_source_lines(stream.getvalue())}


def open_files(files: Mapping[str, bytes]) -> Run:
    """See ``PortableFormat.open``; by TorchScript's interpreter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(io.BytesIO(files[FILE]))

    def run(inputs: Inputs) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        with torch.no_grad():
            image, edge = module(*(torch.from_numpy(array) for array in inputs.values()))
        return image.contiguous().numpy(), edge.numpy()

    return run


def _drop_source_lines(data: bytes) -> bytes:
    """The archive without the tables that say where in the source each operation was traced: they hold local paths."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(stream, "w") as after:
        for item in before.infolist():
            if not item.filename.endswith(".debug_pkl"):
                after.writestr(zipfile.ZipInfo(item.filename), before.read(item))
    return stream.getvalue()


_EXAMPLE = """import torch
module = torch.jit.load("networks.pt")  # in C++: torch::jit::load("networks.pt")
def run(inputs):
    with torch.no_grad():
        return [value.numpy() for value in module(*map(torch.from_numpy, inputs.values()))]
"""
_REMARK = """It takes `render`, `class_index`, `alpha` and, where the interface names it, `colors`, in this order, on
the CPU. torch recommends `torch.export` for new programs; its graphs of these networks have one fixed size.
"""

FORMAT = PortableFormat("TorchScript", (FILE,), build, open_files, "torch", _EXAMPLE, _REMARK)
