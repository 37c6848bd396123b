"""The processes that train one model together: whose images are whose, and what they agree on."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True)
class ProcessGroup:
    """One process of ``size`` that share every batch, in torch's default process group; alone, it costs nothing.

    Image number n is learned from by rank n % size and gradients are averaged. All losses are means over images, so a
    team learns what one process with the whole batch does, up to the order in which numbers are added.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether this process writes what the run leaves behind."""
        return self.rank == 0

    def share(self, first_image: int, batch_size: int) -> list[int]:
        """Which positions of a batch are this process's.

        >>> ProcessGroup(rank=1, size=2).share(first_image=5, batch_size=4)
        [0, 2]
        """
        return [i for i in range(batch_size) if (first_image + i) % self.size == self.rank]

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes; they travel as one."""
        ours = list(tensors) if self.size > 1 else []
        if not ours:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in ours])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(ours, flat.split([tensor.numel() for tensor in ours]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def gather(self, values: Float64[Tensor, " n"]) -> list[list[float]]:
        """What every process holds, by rank."""
        if self.size == 1:
            return [values.tolist()]
        everyones = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(everyones, values)
        return [theirs.tolist() for theirs in everyones]


#: One process, which is the rule.
SINGLE_PROCESS = ProcessGroup()


@dataclass(frozen=True)
class WorkerOptions:
    """How many processes to train with, where (a Ray cluster, or None: this machine), and CPU threads of each."""

    workers: int
    address: str | None = None
    threads: int = 1
