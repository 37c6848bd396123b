"""What a computation asks of a machine: floating-point operations, and bytes that its operators read and write."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Operations:
    """Counted on tensors, so the same on every machine.

    Attributes:
        flop: of convolutions and matrix products, two for a multiplication and an addition.
        bytes: that operators read and write, as if nothing stayed in a cache between two of them.
    """

    flop: float
    bytes: float


def count_operations(compute: Callable[[], object]) -> Operations:
    """Run ``compute`` once and count.

    >>> matrix = torch.ones(8, 8)
    >>> count_operations(lambda: matrix @ matrix)
    Operations(flop=1024.0, bytes=768.0)
    """
    traffic = _Traffic()
    with FlopCounterMode(display=False) as flops, traffic:
        compute()
    return Operations(float(flops.get_total_flops()), float(traffic.bytes))


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not getattr(func, "is_view", False):
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result
