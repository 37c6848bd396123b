"""What a process is told that is to train: the recipe, and where photos and checkpoints are."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.networks.perceptual import PerceptualNetwork
from sflow_pipeline.training.crops import CropSampler
from sflow_pipeline.training.loop import TrainingProgress, run_training
from sflow_pipeline.training.photo_set import PhotoSet
from sflow_pipeline.training.state import TrainingState
from sflow_pipeline.training.step_context import StepContext
from sflow_pipeline.training.team import ALONE, Team


@dataclass(frozen=True)
class TrainingTask:
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

    def carry_out(
        self,
        state: TrainingState,
        device: torch.device | str,
        precision: str,
        on_progress: Callable[[TrainingProgress], None],
        team: Team = ALONE,
    ) -> None:
        """Bring ``state`` to the end of the recipe's schedule.

        Raises:
            TrainingError: this machine does not see the photos, or what ``run_training`` raises.
        """
        try:
            photos, held_out = PhotoSet(self.photos), PhotoSet(self.held_out)
        except OSError as error:
            raise TrainingError(
                f"worker {team.rank} on {socket.gethostname()} does not see {self.photos}: {error.strerror}",
                hint="put --out on storage that every machine of the cluster sees under the same path",
            ) from error
        context = StepContext.build(self.recipe, photos, torch.device(device), precision, self.perceptual, team)
        learning, watching = (CropSampler(p, self.recipe.schedule, self.recipe.seed) for p in (photos, held_out))
        run_training(state, learning, watching, context, self.out, on_progress)
