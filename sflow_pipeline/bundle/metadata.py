"""Fields of ``bundle.yaml``."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

BUNDLE_FORMAT_VERSION = 1
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def _read_numbers(value: Any) -> Any:
    """Texts that are written as numbers become numbers: keys without a declared type are read as text.

    >>> _read_numbers({"miou": "0.5", "photos": "51", "protocol": "as of 0.7.0", "version": "0.7.0"})
    {'miou': 0.5, 'photos': 51, 'protocol': 'as of 0.7.0', 'version': '0.7.0'}
    """
    if isinstance(value, dict):
        return {key: _read_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read_numbers(item) for item in value]
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return int(value) if value.lstrip("+-").isdigit() else float(value)


#: Checks of the gate whose thresholds depend on the generator as well as on the segmenter.
STRUCTURE_CHECKS = ("structure_kept", "structure_object", "structure_alike")
#: All checks that there are.
CHECKS = (
    *("pixel_accuracy", "miou", "likelihood", "region", "objects", "blank", "naming", "outlines", "mirror", "together"),
    *STRUCTURE_CHECKS,
)


class SegmenterScores(BaseModel):
    """Scores of the bundle's segmenter on whole held-out photos."""

    model_config = ConfigDict(extra="forbid")

    pixel_accuracy: float
    miou: float
    held_out_photos: int
    images_seen: int


class UsualAgreement(BaseModel):
    """What is usual on real photos.

    Attributes:
        recall: class -> its mean recall.
        confusion: labelled class -> class that the segmenter takes it for -> usual strength of such contradictions.
        checks: check -> its median, and the usual distance below it (``bundle.combined_check``).
    """

    model_config = ConfigDict(extra="forbid")

    recall: dict[str, float]
    confusion: dict[str, dict[str, float]] = {}
    checks: dict[str, list[float]] = {}


class GateThresholds(UsualAgreement):
    """What an image's agreement with its label must reach (``bundle.label_agreement``), from real photos.

    Attributes:
        passing_share: of the real pairs, at least, that reach every threshold.
        photos: number of these pairs.
        height_px: least height that pictures are reduced to before they are scored.
        least: check -> least value.
    """

    passing_share: float
    photos: int
    height_px: int
    least: dict[str, float]


class BundleMetrics(BaseModel):
    """Measurements by name; further keys are allowed."""

    model_config = ConfigDict(extra="allow")

    segmenter: SegmenterScores | None = None

    @model_validator(mode="before")
    @classmethod
    def _restore_numbers(cls, value: Any) -> Any:
        return _read_numbers(value)


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
    palette_digest: str | None = None
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
