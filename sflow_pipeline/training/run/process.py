"""What a process is told that is to train: the recipe, and where photos and checkpoints are."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.run.loop import TrainingProgress, run_training
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.state import TrainingState


@dataclass(frozen=True)
class ProcessInputs:
    """The same for every process of a team.

    Args:
        photos, held_out: folders of packed photos, and ``out`` the run's own; absolute.
        perceptual: frozen network of the perceptual loss, None for none.
    """

    recipe: Recipe
    photos: Path
    held_out: Path
    out: Path
    perceptual: PerceptualNetwork | None

    def run(
        self,
        state: TrainingState,
        device: torch.device | str,
        precision: str,
        on_progress: Callable[[TrainingProgress], None],
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """Bring ``state`` to the end of the recipe's schedule.

        Raises:
            TrainingError: this machine does not see the photos, or what ``run_training`` raises.
        """
        try:
            photos, held_out = PhotoSet(self.photos), PhotoSet(self.held_out)
        except OSError as error:
            raise TrainingError(
                f"worker {group.rank} on {socket.gethostname()} does not see {self.photos}: {error.strerror}",
                hint="put --out on storage that every machine of the cluster sees under the same path",
            ) from error
        context = StepContext.build(self.recipe, photos, torch.device(device), precision, self.perceptual, group)
        learning, watching = (CropSampler(p, self.recipe.schedule, self.recipe.seed) for p in (photos, held_out))
        run_training(state, learning, watching, context, self.out, on_progress)
