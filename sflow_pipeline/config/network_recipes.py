"""Networks of a recipe: edge extractor, DNED, generator, discriminators and segmenter, as typed fields."""

from typing import Literal

from pydantic import Field, model_validator

from sflow_pipeline.config.section import CropSide, Section


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

    upsampling: Literal["nearest", "bilinear"] = Field(
        "nearest", description="of features between the compact generator's scales; bilinear flickers less in video"
    )

    use_previous: bool = Field(
        False,
        description="add the image before, carried along the motion of the frames, to the input: frames of a sequence "
        "are then painted in order, as in vid2vid; needs pairs (schedule.pair_batch_size)",
    )

    @model_validator(mode="after")
    def _check_upsampling(self) -> "GeneratorRecipe":
        if self.upsampling != "nearest" and self.kind != "compact":
            raise ValueError(f"upsampling {self.upsampling} is the compact generator's, and kind is {self.kind}")
        return self

    def count_channels(self, classes: int) -> int:
        """Channels of the semantic map: one per class, one of instance boundaries, three of the palette.

        The generator's has three more where it is given the image before.
        """
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
    sequence_width: int = Field(
        0,
        ge=0,
        description="channels of the sequence discriminator, a PatchGAN on two consecutive frames (vid2vid); 0: none; "
        "needs pairs (schedule.pair_batch_size)",
    )


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
