"""ONNX file of a bundle's networks, for runtimes other than torch: edge extractor, DNED and generator as one graph."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.errors import MissingExtraError, UsageError, first_line
from sflow_pipeline.networks.dned import fuse_sides
from sflow_pipeline.networks.edges import extract_edges
from sflow_pipeline.tensors import to_bytes

OPSET = 18
#: Of the example that is traced; no multiple of the strides, so that padding is part of the graph.
_EXAMPLE_SIZE_PX = (72, 56)
#: Sizes at which the file is compared with torch: another one, and whole strides.
_CHECKED_SIZES_PX = ((131, 97), (128, 64))
#: Mean difference to torch, in grey levels, above which a file is not written.
MOST_DIFFERENCE = 1.0


class PortableNetworks(nn.Module):
    """Edge extractor, DNED and generator from bytes to bytes, as ``Translator.translate`` runs them.

    Args:
        translator: of a bundle, on the CPU in fp32.
    """

    channels: Tensor

    def __init__(self, translator: Translator) -> None:
        super().__init__()
        self.dned, self.generator = translator.networks
        self._threshold = translator.threshold
        self.register_buffer("channels", torch.arange(translator.classes, dtype=torch.uint8).view(1, -1, 1, 1))

    def forward(
        self, render: Tensor, class_index: Tensor, alpha: Tensor, colors: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Images and edges.

        Args:
            render: (b, h, w, 3) uint8 RGB.
            class_index: (b, h, w) uint8 channel of each pixel's class.
            alpha: (b, 5) ensemble weights of DNED's sides.
            colors: (b, 3, h, w) in [-1, 1], for bundles with palettes: each pixel in the colour of its class.

        Returns:
            (b, h, w, 3) uint8 RGB and (b, h, w) uint8 edge strength.
        """
        edges = extract_edges(render.permute(0, 3, 1, 2), self._threshold)
        edge = fuse_sides(self.dned(edges), alpha)
        planes = [class_index[:, None].eq(self.channels).float(), *([] if colors is None else [colors])]
        image = to_bytes(self.generator(torch.cat(planes, dim=1), edge)).permute(0, 2, 3, 1)
        return image, (edge[:, 0] * 255.0).round().to(torch.uint8)


def build_onnx_file(bundle: Bundle) -> tuple[bytes, float]:
    """The networks of a bundle as an ONNX file for any batch and frame size, in fp32.

    Returns:
        the file, and its mean difference to torch in grey levels, run by OpenVINO on random frames of two sizes.

    Raises:
        MissingExtraError: ONNX or OpenVINO is not installed.
        UsageError: the bundle's networks cannot be exported.
        BundleError: its weights are damaged.
    """
    openvino = _load_openvino()
    recipe = bundle.recipe.generator
    for field, what in (("use_instances", "instance boundaries"), ("use_previous", "the image before")):
        if getattr(recipe, field) is True:
            raise UsageError(
                f"bundle {bundle.name}: paints from {what}, which the exported graph has no input for",
                hint=f"convert with sflow-pipeline, or export a bundle that was trained with generator.{field}: false",
            )
    translator = Translator(bundle, "cpu", "fp32")
    networks = PortableNetworks(translator).eval()
    has_colors = recipe.use_palette
    example = draw_inputs(translator.classes, _EXAMPLE_SIZE_PX, has_colors=has_colors)
    try:
        data = _trace(networks, example)
        difference = max(
            _compare(openvino, data, networks, draw_inputs(translator.classes, size_px, has_colors=has_colors, batch=2))
            for size_px in _CHECKED_SIZES_PX
        )
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"bundle {bundle.name}: a generator of kind {recipe.kind} cannot be exported ({first_line(error)})",
            hint="export a bundle with generator.kind: compact, the default",
        ) from error
    if difference > MOST_DIFFERENCE:
        raise UsageError(
            f"bundle {bundle.name}: the ONNX file differs from torch by {difference:.2f} grey levels on average, "
            f"more than {MOST_DIFFERENCE:g}",
            hint="install the tested versions, pip install -c constraints.txt 'sflow-pipeline[export]', and try again",
        )
    return data, difference


def draw_inputs(classes: int, size_px: tuple[int, int], *, has_colors: bool, batch: int = 1) -> dict[str, NDArray[Any]]:
    """Random inputs of the graph by name, with areas of one class and one tone as frames have them."""
    rng = np.random.default_rng(0)
    width, height = size_px
    cells = (batch, -(-height // 8), -(-width // 8))

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(values.repeat(8, 1).repeat(8, 2)[:, :height, :width])

    noise = rng.integers(0, 12, (batch, height, width, 3))
    inputs = {
        "render": (spread(rng.integers(0, 240, (*cells, 3))) + noise).astype(np.uint8),
        "class_index": spread(rng.integers(0, classes, cells).astype(np.uint8)),
        "alpha": rng.dirichlet(np.ones(5), batch).astype(np.float32),
    }
    if has_colors:
        inputs["colors"] = spread(rng.uniform(-1, 1, (*cells, 3)).astype(np.float32)).transpose(0, 3, 1, 2).copy()
    return inputs


def _trace(networks: PortableNetworks, example: dict[str, NDArray[Any]]) -> bytes:
    frames = {0: "batch", 1: "height", 2: "width"}
    axes = {"render": frames, "class_index": frames, "alpha": {0: "batch"}, "image": frames, "edge": frames}
    if "colors" in example:
        axes["colors"] = {0: "batch", 2: "height", 3: "width"}
    inputs = tuple(torch.from_numpy(array) for array in example.values())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are dynamic below
        path = Path(folder, "networks.onnx")
        # The exporter by tracing: the newer one cannot leave batch, height and width open for these networks.
        torch.onnx.export(
            networks,
            inputs,
            str(path),
            input_names=list(example),
            output_names=["image", "edge"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def _compare(openvino: Any, data: bytes, networks: PortableNetworks, inputs: dict[str, NDArray[Any]]) -> float:
    """Mean difference of the file's images to torch's, in grey levels."""
    # By default it computes in bfloat16 where the processor can.
    core = openvino.Core()
    model = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model(inputs)["image"]
    with torch.inference_mode():
        expected, _edge = networks(*(torch.from_numpy(array) for array in inputs.values()))
    return float(np.abs(found.astype(np.int16) - expected.numpy()).mean())


def _load_openvino() -> Any:
    try:
        import onnx  # noqa: F401  torch writes with it
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            f"models export needs ONNX and OpenVINO, which compares the file with torch ({error})",
            hint="pip install -c constraints.txt 'sflow-pipeline[export]'",
        ) from error
    return openvino
