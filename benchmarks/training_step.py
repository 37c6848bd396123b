"""Where the time of a training step goes."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measurement import Measurement, Options

#: Of a step, and whose each is in the table.
_PARTS = {
    "data": "data's",
    "discriminator": "discriminators'",
    "generator": "generator's and DNED's",
    "optimisers": "optimisers'",
}
_PHOTOS = 32
_PHOTO_SIZE_PX = (480, 360)


def measure(options: Options) -> list[Measurement]:
    """Which share of a step is data's, each network's and the optimisers'; the shipped recipe on synthetic photos."""
    import torch

    from sflow_pipeline.bundle import DEFAULT_BUNDLE, find_model
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.label_spaces import load_label_space
    from sflow_pipeline.networks.device import resolve_device
    from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
    from sflow_pipeline.training.data.crops import CropSampler
    from sflow_pipeline.training.data.photo_set import pack_photo_set
    from sflow_pipeline.training.step.context import StepContext
    from sflow_pipeline.training.step.state import build_state
    from sflow_pipeline.training.step.train_step import train_step

    recipe = load_recipe(find_model(DEFAULT_BUNDLE, "recipe.yaml"))
    device = resolve_device("cpu", recipe.precision)
    classes = load_label_space(recipe.label_space).num_classes
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary:
        photos = pack_photo_set(_draw_photos(classes), Path(temporary))
        sampler = CropSampler(photos, recipe.schedule, recipe.seed)
        network = SqueezeNetFeatures().eval().requires_grad_(False)  # what it sees does not matter here
        state = build_state(recipe, network, device.name)
        context = StepContext.build(recipe, photos, device, network)
        state.images_seen = recipe.schedule.warmup_images  # before that there is no discriminator
        clock = _Clock(state)
        steps: list[dict[str, float]] = []
        for step in range((options.frames or 10) + 1):
            clock.start("data")
            batch = sampler.cut_batch(state.images_seen, recipe.schedule.batch_size)
            clock.enter("generator")
            train_step(state, batch, context)
            parts = clock.stop()
            if step:  # the first one makes kernels and moments
                steps.append(parts)
    seconds = [sum(parts.values()) for parts in steps]
    details = {
        "step_s": median(seconds),
        "batch_size": recipe.schedule.batch_size,
        "precision": device.precision,
        "threads": torch.get_num_threads(),
    }
    found = {name: sum(parts[name] for parts in steps) / sum(seconds) for name in _PARTS}
    return [
        Measurement("data's share of a training step", found["data"], goal=("below", 0.05), details=details),
        *(Measurement(f"{_PARTS[name]} share", found[name], details=details) for name in _PARTS if name != "data"),
    ]


class _Clock:
    """Adds up the seconds of each part of a step; a part lasts until the next one is entered.

    The discriminators' part is judging photos and fakes for their own loss, and that loss's backward pass; all that is
    neither data, discriminators nor optimiser is the generator's and DNED's, judging and the perceptual loss included.
    """

    def __init__(self, state: Any) -> None:
        self._seconds: dict[str, float] = {}
        self._part = ""
        self._since = 0.0
        for judge in filter(None, (state.discriminator, state.semantic_discriminator)):
            judge.register_forward_pre_hook(lambda judge, _: self.enter(self._whose(judge)))
            judge.register_forward_hook(lambda *_: self.enter("generator"))
        for optimizer in state.optimizers.values():
            optimizer.register_step_pre_hook(lambda *_: self.enter("optimisers"))
        backward = state.backward

        def backward_on_the_clock(judge_total: Any, total: Any, **others: Any) -> None:
            judge_total.register_hook(lambda _: self.enter("discriminator"))
            total.register_hook(lambda _: self.enter("generator"))
            backward(judge_total, total, **others)
            self.enter("generator")  # what follows the optimisers is the averages of its weights

        state.backward = backward_on_the_clock

    @staticmethod
    def _whose(judge: Any) -> str:
        """It is fixed while the generator is judged."""
        return "discriminator" if next(judge.parameters()).requires_grad else "generator"

    def start(self, part: str) -> None:
        self._seconds = dict.fromkeys(_PARTS, 0.0)
        self._part, self._since = part, time.perf_counter()

    def enter(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[self._part] += now - self._since
        self._part, self._since = part, now

    def stop(self) -> dict[str, float]:
        self.enter("")
        return self._seconds


def _draw_photos(classes: int) -> Iterator[Any]:
    """Synthetic ``PhotoEntry``s."""
    from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts

    rng = np.random.default_rng(0)
    width_px, height_px = _PHOTO_SIZE_PX
    for number in range(_PHOTOS):
        coarse = rng.integers(0, classes, (height_px // 40, width_px // 40), np.uint8)
        class_index = coarse.repeat(40, axis=0).repeat(40, axis=1)
        noise = rng.integers(-20, 20, (height_px, width_px, 3))
        photo = (20 * class_index[..., None] + noise).clip(0, 255).astype(np.uint8)
        yield PhotoEntry(PhotoFacts(f"{number:04}"), photo, class_index)
