"""Where the time of a training step goes."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measurement import Measurement, Options
from numpy.typing import NDArray

_PHOTOS = 32
_PHOTO_SIZE_PX = (480, 360)


def measure(options: Options) -> list[Measurement]:
    """Data's share of a step, the networks' and the optimisers' beside it; the shipped recipe on synthetic photos."""
    import torch

    from sflow_pipeline.bundle import DEFAULT_BUNDLE, find_model
    from sflow_pipeline.bundle.translator import Translator
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.label_spaces import load_label_space
    from sflow_pipeline.training.crops import CropSampler
    from sflow_pipeline.training.photo_set import pack_photo_set
    from sflow_pipeline.training.state import TrainingState
    from sflow_pipeline.training.step import StepContext, train_step

    recipe = load_recipe(find_model(DEFAULT_BUNDLE, "recipe.yaml"))
    device, precision = Translator.resolve("cpu", recipe.precision)
    classes = load_label_space(recipe.label_space).num_classes
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
        photos = pack_photo_set(_draw_photos(classes), Path(temporary))
        sampler = CropSampler(photos, recipe.schedule, recipe.seed)
        state = TrainingState(recipe, classes, device)
        context = StepContext(recipe, classes, torch.device(device), precision, None)
        clock = _OptimizerClock(state.optimizers)
        steps = []
        for step in range((options.frames or 10) + 1):
            clock.seconds = 0.0
            started = time.perf_counter()
            batch = sampler.batch(state.images_seen, recipe.schedule.batch_size)
            loaded = time.perf_counter()
            train_step(state, batch, context)
            ended = time.perf_counter()
            if step:  # the first one makes kernels and moments
                steps.append((loaded - started, ended - loaded - clock.seconds, clock.seconds))
    shares = [[part / sum(parts) for part in parts] for parts in steps]
    data, networks, optimizers = (median(column) for column in zip(*shares, strict=True))
    details = {
        "step_s": median(sum(parts) for parts in steps),
        "networks_share": networks,
        "optimisers_share": optimizers,
        "batch_size": recipe.schedule.batch_size,
        "precision": precision,
        "threads": torch.get_num_threads(),
    }
    return [Measurement("data's share of a training step", data, goal=("below", 0.05), details=details)]


class _OptimizerClock:
    """Adds up what the optimisers take."""

    def __init__(self, optimizers: dict[str, Any]) -> None:
        self.seconds = 0.0
        self._started = 0.0
        for optimizer in optimizers.values():
            optimizer.register_step_pre_hook(self._start)
            optimizer.register_step_post_hook(self._stop)

    def _start(self, *_: object) -> None:
        self._started = time.perf_counter()

    def _stop(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started


def _draw_photos(classes: int) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    rng = np.random.default_rng(0)
    width_px, height_px = _PHOTO_SIZE_PX
    for number in range(_PHOTOS):
        coarse = rng.integers(0, classes, (height_px // 40, width_px // 40), np.uint8)
        class_index = coarse.repeat(40, axis=0).repeat(40, axis=1)
        noise = rng.integers(-20, 20, (height_px, width_px, 3))
        photo = (20 * class_index[..., None] + noise).clip(0, 255).astype(np.uint8)
        yield f"{number:04}", photo, class_index
