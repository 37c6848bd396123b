"""Random numbers of one training step, equal for an image in whichever process it is trained on."""

from collections.abc import Callable

import torch
from torch import Tensor

from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup


class StepRng:
    """Random numbers for the whole batch, drawn by every process, each of which keeps the rows of its images.

    >>> StepRng(0, first_image=0, batch_size=4).rand(1, 1, 1).shape
    torch.Size([4, 1, 1, 1])
    >>> StepRng(0, first_image=0, batch_size=4, group=ProcessGroup(1, 2)).rand(1, 1, 1).shape
    torch.Size([2, 1, 1, 1])
    """

    def __init__(self, seed: int, first_image: int, batch_size: int, group: ProcessGroup = SINGLE_PROCESS) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._batch_size = batch_size
        self._local = group.share(first_image, batch_size)

    def per_image(self, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """The rows of this process's images of ``draw(batch_size, generator)``."""
        return draw(self._batch_size, self._generator)[self._local]

    def rand(self, *shape: int) -> Tensor:
        """(b, *shape) uniform in [0, 1)."""
        return self.per_image(lambda images, generator: torch.rand(images, *shape, generator=generator))

    def bits(self, *shape: int) -> Tensor:
        """(b, *shape) of zeros and ones."""
        return self.per_image(lambda images, generator: torch.randint(0, 2, (images, *shape), generator=generator))

    def integers(self, low: int, high: int, count: int = 1) -> list[int]:
        """``count`` integers from ``low`` to ``high`` inclusive, the same for all images."""
        return [int(v) for v in torch.randint(low, high + 1, (count,), generator=self._generator)]


class PairRng(StepRng):
    """Random numbers of pairs of frames: both frames of a pair get the same, the earlier frames of all pairs first.

    >>> numbers = PairRng(0, first_image=0, batch_size=2).rand()
    >>> numbers.shape, torch.equal(numbers[:2], numbers[2:])
    (torch.Size([4]), True)
    """

    def per_image(self, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """The rows of this process's pairs of ``draw(batch_size, generator)``, twice."""
        rows = super().per_image(draw)
        return torch.cat([rows, rows])
