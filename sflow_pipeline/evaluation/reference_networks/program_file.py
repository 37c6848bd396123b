"""Network files that hold a program as well as weights: TorchScript and ONNX.

A TorchScript file holds code as well as weights. It is loaded only from a path that the user named, by
``torch.jit.load``, which reads TorchScript and nothing else (no Python pickle); still, like any program, it should
come from someone you trust. ``sha256`` in its YAML pins the file you looked at.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sflow_pipeline.errors import MissingExtraError, UsageError, first_line
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec

Network = Callable[[Tensor], Tensor]


PURPOSES = ("judge", "extractor")


def describe(path: Path) -> dict[str, Any] | None:
    """See ``NetworkKind``; a program says nothing about its input."""
    return None if path.suffix == ".safetensors" else {}


def load(spec: NetworkSpec, device: str) -> Network:
    """See ``NetworkKind``.

    Raises:
        UsageError: the file is no such network.
        MissingExtraError: ONNX, and OpenVINO is not installed.
    """
    path = Path(spec.file)
    return _load_onnx(path) if path.suffix == ".onnx" else _load_torchscript(path, device)


def _load_torchscript(path: Path, device: str) -> Network:
    try:
        module = torch.jit.load(str(path), map_location=device)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{path}: not a TorchScript file ({first_line(error)})",
            hint="save the network with torch.jit.trace(...).save(...), or as ONNX; pickled checkpoints are not read",
        ) from error
    module.eval()

    return lambda batch: _first_tensor(_run(module, batch, path), path)


def _load_onnx(path: Path) -> Network:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: ONNX files need OpenVINO", hint="pip install 'sflow-pipeline[export]', or give a TorchScript file"
        ) from error
    try:
        # By default it computes in bfloat16 where the processor can, and results must not depend on the machine.
        model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise UsageError(
            f"{path}: not an ONNX network ({first_line(error)})", hint="export the network again"
        ) from error

    def compute(batch: Tensor) -> Tensor:
        answer = model(batch.cpu().numpy())[model.output(0)]
        return torch.from_numpy(answer).to(batch.device)

    return lambda batch: _run(compute, batch, path)


def _run(network: Callable[[Tensor], Any], batch: Tensor, path: Path) -> Any:
    try:
        return network(batch)
    except RuntimeError as error:
        size = f"{batch.shape[-1]}x{batch.shape[-2]}"
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"{path}: fails on a {size} picture ({said[-1]})",
            hint="give the input size that it was made for",
        ) from error


def _first_tensor(answer: object, path: Path) -> Tensor:
    if isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor):
        raise UsageError(f"{path}: returned {type(answer).__name__}, expected a tensor", hint="trace the bare network")
    return answer
