"""Features of a bundle's own segmenter, named by the bundle's folder: an extractor that every bundle brings along.

Distances over them are good for comparing conversions with each other. They are not FID, and no judgement from outside:
the segmenter saw the bundle's photos, and generators may have been trained against networks like it.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from sflow_pipeline.evaluation.reference_networks.bundle_segmenter import describe_segmenter, load_network
from sflow_pipeline.evaluation.reference_networks.network_input import resize_photo
from sflow_pipeline.evaluation.reference_networks.program_file import Network
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.networks.layers import PixelNorm

PURPOSES = ("extractor",)
#: Wider pictures are reduced to this width, because features of the same street differ with its size in pixels.
_WIDEST_PX = 512


def describe(path: Path) -> dict[str, Any] | None:
    """See ``NetworkKind``.

    Raises:
        BundleError: the folder holds no bundle.
        UsageError: the bundle has no segmenter.
    """
    fields = describe_segmenter(path, "extractor")
    return None if fields is None else {**fields, "size_px": None}


def load(spec: NetworkSpec, device: str) -> Network:
    """See ``NetworkKind``; feature maps at 1/16 of the photo's size, centred and scaled at every position.

    Raises:
        BundleError: the weights are damaged.
    """
    network, norm = load_network(spec, device), PixelNorm()

    def run(batch: Tensor) -> Tensor:
        height, width = batch.shape[-2:]
        if width > _WIDEST_PX:
            batch = resize_photo(batch, (_WIDEST_PX, max(1, round(height * _WIDEST_PX / width))), spec.filter)
        features: Tensor = norm(network.encode_sixteenth(batch))
        return features

    return run
