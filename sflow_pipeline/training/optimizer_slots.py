"""An optimiser's moments as flat tensors in a checkpoint, and back."""

import torch
from torch import Tensor


def slots_to_tensors(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Every moment under ``optimizer/<name>/<parameter>/<slot>``."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer/{name}/{i}/{slot}": v for i, slots in state.items() for slot, v in slots.items()}


def slots_from_tensors(name: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take over what ``slots_to_tensors`` gave; other names are passed over."""
    slots: dict[int, dict[str, Tensor]] = {}
    parameters = optimizer.param_groups[0]["params"]
    for key, value in tensors.items():
        if key.startswith(f"optimizer/{name}/"):
            _, _, i, slot = key.split("/")
            # Fused Adam walks memory as it lies: a moment must have its parameter's strides, not the file's.
            like = parameters[int(i)]
            value = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            slots.setdefault(int(i), {})[slot] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
