"""Weights of published networks from safetensors files that the user names."""

from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sflow_pipeline.errors import UsageError

Network = TypeVar("Network", bound=nn.Module)


def read_weights_file(path: str | Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Args:
        name: of the network, for errors.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"{name} weights {path}: cannot be read ({error})",
            hint="convert a torch state dict once with safetensors.torch.save_file(state_dict, path)",
        ) from error


def load_weights(network: Network, state: dict[str, Tensor], path: str | Path, name: str, hint: str) -> Network:
    """The network with its tensors from ``state``, frozen; further tensors there are ignored.

    Raises:
        UsageError: tensors are absent or of another shape.
    """
    wanted = {key: tensor for key, tensor in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state or state[key].shape != wanted[key].shape]
    if missing:
        raise UsageError(
            f"{name} weights {path}: {len(missing)} of {len(wanted)} tensors are absent or of another shape, first "
            f"{missing[0]}",
            hint=hint,
        )
    network.load_state_dict({key: state[key].float() for key in wanted}, strict=False)
    return network.eval().requires_grad_(False)
