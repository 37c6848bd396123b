"""What chance decides in a training step: the same for an image whichever process learns from it."""

from collections.abc import Callable

import torch
from torch import Tensor

from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup


class StepRng:
    """Random numbers of one step, drawn for the whole batch by every process, each of which keeps its images' rows.

    >>> StepRng(0, first_image=0, batch_size=4).rand(1, 1, 1).shape
    torch.Size([4, 1, 1, 1])
    >>> StepRng(0, first_image=0, batch_size=4, group=ProcessGroup(1, 2)).rand(1, 1, 1).shape
    torch.Size([2, 1, 1, 1])
    """

    def __init__(self, seed: int, first_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._batch_size = batch_size
        self._mine = group.share(first_image, batch_size)

    def per_image(self, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """What ``draw`` makes for a whole batch of so many images, at this process's images."""
        return draw(self._batch_size, self._generator)[self._mine]

    def rand(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), one ``shape`` per image."""
        return self.per_image(lambda images, generator: torch.rand(images, *shape, generator=generator))

    def bits(self, *shape: int) -> Tensor:
        """Zeros and ones, one ``shape`` per image."""
        return self.per_image(lambda images, generator: torch.randint(0, 2, (images, *shape), generator=generator))

    def integers(self, low: int, high: int, count: int = 1) -> list[int]:
        """From ``low`` to ``high`` inclusive, the same for all images."""
        return [int(v) for v in torch.randint(low, high + 1, (count,), generator=self._generator)]
