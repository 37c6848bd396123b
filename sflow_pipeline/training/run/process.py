"""Inputs of one training process, and the training that it does."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.run.loop import TrainingProgress, run_training
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState


@dataclass(frozen=True)
class ProcessInputs:
    """Inputs that are the same for every process of a group.

    Attributes:
        photos, held_out: absolute folders of packed photos.
        out: absolute folder of the run.
        perceptual: frozen network of the perceptual loss, None for none.
        projection: frozen network of the projected discriminator, None for none.
        renders: absolute folder of packed simulator frames, None for none.
        teacher: frozen generator to follow at appearance 0, None for none.
        stop_after_s: seconds of training after which the run stops at a checkpoint, None for no limit.
    """

    recipe: Recipe
    photos: Path
    held_out: Path
    out: Path
    perceptual: PerceptualNetwork | None
    projection: PerceptualNetwork | None = None
    renders: Path | None = None
    stop_after_s: float | None = None
    teacher: nn.Module | None = None

    def run(
        self,
        state: TrainingState,
        device: Device,
        on_progress: Callable[[TrainingProgress], None],
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """Train ``state`` to the end of the recipe's schedule.

        Raises:
            TrainingError: this machine cannot read the photos, or what ``run_training`` raises.
        """
        try:
            photos, held_out = PhotoSet(self.photos), PhotoSet(self.held_out)
            renders = None if self.renders is None else PhotoSet(self.renders)
        except OSError as error:
            raise TrainingError(
                f"worker {group.rank} on {socket.gethostname()} cannot read {self.photos}: {error.strerror}",
                hint="put --out on storage that every machine of the cluster has under the same path",
            ) from error
        context = StepContext.build(
            self.recipe, photos, device, self.perceptual, group, self.projection, self.teacher, renders
        )
        schedule, seed = self.recipe.schedule, self.recipe.seed
        train = CropSampler(photos, schedule, seed, renders, schedule.pair_batch_size)
        validation = CropSampler(held_out, schedule, seed)
        run_training(state, train, validation, context, self.out, on_progress, self.stop_after_s)
