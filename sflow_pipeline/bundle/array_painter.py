"""Conversion of frames that are NumPy arrays: checks of the arrays, and a bundle's translator run on them."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sflow_pipeline.bundle.alpha import ALPHA_PRESETS, draw_alpha
from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.palette import draw_palette
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.field_types import AlphaName
from sflow_pipeline.errors import FrameError, LabelSpaceError, SflowError, UsageError
from sflow_pipeline.label_spaces import LabelSpace, build_mapping, load_label_space
from sflow_pipeline.networks.memory_shortage import is_out_of_memory

#: Frames per batch: a GPU is faster with several, a CPU is not and needs less memory with one.
_GPU_BATCH = 8
_MAX_ID = 65535
_LABEL_SPACE_HINT = (
    "pass the label space of the labels as label_space=NAME; sflow_pipeline.list_label_spaces() lists the names"
)
Dtype = TypeVar("Dtype", bound=np.generic)


class ArrayPainter:
    """One bundle's translator on one device, for frames that are NumPy arrays; ``Bundle.paint`` calls it."""

    def __init__(self, bundle: Bundle, device: str, precision: str) -> None:
        self._bundle = bundle
        self._translator = Translator(bundle, device, precision)
        shown = bundle.recipe.generator.use_palette
        #: Frames that are translated at once: fewer after memory was short.
        self._batch_size = 1 if self._translator.device == "cpu" else _GPU_BATCH
        self._palette_count = len(bundle.read_weights()["palettes"]["rgb"]) if shown else 1

    def paint(
        self,
        render: NDArray[np.uint8],
        label_map: NDArray[np.integer[Any]],
        *,
        label_space: str | Path | LabelSpace | None,
        instance_map: NDArray[np.integer[Any]] | None,
        appearance: float,
        photo_colors: float,
        palette: Literal["typical", "drawn"] | int,
        alpha: AlphaName | Literal["drawn"] | ArrayLike,
        seed: int,
        previous: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
    ) -> NDArray[np.uint8]:
        """Paint one frame or several; arguments, result and errors are those of ``Bundle.paint``."""
        renders, label_maps, is_single = _check_frames(render, label_map)
        class_index = self._map_labels(label_maps, label_space)
        instances = None if instance_map is None else _check_instances(instance_map, label_map)
        weights = _read_alpha(alpha, seed, self._bundle.recipe.dned.alpha_concentration)
        number = self._choose_palette(palette, seed)
        strength, moved = _check_share("appearance", appearance), _check_share("photo_colors", photo_colors)
        before = self._check_previous(previous, renders.shape[1:])
        is_sequence = self._bundle.recipe.generator.use_previous
        images: list[NDArray[np.uint8]] = []
        start = 0
        while start < len(renders):
            count = min(1 if is_sequence else self._batch_size, len(renders) - start)
            batch = slice(start, start + count)
            if is_sequence and start:
                before = np.stack([renders[start - 1], images[-1][0]])[None]
            try:
                translation = self._translator.translate(
                    class_index[batch],
                    renders[batch],
                    np.tile(weights, (count, 1)),
                    None if instances is None else instances[batch],
                    np.full(count, number, np.int64),
                    np.full(count, strength, np.float32),
                    np.full(count, moved, np.float32),
                    previous=before,
                )
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._halve_batches(count, renders.shape, error)
                continue
            images.append(translation.photo)
            start += count
        painted = np.concatenate(images)
        return painted[0] if is_single else painted

    def _halve_batches(self, count: int, shape: tuple[int, ...], error: Exception) -> None:
        if count > 1:
            self._translator.drop_graphs()
            self._batch_size = (count + 1) // 2
            return
        device = self._translator.device
        raise SflowError(
            f"{device} has too little free memory for a frame of {shape[2]}x{shape[1]}",
            hint="end other programs that use it, give smaller frames"
            + ("" if device == "cpu" else ", or pass precision='bf16' or device='cpu'"),
        ) from error

    def _map_labels(
        self, label_maps: NDArray[np.uint16], label_space: str | Path | LabelSpace | None
    ) -> NDArray[np.uint8]:
        target = self._bundle.label_space
        source = target if label_space is None else label_space
        if not isinstance(source, LabelSpace):
            source = load_label_space(source)
        try:
            return build_mapping(source, target).apply(label_maps)
        except FrameError as error:
            raise LabelSpaceError(error.message, hint=_LABEL_SPACE_HINT) from error

    def _check_previous(
        self, previous: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None, shape: tuple[int, ...]
    ) -> NDArray[np.uint8] | None:
        """(1, 2, h, w, 3) render and image before the first frame; None where there are none."""
        if previous is None:
            return None
        if not self._bundle.recipe.generator.use_previous:
            raise UsageError(
                f"previous: bundle {self._bundle.name} paints every frame by itself and uses no image before it",
                hint="leave out previous",
            )
        try:
            given: tuple[Any, ...] = tuple(previous)
        except TypeError:  # no pair of anything
            given = (previous,)
        if [(getattr(x, "shape", None), getattr(x, "dtype", None)) for x in given] != [(shape, np.uint8)] * 2:
            found = [f"{getattr(x, 'dtype', type(x).__name__)} {getattr(x, 'shape', '')}".strip() for x in given]
            raise UsageError(
                f"previous: expected two uint8 arrays of shape {shape}, not {', '.join(found)}",
                hint="pass previous=(the render before, the image that was made of it)",
            )
        return np.ascontiguousarray(np.stack(previous)[None])

    def _choose_palette(self, palette: Literal["typical", "drawn"] | int, seed: int) -> int:
        if isinstance(palette, str) and palette in ("typical", "drawn"):
            return draw_palette(_check_seed(seed), "", 0, self._palette_count, first=palette)
        if isinstance(palette, int | np.integer) and 0 <= palette < self._palette_count:
            return int(palette)
        raise UsageError(
            f"palette={palette!r}: bundle {self._bundle.name} has the palettes 0 to {self._palette_count - 1}",
            hint="pass 'typical', 'drawn', or one of these numbers",
        )


