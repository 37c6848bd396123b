"""The segmenter of a bundle as a network on a device."""

from collections.abc import Mapping

from torch import Tensor, nn

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.errors import BundleError, first_line
from sflow_pipeline.networks.device import Device, place_network
from sflow_pipeline.networks.segmenters.segmenters import build_segmenter


def load_segmenter(bundle: Bundle, state: Mapping[str, Tensor], device: Device) -> nn.Module:
    """The network that the bundle's recipe describes, with the weights in ``state``, frozen.

    Raises:
        BundleError: the weights are of another network.
    """
    network = build_segmenter(bundle.recipe.segmenter, bundle.label_space.num_classes)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise BundleError(
            f"bundle {bundle.path}: segmenter does not fit recipe.yaml ({first_line(error)})",
            hint="restore the whole folder: weights and recipe belong together",
        ) from error
    return place_network(network.eval().requires_grad_(False), device.name, device.dtype)
