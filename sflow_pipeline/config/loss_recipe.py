"""Loss terms of a recipe: weights and settings, as typed fields."""

from typing import Literal

from pydantic import Field

from sflow_pipeline.config.section import Section


class LossRecipe(Section):
    """Weights and settings of the loss terms."""

    gan: Literal["hinge", "lsgan", "bce"] = "hinge"
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial term in the generator's loss")
    semantic: float = Field(1.0, ge=0, description="weight of the semantic discriminator in the generator's loss")
    projected: float = Field(1.0, ge=0, description="weight of the projected discriminator in the generator's loss")
    feature_matching: float = Field(10.0, ge=0)
    perceptual: float = Field(10.0, ge=0)
    view_jitter: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="photo and fake are scaled by a factor drawn from 1 ± this before the perceptual network, so that "
        "patterns with the period of its strides do not lower the loss",
    )
    dned: float = Field(1.0, ge=0)
    l1: float = Field(0.0, ge=0, description="distance of fake and photo, pixel by pixel (pix2pix: 100)")
    repetition: float = Field(
        0.0, ge=0, description="weight of the fake's self-correlation at a few pixels' distance, beyond the photo's"
    )
    content: float = Field(
        3.0, ge=0, description="perceptual distance between a converted simulator frame and the frame"
    )
    tone: float = Field(
        3.0, ge=0, description="distance between a converted simulator frame's colours and its appearance map's"
    )
    statistics: float = Field(
        0.0,
        ge=0,
        description="distance between mean and spread of a converted simulator frame's perceptual features and those "
        "of photos, class by class",
    )
    render_semantic: float | None = Field(
        None, ge=0, description="weight of the semantic discriminator on simulator frames; null: as on photos"
    )
    render_projected: float | None = Field(
        None, ge=0, description="weight of the projected discriminator on simulator frames; null: as on photos"
    )
    kernel: float = Field(
        0.0,
        ge=0,
        description="kernel distance (KID) of converted simulator frames to photos, simulator by simulator, in units "
        "of the rendered frames', summed over perceptual networks",
    )
    teacher: float = Field(
        0.0,
        ge=0,
        description="distance, on photos with appearance 0, to what the --teacher bundle makes of the same input",
    )
    warp: float = Field(
        0.0,
        ge=0,
        description="distance of a generated frame and the next one warped back to it along the motion of the frames "
        "they were made from, where both show the same; needs pairs (schedule.pair_batch_size, render_pair_batch_size)",
    )
    flow: float = Field(
        0.0,
        ge=0,
        description="distance in px of the flow between generated frames and that between the frames they "
        "were made from (S-Flow's flow loss); needs pairs",
    )
    sequence: float = Field(1.0, ge=0, description="weight of the sequence discriminator in the generator's loss")
    r1: float = Field(0.0, ge=0, description="gradient penalty of the discriminator on photos (Mescheder et al. 2018)")
    r1_every_steps: int = Field(
        16, ge=1, description="steps between computations of r1, whose weight is scaled accordingly"
    )
    augment: bool = Field(True, description="differentiable augmentation of the discriminator's inputs")

    def weights(self) -> dict[str, float]:
        """Weight of each term in the loss of generator and DNED, by the term's name in ``losses.csv``."""
        of_images = {
            "gan": self.adversarial,
            "semantic": self.semantic,
            "feature_matching": self.feature_matching,
            "perceptual": self.perceptual,
            "l1": self.l1,
            "repetition": self.repetition,
            "projected": self.projected,
            "render_content": self.content,
            "render_tone": self.tone,
            "render_statistics": self.statistics,
            "render_kernel": self.kernel,
            "render_repetition": self.repetition,
            "render_semantic": self.semantic if self.render_semantic is None else self.render_semantic,
            "render_projected": self.projected if self.render_projected is None else self.render_projected,
        }
        return {
            **of_images,
            **{f"later_{name}": weight for name, weight in of_images.items()},
            "dned": self.dned,
            "teacher": self.teacher,
            "warp": self.warp,
            "flow": self.flow,
            "render_warp": self.warp,
            "render_flow": self.flow,
            "sequence": self.sequence,
        }

    def discriminator_weights(self) -> dict[str, float]:
        """Weight of each term in the loss of the discriminators."""
        semantic = ("semantic", "projected", "render_semantic", "render_projected")
        own = ("discriminator", *(f"{name}_discriminator" for name in semantic))
        return {
            **dict.fromkeys((*own, *(f"later_{name}" for name in own), "sequence_discriminator"), 1.0),
            "r1": self.r1 * self.r1_every_steps / 2,
        }
