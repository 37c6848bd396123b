"""The data-parallel group of processes that train one model, and the options of its workers."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True)
class ProcessGroup:
    """One process of ``size`` that share every batch, in torch's default process group; no cost at size 1.

    Image number n belongs to rank n % size and gradients are averaged. All losses are means over images, so a group
    computes what one process with the whole batch does, up to the order of floating-point sums.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def share(self, first_image: int, batch_size: int) -> list[int]:
        """Positions in a batch that belong to this process.

        >>> ProcessGroup(rank=1, size=2).share(first_image=5, batch_size=4)
        [0, 2]
        """
        return [i for i in range(batch_size) if (first_image + i) % self.size == self.rank]

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, with one message for all tensors."""
        local = list(tensors) if self.size > 1 else []
        if not local:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in local])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(local, flat.split([tensor.numel() for tensor in local]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    @torch.no_grad()
    def gather_rows(self, rows: Tensor) -> Tensor:
        """(images, ...) of the whole batch, in its order, of the (images / size, ...) of each process."""
        if self.size == 1:
            return rows
        gathered = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(gathered, rows.contiguous())
        return torch.stack(gathered, dim=1).flatten(0, 1)

    def gather(self, values: Float64[Tensor, " n"]) -> list[list[float]]:
        """The values of every process, by rank."""
        if self.size == 1:
            return [values.tolist()]
        gathered = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(gathered, values)
        return [tensor.tolist() for tensor in gathered]


#: Training in one process, the default.
SINGLE_PROCESS = ProcessGroup()


@dataclass(frozen=True)
class WorkerOptions:
    """Number of training processes, their Ray cluster (None: this machine), and CPU threads of each."""

    workers: int
    address: str | None = None
    threads: int = 1
