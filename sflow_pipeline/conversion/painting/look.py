"""Look of an image: everything that is drawn for it, by identities and the job's seed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.appearance import draw_photo_colors, is_blank
from sflow_pipeline.bundle.palette import draw_palette
from sflow_pipeline.conversion.painting.rig import name_rig
from sflow_pipeline.conversion.settings import ConversionSettings


@dataclass(frozen=True)
class Look:
    """Everything that is drawn for an image; the same for every frame of a sequence.

    Attributes:
        alpha: (5,) float32 ensemble weights of DNED's sides.
        palette: number of the bundle's palette; None for bundles without palettes.
        appearance: how far the image follows its render, 0 to 1; None for bundles without an appearance map.
        photo_colors: how far class colours are moved to the palette's, 0 to 1; None likewise.
        number: of the variant that light and vehicles' colours are drawn for; 0 keeps the render's.
    """

    alpha: NDArray[np.float32]
    palette: int | None = None
    appearance: float | None = None
    photo_colors: float | None = None
    number: int = 0

    @property
    def identity(self) -> tuple[object, ...]:
        """What is equal for equal looks."""
        return (self.alpha.tobytes(), self.palette, self.appearance, self.photo_colors, self.number)


def draw_look(sequence_id: str, variant: int, attempt: int, settings: ConversionSettings) -> Look:
    """The look of one sequence, variant and attempt, by these identities and the job's seed alone.

    The cameras of one rig have the same look.

    Attempt 0 is the variant itself. Later attempts draw as further variants would, beyond all that the job asks for, so
    no two images of a frame share a look.
    """
    job = settings.job
    rig = name_rig(sequence_id)
    number = variant + attempt * job.variants
    alpha = draw_alpha(job.seed, rig, number, presets=job.alpha, concentration=settings.alpha_concentration)
    palette = None
    if settings.palettes:
        palette = draw_palette(job.seed, rig, number, settings.palettes, first=job.palette)
    if settings.appearance is None:
        return Look(alpha, palette)
    moved = draw_photo_colors(job.seed, rig, number, job.photo_colors)
    return Look(alpha, palette, settings.appearance, moved, number)


def fit_look(look: Look, render: NDArray[np.uint8]) -> Look:
    """The look, without appearance for a render that shows nothing, such as a black one."""
    if look.appearance and is_blank(render):
        return replace(look, appearance=0.0)
    return look
