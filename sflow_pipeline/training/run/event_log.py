"""Loss terms of a training run as TensorBoard events."""

from pathlib import Path
from typing import TYPE_CHECKING

from sflow_pipeline.errors import MissingExtraError

if TYPE_CHECKING:
    from sflow_pipeline.training.run.loop import TrainingProgress


class EventLog:
    """Writes every term of every step below ``folder``, by images seen; steps repeated after a resume replace theirs.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "--tensorboard: package tensorboard is not installed",
                hint="pip install 'sflow-pipeline[tensorboard]', or follow the run with --preview",
            ) from error
        self._folder = folder
        self._make = SummaryWriter
        self._writers: dict[str, SummaryWriter] = {}

    def add(self, progress: "TrainingProgress") -> None:
        """Write one step's terms; GAN and segmenter have event files of their own, each by its own images seen."""
        name = "segmenter" if progress.stage == "segmenter" else "gan"
        if name not in self._writers:
            self._writers[name] = self._make(str(self._folder / name), purge_step=progress.images_seen)
        for term, value in progress.terms.items():
            self._writers[name].add_scalar(term, value, progress.images_seen)
        self._writers[name].add_scalar("images_per_s", progress.images_per_s, progress.images_seen)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
