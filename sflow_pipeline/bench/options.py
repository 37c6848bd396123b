"""What is measured: sizes, precisions, batches, device, repeats, and a generator to compare with."""

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError, first_line

#: Class channels (h, w) uint8 and render (h, w, 3) uint8 RGB to an image (h, w, 3) uint8 RGB.
Painter = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]

DEFAULT_SIZES = ((256, 192), (512, 256), (1280, 720))


@dataclass(frozen=True)
class BenchOptions:
    """What is measured.

    Attributes:
        bundle: name or path; the default bundle where None.
        sizes_px: width and height of the frames.
        precisions: ``fp32``, ``bf16``, or ``auto`` for what a conversion would choose.
        batch_sizes: frames that are translated at once.
        device: as ``convert`` takes it.
        frames: of every stage and repeat, at least.
        repeats: rounds in which all stages take turns; medians count.
        backend: folder of ``models export`` whose files are timed in the same rounds, on the CPU; torch then paints
            from labels and edges alone, as they do.
        against: ``module:function`` of a generator that is timed in the same rounds, see ``load_painter``.
    """

    bundle: str | None = None
    sizes_px: tuple[tuple[int, int], ...] = DEFAULT_SIZES
    precisions: tuple[str, ...] = ("auto",)
    batch_sizes: tuple[int, ...] = (1,)
    device: str = "auto"
    frames: int = 4
    repeats: int = 3
    backend: str | None = None
    against: str | None = None


def load_painter(name: str) -> Painter:
    """The callable that ``module:function`` names; modules of the working directory are found, too.

    Raises:
        UsageError: the module cannot be imported, or has no such callable with two arguments.

    >>> load_painter("numpy:add").__name__
    'add'
    """
    module_name, colon, path = name.partition(":")
    example = "for example --against my_generator:paint, a function of class channels and render"
    if not (module_name and colon and path):
        raise UsageError(f"--against {name}: expected MODULE:FUNCTION", hint=example)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise UsageError(
            f"--against {name}: {module_name} cannot be imported ({type(error).__name__}: {first_line(error)})",
            hint="start in the folder of the module, or install it",
        ) from error
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        names = sorted(key for key, value in vars(sys.modules[module_name]).items() if inspect.isfunction(value))
        raise UsageError(
            f"--against {name}: {module_name} has no callable {path}",
            hint=f"it has {', '.join(names[:8])}" if names else example,
        )
    return found  # type: ignore[no-any-return]


def run_painter(paint: Painter, name: str, class_index: NDArray[np.uint8], render: NDArray[np.uint8]) -> None:
    """Paint one frame and check what comes back.

    Raises:
        UsageError: it fails, or returns no picture of the frame's size.
    """
    hint = "it is called with class channels (h, w) uint8 and a render (h, w, 3) uint8, and returns an image like it"
    try:
        image = paint(class_index, render)
    except Exception as error:
        raise UsageError(f"--against {name}: {type(error).__name__}: {first_line(error)}", hint=hint) from error
    shape, kind = getattr(image, "shape", None), getattr(image, "dtype", None)
    if shape != render.shape or kind != np.uint8:
        raise UsageError(
            f"--against {name}: returned {type(image).__name__} {shape} {kind}, not {render.shape} uint8", hint=hint
        )
