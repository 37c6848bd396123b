"""Fields of ``bundle.yaml``."""

from pydantic import BaseModel, ConfigDict

BUNDLE_FORMAT_VERSION = 1


class SegmenterScores(BaseModel):
    """Scores of the bundle's segmenter on whole held-out photos."""

    model_config = ConfigDict(extra="forbid")

    pixel_accuracy: float
    miou: float
    held_out_photos: int
    images_seen: int


class GateThresholds(BaseModel):
    """What an image's agreement with its label must reach (``bundle.label_agreement``), from real photos.

    Attributes:
        passing_share: of the real pairs, at least, that reach every threshold.
        photos: number of these pairs.
        height_px: pictures are reduced to this height before they are scored.
        least: check -> least value.
        recall: class -> its mean recall on these photos.
    """

    model_config = ConfigDict(extra="forbid")

    passing_share: float
    photos: int
    height_px: int
    least: dict[str, float]
    recall: dict[str, float]


class BundleMetrics(BaseModel):
    """Measurements by name; further keys are allowed."""

    model_config = ConfigDict(extra="allow")

    segmenter: SegmenterScores | None = None


class BundleMetadata(BaseModel):
    """Content of ``bundle.yaml``: origin, input, output and label space of the weights."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = BUNDLE_FORMAT_VERSION
    name: str
    version: str
    description: str = ""
    label_space: str
    label_space_digest: str
    weights_sha256: str
    segmenter_sha256: str | None = None
    input: str = "label ids of the label space and the simulator's RGB frame, any size"
    output: str = "RGB uint8, the input's size"
    images_seen: int = 0
    started_from: str = ""
    palettes: int = 0
    training_data: str = ""
    training_data_licence: str = ""
    perceptual_network: str = "none"
    metrics: BundleMetrics = BundleMetrics()
    gate: GateThresholds | None = None
    changelog: list[str] = []
