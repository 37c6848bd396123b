"""Files of a bundle's networks in a portable format, compared with torch before anything is written."""

import importlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.portable.format import Inputs, PortableFormat
from sflow_pipeline.bundle.portable.networks import PortableNetworks
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.errors import UsageError, first_line

#: Of the example that is traced; no multiple of the strides, so that padding is part of the graph.
_EXAMPLE_SIZE_PX = (72, 56)
#: Sizes at which the files are compared with torch: another one, and whole strides.
_CHECKED_SIZES_PX = ((131, 97), (128, 64))
#: Mean difference to torch, in grey levels, above which nothing is written.
MOST_DIFFERENCE = 1.0


def load_format(name: str) -> PortableFormat:
    """The format of a name in ``FORMATS``."""
    found: PortableFormat = importlib.import_module(f"sflow_pipeline.bundle.portable.{name}_files").FORMAT
    return found


def build_network_files(bundle: Bundle, portable: PortableFormat) -> tuple[dict[str, bytes], float]:
    """The networks that paint from labels and edges alone, for any batch and frame size, in fp32.

    Returns:
        the files by name, and their mean difference to torch in grey levels, on random frames of two sizes.

    Raises:
        MissingExtraError: the format needs something that is not installed.
        UsageError: the bundle's networks cannot be exported.
        BundleError: its weights are damaged.
    """
    portable.check_extra()
    bundle = bundle.for_labels_alone
    recipe = bundle.recipe.generator
    for field, what in (("use_instances", "instance boundaries"), ("use_previous", "the image before")):
        if getattr(recipe, field) is True:
            raise UsageError(
                f"bundle {bundle.name}: paints from {what}, which the exported graph has no input for",
                hint=f"convert with sflow-pipeline, or export a bundle that was trained with generator.{field}: false",
            )
    translator = Translator(bundle, "cpu", "fp32")
    networks = PortableNetworks(translator).eval()

    def draw(size_px: tuple[int, int], batch: int) -> Inputs:
        return draw_inputs(translator.classes, size_px, has_colors=recipe.use_palette, batch=batch)

    try:
        files = portable.build(networks, draw(_EXAMPLE_SIZE_PX, 1))
        difference = max(_compare(portable, files, networks, draw(size_px, 2)) for size_px in _CHECKED_SIZES_PX)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"bundle {bundle.name}: a generator of kind {recipe.kind} cannot be exported ({first_line(error)})",
            hint="export a bundle with generator.kind: compact, the default",
        ) from error
    if difference > MOST_DIFFERENCE:
        raise UsageError(
            f"bundle {bundle.name}: {portable.title} differs from torch by {difference:.2f} grey levels on average, "
            f"more than {MOST_DIFFERENCE:g}",
            hint="install the tested versions, pip install -c constraints.txt 'sflow-pipeline[export]', and try again",
        )
    return files, difference


def draw_inputs(classes: int, size_px: tuple[int, int], *, has_colors: bool, batch: int) -> Inputs:
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


def _compare(portable: PortableFormat, files: dict[str, bytes], networks: PortableNetworks, inputs: Inputs) -> float:
    """Mean difference of the files' images to torch's, in grey levels."""
    found, _edge = portable.open(files)(inputs)
    with torch.inference_mode():
        expected, _ = networks(*(torch.from_numpy(array) for array in inputs.values()))
    return float(np.abs(found.astype(np.int16) - expected.numpy()).mean())
