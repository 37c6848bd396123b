"""Choice of the appearance strength of a job, by measuring a few renders of the dump."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.bundle.appearance import is_blank
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.frames import FrameRef, has_column
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.filesystem import Folder

#: Renders that are measured, spread evenly over the dump.
_SAMPLED = 8
#: Share of them that may be blank, where images follow renders.
_MOST_BLANK = 0.5


@dataclass(frozen=True)
class AppearanceChoice:
    """How far images follow their renders.

    Attributes:
        strength: 0 to 1; None for bundles without an appearance map.
        reason: of the choice, with the measurement; empty where there was no choice.
        warnings: about the renders.
        blank_share: share of the renders measured that show nothing; 0 where none were measured.
    """

    strength: float | None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    blank_share: float = 0.0

    @property
    def has_blank_renders(self) -> bool:
        """Some renders show nothing, and images do not follow them."""
        return self.strength == 0 and self.blank_share > 0

    @property
    def shows_scene(self) -> bool:
        """Most renders show something."""
        return self.blank_share <= _MOST_BLANK


def choose_appearance(job: ConvertJob, bundle: Bundle, frames: Sequence[FrameRef], source: Folder) -> AppearanceChoice:
    """The strength that a job states, or for ``auto`` the one that suits the dump's renders.

    Renders are followed fully where they show something. Where most of those measured are black or of one colour, the
    bundle's palettes and the labels decide alone.

    Raises:
        UsageError: the job states a strength above 0, and the bundle has no appearance map, or the dump no pictures.
    """
    if not bundle.recipe.generator.use_appearance:
        if job.appearance not in ("auto", 0.0):
            raise UsageError(
                f"appearance {job.appearance:g}: bundle {bundle.name} {bundle.metadata.version} was trained without an "
                "appearance map and cannot follow renders",
                hint="leave out --appearance, or use a bundle whose recipe has generator.use_appearance: true",
                fields=("appearance",),
            )
        return AppearanceChoice(None)
    if not has_column(frames, "render"):
        if job.appearance not in ("auto", 0.0):
            raise UsageError(
                f"appearance {job.appearance:g}: dump {job.sim_dir} has no pictures that images could follow",
                hint="leave out --appearance: images are then made from labels alone; or name the pictures of the "
                "simulator's RGB camera with --layout render=…,label=…",
                fields=("appearance",),
            )
        return AppearanceChoice(0.0)  # the dump's problems say why
    if job.appearance != "auto" and job.appearance > 0:
        return AppearanceChoice(job.appearance)
    renders = _read_renders(frames, source)
    blank = sum(is_blank(render) for render in renders)
    share = blank / max(1, len(renders))
    if job.appearance == 0.0:
        return AppearanceChoice(0.0, blank_share=share)
    if not renders:
        return AppearanceChoice(1.0, "none of the renders sampled could be read")
    if share > _MOST_BLANK:
        reason = f"{blank} of {len(renders)} renders sampled are black or of one colour"
        warning = f"{reason}: images are made from labels alone; check the dump's RGB camera"
        return AppearanceChoice(0.0, reason, (warning,), blank_share=share)
    return AppearanceChoice(1.0, f"{len(renders) - blank} of {len(renders)} renders sampled show the scene")


def _read_renders(frames: Sequence[FrameRef], source: Folder) -> list[NDArray[np.uint8]]:
    """Renders spread evenly over the dump; those that cannot be read are for the conversion to report."""
    positions = np.unique(np.linspace(0, len(frames) - 1, min(_SAMPLED, len(frames))).round().astype(int))
    renders = []
    for path in (frames[int(i)].render for i in positions):
        try:
            renders.append(image_codec.decode_rgb(source.read_bytes(path), name=path))
        except (FrameError, OSError):
            continue
    return renders
