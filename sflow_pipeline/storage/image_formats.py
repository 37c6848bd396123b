"""Formats of converted images: PNG, lossless WebP, JPEG; labels and planes are PNG whatever the images are."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.field_types import ImageFormat
from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.storage.image_codec import encode_jpeg, encode_rgb

_JPEG_QUALITY = 95


@dataclass(frozen=True)
class _Properties:
    suffix: str
    description: str
    longest_side_px: int


_PROPERTIES: dict[ImageFormat, _Properties] = {
    "png": _Properties(".png", "PNG", 2**31 - 1),
    "webp": _Properties(".webp", "WebP, lossless", 16_383),
    "jpeg": _Properties(
        ".jpg", f"JPEG of quality {_JPEG_QUALITY}, a loss of a few grey levels; scores are of the image before", 65_500
    ),
}


def get_image_suffix(image_format: ImageFormat) -> str:
    """The ending of an image's file, such as ``.png``."""
    return _PROPERTIES[image_format].suffix


def describe_image_format(image_format: ImageFormat) -> str:
    """The format in words, for the dataset card."""
    return _PROPERTIES[image_format].description


def check_image_format(image_format: ImageFormat, longest_side_px: int) -> None:
    """Refuse a format that this installation cannot write, or that cannot hold the images.

    Args:
        image_format: of a job.
        longest_side_px: of the largest image.

    Raises:
        MissingExtraError: Pillow is not installed.
        UsageError: it lacks WebP, or a side is too long.
    """
    limit = _PROPERTIES[image_format].longest_side_px
    if longest_side_px > limit:
        raise UsageError(
            f"image_format {image_format}: an image has a side of {longest_side_px} pixels, the format holds {limit}",
            hint="convert with --image-format png, or with --size",
            fields=("image_format",),
        )
    if image_format == "webp":
        _load_pillow()


def encode_image(image: NDArray[np.uint8], image_format: ImageFormat) -> bytes:
    """(h, w, 3) uint8 RGB to a file of a format; with the same libraries, the same array gives the same bytes.

    Raises:
        MissingExtraError: Pillow is not installed.
        UsageError: it lacks WebP.

    >>> encode_image(np.zeros((8, 8, 3), np.uint8), "jpeg")[:3].hex()
    'ffd8ff'
    """
    if image_format == "png":
        return encode_rgb(image)
    if image_format == "jpeg":
        return encode_jpeg(image, _JPEG_QUALITY, full_color=True)
    buffer = io.BytesIO()
    # The fastest setting: slower ones take 3 to 10 times as long for a tenth of the bytes.
    _load_pillow().fromarray(image).save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()


def _load_pillow() -> Any:
    try:
        from PIL import Image, features
    except ImportError as error:
        raise MissingExtraError(
            f"image_format webp needs Pillow, which is not installed ({error})",
            hint="pip install 'sflow-pipeline[webp]', on every machine that converts; or convert with "
            "--image-format png",
            fields=("image_format",),
        ) from error
    if not features.check("webp"):
        raise UsageError(
            "image_format webp: the installed Pillow was built without WebP",
            hint="pip install --force-reinstall pillow, or convert with --image-format png",
            fields=("image_format",),
        )
    return Image
