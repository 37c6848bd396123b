"""Interface of a portable format: how its files are made, and how they are run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.portable.networks import PortableNetworks

#: Inputs of the graph by name, in the order of ``PortableNetworks.forward``.
Inputs = dict[str, NDArray[Any]]
#: Inputs -> images (b, h, w, 3) and edges (b, h, w), uint8.
Run = Callable[[Inputs], tuple[NDArray[np.uint8], NDArray[np.uint8]]]


@dataclass(frozen=True)
class PortableFormat:
    """One format.

    Attributes:
        title: name that people know it by.
        files: names of what it consists of.
        build: makes the files, by name, of the networks and of an example to trace.
        open: loads the files, on a CPU, in fp32, on as many threads as torch has.
        runtime: module that ``open`` needs.
        example: Python lines of the card from files to ``run(inputs) -> image, edge``.
        remark: sentences of the card about its runtime.
        check_extra: raises MissingExtraError where something is not installed; does nothing by default.
    """

    title: str
    files: tuple[str, ...]
    build: Callable[[PortableNetworks, Inputs], dict[str, bytes]]
    open: Callable[[Mapping[str, bytes]], Run]
    runtime: str
    example: str
    remark: str = ""
    check_extra: Callable[[], None] = lambda: None
