"""Exported networks as a translator: the interface of ``Translator``, for images that follow labels and edges alone."""

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.portable.exported_networks import ExportedNetworks
from sflow_pipeline.bundle.portable.format import Inputs
from sflow_pipeline.bundle.portable.network_files import load_format
from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.errors import UsageError, first_line


class PortableTranslator:
    """Runs exported networks frame by frame, so that a frame's result is the same in any batch.

    Args:
        networks: of the bundle.
        palettes: (palettes, classes, 3) colours of the bundle, -1 to 1; None for bundles without.

    Raises:
        UsageError: the runtime cannot run the files on this processor.
    """

    def __init__(self, networks: ExportedNetworks, palettes: NDArray[np.float32] | None) -> None:
        self._palettes = palettes
        portable = load_format(networks.format)
        try:
            self._run = portable.open(networks.files)
        except (RuntimeError, ImportError, OSError) as error:
            raise UsageError(
                f"backend {networks.path}: {portable.runtime} does not run its {portable.title} files here "
                f"({first_line(error)})",
                hint="convert without --backend: torch runs on every processor",
                fields=("backend",),
            ) from error

    def translate(
        self,
        class_index: NDArray[np.uint8],
        render: NDArray[np.uint8],
        alpha: NDArray[np.float32],
        instance_map: NDArray[np.int64] | None = None,  # noqa: ARG002  such bundles are not exported
        palette: NDArray[np.int64] | None = None,
        appearance: NDArray[np.float32] | None = None,
        photo_colors: NDArray[np.float32] | None = None,  # noqa: ARG002  as what follows, for images that follow renders
        color_source: NDArray[np.uint8] | None = None,  # noqa: ARG002
        class_colors: NDArray[np.float32] | None = None,  # noqa: ARG002
        previous: NDArray[np.uint8] | None = None,  # noqa: ARG002  such bundles are not exported
    ) -> Translation:
        """See ``Translator.translate``; ``appearance`` is 0 or None."""
        assert appearance is None or not appearance.any()
        images, edges = [], []
        for i in range(len(render)):
            inputs: Inputs = {"render": render[i : i + 1], "class_index": class_index[i : i + 1]}
            inputs["alpha"] = alpha[i : i + 1].astype(np.float32)
            if self._palettes is not None:
                colors = self._palettes[0 if palette is None else palette[i]][class_index[i]]
                inputs["colors"] = np.ascontiguousarray(colors.transpose(2, 0, 1))[None]
            image, edge = self._run({name: np.ascontiguousarray(array) for name, array in inputs.items()})
            images.append(image)
            edges.append(edge)
        return Translation(np.concatenate(images), np.concatenate(edges))
