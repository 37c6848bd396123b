"""Display of a running training: a live bar on a terminal, plain lines elsewhere."""

from typing import TYPE_CHECKING, Self

from sflow_pipeline.cli.bar import Bar

if TYPE_CHECKING:
    from sflow_pipeline.training.run.loop import TrainingProgress

_LINE_EVERY_S = 30.0


class TrainingDisplay:
    """Images seen, stage, speed, time left and the loss terms."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar = Bar("images", quiet=quiet, line_every_s=_LINE_EVERY_S)
        self._is_running = False

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def update(self, progress: "TrainingProgress") -> None:
        """Show a step's progress; the first call is the beginning of this run."""
        if not self._is_running:
            self._bar.restart_clock(progress.images_seen)
            self._is_running = True
        terms = " ".join(f"{name} {value:.3f}" for name, value in progress.terms.items())
        self._bar.show(
            progress.images_seen,
            progress.total_images,
            description=progress.stage,
            detail=f", {progress.images_per_s:.2f} images/s, {terms}",
        )
