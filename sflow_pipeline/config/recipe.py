"""Recipe: the settings that decide the result of a training run, as typed fields."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sflow_pipeline.config.decode import decode_config, read_yaml
from sflow_pipeline.config.loss_recipe import LossRecipe
from sflow_pipeline.config.network_recipes import (
    DiscriminatorRecipe,
    DnedRecipe,
    EdgeRecipe,
    GeneratorRecipe,
    SegmenterRecipe,
)
from sflow_pipeline.config.section import CropSide, Section
from sflow_pipeline.errors import ConfigError


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
    white_balance: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far the photos' light is made neutral, such that roads and pavements are grey (1)",
    )
    reference: bool = Field(True, description="loss.kernel compares converted simulator frames with its photos")
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
