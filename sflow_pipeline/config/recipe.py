"""Recipe: the settings that decide the result of a training run, as typed fields."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.errors import ConfigError

#: Pixels; discriminator inputs are translated by up to 15.
CropSide = Annotated[int, Field(ge=16)]


class Section(BaseModel):
    """A part of a recipe; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRecipe(Section):
    """Settings of one of several data folders."""

    split: str | None = Field(None, description="its split to train on; null: data.split")
    labels: Literal["true", "pseudo"] = Field(
        "true",
        description="pseudo: predicted by a network; such photos are trained on, and held out only by use: held_out",
    )
    weight: float | None = Field(
        None,
        gt=0,
        description="how often one of its photos is drawn, relative to a photo of weight 1; null: 1 with true labels, "
        "0.5 with pseudo labels",
    )
    video: bool = Field(
        False, description="its consecutive frame numbers are consecutive frames of a video: pairs for the flow loss"
    )

    use: Literal["train", "held_out"] = Field(
        "train", description="held_out: all of its photos are held out, pseudo labels or not, such as another town's"
    )

    @property
    def photo_weight(self) -> float:
        """The weight, or the default for its labels."""
        if self.weight is not None:
            return self.weight
        return 1.0 if self.labels == "true" else 0.5


class DataRecipe(Section):
    """Selection and frequency of the real photos."""

    split: str = "train"
    holdout_fraction: float = Field(0.15, gt=0, lt=1, description="the end of every recording, kept out of training")
    sources: tuple[SourceRecipe, ...] = Field(
        (), description="settings of each --data folder, in the order of the flags; defaults for folders beyond them"
    )


class EdgeRecipe(Section):
    """Laplacian edge extractor (luma, 3x3 Gaussian, 3x3 Laplacian, threshold)."""

    threshold: float = Field(
        0.04, gt=0, lt=1, description="|Laplacian| of luma in [0, 1] above which a pixel is an edge"
    )
    jitter: float = Field(
        1.0, ge=0, le=4, description="training draws the threshold log-uniformly within a factor 1+jitter"
    )


class DnedRecipe(Section):
    """Deep neural edge detector: five side outputs, fused with ensemble weights alpha."""

    widths: tuple[int, int, int, int, int] = (12, 24, 32, 48, 48)
    alpha_concentration: float = Field(4.0, gt=0, description="Dirichlet concentration per side in joint training")
    stroke_dropout: float = Field(0.6, ge=0, le=1, description="share of samples whose strokes are dropped in blobs")
    interior_dropout: float = Field(
        0.5, ge=0, le=1, description="share of samples that lose edges inside objects, as CG frames do"
    )


class GeneratorRecipe(Section):
    """Architecture of the generator."""

    kind: Literal["compact", "resnet", "unet", "global_local"] = "compact"
    width: int = Field(48, ge=8, description="channels at the first scale (64 in the papers of the other kinds)")
    blocks: int = Field(4, ge=1, description="residual blocks at the coarsest scale (resnet: 9); unet: halvings, 8")
    use_edges: bool = Field(True, description="false: input is the semantic map alone, as in pix2pix")
    use_instances: bool | Literal["auto"] = Field(
        False, description="add instance boundaries to the input (pix2pixHD); auto: if the photos have instance files"
    )

    use_palette: bool = Field(
        False,
        description="add the mean colour of each class to the input: of the photo itself in training",
    )

    use_appearance: bool = Field(
        False,
        description="replace the palette by an appearance map, from class means up to the picture itself, trained on "
        "damaged photos; requires use_palette",
    )

    def count_channels(self, classes: int) -> int:
        """Channels of the semantic map: one per class, one of instance boundaries, three of the palette."""
        return classes + (self.use_instances is True) + 3 * self.use_palette


class DiscriminatorRecipe(Section):
    """PatchGAN conditioned on semantic and edge map."""

    width: int = Field(48, ge=8)
    layers: int = Field(3, ge=1, le=5, description="stride-2 layers; 3 gives patches of 70 px")
    scales: Literal[1, 2, 3] = 1
    semantic_width: int = Field(
        0,
        ge=0,
        description="channels of the semantic discriminator, which classifies every pixel as a class or fake from "
        "perceptual features; 0: none",
    )
    projected_width: int = Field(
        0,
        ge=0,
        description="channels of the projected discriminator, a second semantic one, on features of the network that "
        "--projection names; 0: none",
    )


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
    r1: float = Field(0.0, ge=0, description="gradient penalty of the discriminator on photos (Mescheder et al. 2018)")
    r1_every_steps: int = Field(
        16, ge=1, description="steps between computations of r1, whose weight is scaled accordingly"
    )
    augment: bool = Field(True, description="differentiable augmentation of the discriminator's inputs")

    def weights(self) -> dict[str, float]:
        """Weight of each term in the loss of generator and DNED, by the term's name in ``losses.csv``."""
        return {
            "gan": self.adversarial,
            "semantic": self.semantic,
            "feature_matching": self.feature_matching,
            "perceptual": self.perceptual,
            "l1": self.l1,
            "repetition": self.repetition,
            "dned": self.dned,
            "projected": self.projected,
            "teacher": self.teacher,
            "render_content": self.content,
            "render_tone": self.tone,
            "render_repetition": self.repetition,
            "render_semantic": self.semantic,
            "render_projected": self.projected,
            "warp": self.warp,
            "flow": self.flow,
            "render_warp": self.warp,
            "render_flow": self.flow,
        }

    def discriminator_weights(self) -> dict[str, float]:
        """Weight of each term in the loss of the discriminators."""
        semantic = ("semantic", "projected", "render_semantic", "render_projected")
        return {"discriminator": 1.0, "r1": self.r1 * self.r1_every_steps / 2} | {
            f"{name}_discriminator": 1.0 for name in semantic
        }


