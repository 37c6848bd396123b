"""Loading of perceptual networks from files that users name; the tensors in a file determine the network."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.features.hed import HedFeatures
from sflow_pipeline.networks.features.perceptual_network import PerceptualNetwork
from sflow_pipeline.networks.features.squeezenet import SqueezeNet11Features, SqueezeNetFeatures
from sflow_pipeline.networks.features.vgg import Vgg16Features, Vgg19Features

__all__ = ["PerceptualNetwork", "SqueezeNetFeatures", "load_perceptual"]

#: HED before VGG-16, whose tensors it has, too.
_KNOWN: tuple[type[PerceptualNetwork], ...] = (
    SqueezeNetFeatures,
    SqueezeNet11Features,
    EfficientNetLiteFeatures,
    HedFeatures,
    Vgg16Features,
    Vgg19Features,
)


def load_perceptual(path: str | Path) -> PerceptualNetwork:
    """The frozen network from a safetensors file in the layout of its published weights.

    Raises:
        TrainingError: the file cannot be read or holds none of them; names what it comes closest to and lacks.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise TrainingError(
            f"perceptual weights {path}: not a .safetensors file",
            hint="convert a torch state dict once with safetensors.torch.save_file(state_dict, path)",
        )
    try:
        state = load_file(path)
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: a side of a tensor of 2**63 or more
        raise TrainingError(
            f"perceptual weights {path}: cannot be read ({error})", hint="name a complete safetensors file"
        ) from error
    lacks: dict[type[PerceptualNetwork], list[str]] = {}
    for kind in _KNOWN:
        network = kind()
        wanted = network.state_dict()
        lacks[kind] = [k for k in wanted if k not in state or state[k].shape != wanted[k].shape]
        if not lacks[kind]:
            network.load_state_dict({k: state[k].float() for k in wanted})
            return network.eval().requires_grad_(False)
    closest = min(_KNOWN, key=lambda kind: len(lacks[kind]))
    raise TrainingError(
        f"perceptual weights {path}: closest to {closest.name}, of which {len(lacks[closest])} tensors are absent or "
        f"of another shape, first {lacks[closest][0]}",
        hint=f"use weights of {', '.join(kind.name for kind in _KNOWN)} in their published state-dict layout",
    )