def _check_frames(
    render: NDArray[np.uint8], label_map: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], bool]:
    """(n, h, w, 3) renders, (n, h, w) label maps, and whether the caller gave one frame without the first axis."""
    for name, value in (("render", render), ("label_map", label_map)):
        if not isinstance(value, np.ndarray):
            raise UsageError(
                f"{name}: expected a NumPy array, not {type(value).__name__}", hint="convert it with numpy.asarray"
            )
    if render.dtype != np.uint8:
        raise UsageError(
            f"render: expected uint8 from 0 to 255, not {render.dtype}",
            hint="scale floats with (render * 255).round().astype(numpy.uint8)",
        )
    if render.ndim not in (3, 4) or render.shape[-1] != 3:
        raise UsageError(
            f"render: expected shape (h, w, 3) or (n, h, w, 3), not {render.shape}",
            hint="give RGB with the channels last; drop an alpha channel with render[..., :3]",
        )
    if label_map.dtype.kind not in "ui":
        raise UsageError(
            f"label_map: expected integer class ids, not {label_map.dtype}",
            hint="give the ids as uint8 or uint16; colour labels have to be mapped to ids first",
        )
    if label_map.shape != render.shape[:-1]:
        raise UsageError(
            f"label_map: shape {label_map.shape} does not match the render's {render.shape}",
            hint=f"expected {render.shape[:-1]}: one id per pixel; resize labels by nearest neighbour",
        )
    if not label_map.size:
        raise UsageError(f"render: shape {render.shape} has no pixels", hint="give at least one frame")
    low, high = int(label_map.min()), int(label_map.max())
    if low < 0 or high > _MAX_ID:
        raise UsageError(
            f"label_map: ids from {low} to {high} are outside 0 to {_MAX_ID}", hint="use the id of the void class"
        )
    is_single = render.ndim == 3
    renders = render[None] if is_single else render
    label_maps = label_map[None] if is_single else label_map
    return _own(renders, np.uint8), label_maps.astype(np.uint16, copy=False), is_single


def _check_instances(instance_map: Any, label_map: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    if not isinstance(instance_map, np.ndarray) or instance_map.dtype.kind not in "ui":
        raise UsageError("instance_map: expected an integer NumPy array", hint="give one object number per pixel")
    if instance_map.shape != label_map.shape:
        raise UsageError(
            f"instance_map: shape {instance_map.shape} does not match the label map's {label_map.shape}",
            hint="give one object number per pixel",
        )
    return _own(instance_map[None] if instance_map.ndim == 2 else instance_map, np.int64)


def _own(array: NDArray[Any], dtype: type[Dtype]) -> NDArray[Dtype]:
    """The array as torch can share it: contiguous, writable; copied only where it is not."""
    return np.require(array, dtype, ["C", "W"])


def _read_alpha(
    alpha: AlphaName | Literal["drawn"] | ArrayLike, seed: int, concentration: float
) -> NDArray[np.float32]:
    if isinstance(alpha, str):
        if alpha == "drawn":
            return draw_alpha(_check_seed(seed), "", 0, presets=(), concentration=concentration)
        for name, preset in ALPHA_PRESETS.items():
            if name == alpha:
                return np.array(preset, np.float32)
    else:
        try:
            weights = np.asarray(alpha)
        except ValueError:  # rows of several lengths
            weights = np.empty(0)
        is_sound = weights.shape == (5,) and weights.dtype.kind in "fui" and bool(np.isfinite(weights).all())
        if is_sound and (weights >= 0).all() and weights.sum() > 0:
            return np.asarray(weights / weights.sum(), np.float32)
    raise UsageError(
        f"alpha={alpha!r}: expected a name or five finite weights, none negative",
        hint=f"pass one of {', '.join(ALPHA_PRESETS)}, drawn, or an array of shape (5,)",
    )


def _check_share(name: str, value: Any) -> float:
    if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise UsageError(f"{name}={value!r}: expected a number from 0 to 1", hint=f"pass {name}=1.0")
    return float(value)


def _check_seed(seed: Any) -> int:
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise UsageError(f"seed={seed!r}: expected a whole number from 0 to 2**63 - 1", hint="pass seed=0")
    return int(seed)