class ScheduleRecipe(Section):
    """Duration and learning rates, in images seen."""

    batch_size: int = Field(2, ge=1)
    render_batch_size: int = Field(
        0, ge=0, description="crops of simulator frames (--renders) in every batch, beside those of photos"
    )
    pair_batch_size: int = Field(
        0,
        ge=0,
        description="pairs of consecutive photos (data.sources with video: true) in every batch, for loss.warp "
        "and loss.flow",
    )
    render_pair_batch_size: int = Field(
        0, ge=0, description="pairs of consecutive simulator frames (--renders with a flow column) in every batch"
    )
    crop_px: tuple[CropSide, CropSide] = Field((192, 256), description="(height, width) of training crops")
    scale: tuple[float, float] = Field((0.55, 1.0), description="photo scale range before cropping")
    frame_width_px: tuple[int, int] | None = Field(
        None,
        description="width range that whole photos are scaled to before cropping, instead of scale; log-uniform, and "
        "at most 1.25 times the photo's own",
    )
    palette_share: float = Field(
        0.25, ge=0, le=1, description="share of photos with appearance 0, for a generator with an appearance map"
    )
    laplacian_images: int = Field(
        10_000, ge=0, description="stage A: generator on Laplacian edges, DNED trained separately"
    )
    joint_images: int = Field(16_000, ge=0, description="stage B: generator, discriminator and DNED jointly")
    warmup_images: int = Field(0, ge=0, description="warm-up: the first images, without discriminators")
    decay_images: int = Field(6_000, ge=0, description="the last images, over which the learning rates fall to zero")
    lr_generator: float = Field(2e-4, gt=0)
    lr_warmup: float = Field(8e-4, gt=0, description="of the generator during warm-up")
    lr_discriminator: float = Field(2e-4, gt=0)
    lr_dned: float = Field(5e-4, gt=0)
    ema_half_life_images: float = Field(1_500, gt=0)
    checkpoint_every_images: int = Field(1_000, ge=1)
    sample_every_images: int = Field(2_000, ge=1)


class SegmenterRecipe(Section):
    """The bundle's small segmenter, for scores of converted images against their labels; never a loss."""

    images: int = Field(0, ge=0, description="number of training crops; 0: the bundle has no segmenter")
    encoder: Literal["plain", "efficientnet_lite0"] = Field(
        "plain",
        description="plain: a U-shaped network; efficientnet_lite0: its ImageNet features (--projection names the "
        "weights to begin with) and a light decoder",
    )
    width: int = Field(
        24, ge=4, description="channels at half resolution, 24 is 2.7 MB; of the decoder behind an encoder, 64 is 5 MB"
    )
    batch_size: int = Field(4, ge=1)
    crop_px: tuple[CropSide, CropSide] = Field((192, 256), description="(height, width) of training crops")
    scale: tuple[float, float] = Field((0.5, 1.2), description="photo scale range before cropping")
    frame_width_px: tuple[int, int] | None = Field(None, description="as in schedule, instead of scale")
    mixing: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of crops that get objects or a region of another crop with its label, or a blank region, "
        "which is to be called void",
    )
    lr: float = Field(1e-3, gt=0, description="initial learning rate, of an encoder a quarter of it; falls to zero")
    checkpoint_every_images: int = Field(2_000, ge=1)


class Recipe(Section):
    """Settings of a training run; part of the bundle that it writes."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    version: str = Field("0.1.0", description="version of the bundle")
    training_data: str = Field("", description="description of the training data, for the bundle")
    licence: str = Field("", description="licence of the training data, for the bundle")
    label_space: str = "camvid11"
    seed: int = Field(1, ge=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    data: DataRecipe = DataRecipe()
    edges: EdgeRecipe = EdgeRecipe()
    dned: DnedRecipe = DnedRecipe()
    generator: GeneratorRecipe = GeneratorRecipe()
    discriminator: DiscriminatorRecipe = DiscriminatorRecipe()
    loss: LossRecipe = LossRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    segmenter: SegmenterRecipe = SegmenterRecipe()

    @property
    def total_images(self) -> int:
        return self.schedule.laplacian_images + self.schedule.joint_images


def load_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe from its YAML file, or from the ``recipe.yaml`` of a folder.

    Args:
        overrides: dotted keys and values that win over the file, such as ``{"schedule.batch_size": "4"}``.

    Raises:
        ConfigError: the file cannot be read, or keys or values are wrong.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "recipe.yaml"
    content = read_yaml(path)
    for dotted, value in (overrides or {}).items():
        *sections, key = dotted.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {dotted}: {section} is a value, not a section", hint="see the recipe's keys")
        place[key] = value
    return decode_config(Recipe, content, where=str(path))
