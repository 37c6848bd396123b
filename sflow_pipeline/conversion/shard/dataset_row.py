"""Dataset row: one converted image with its label, its other files, its origin and its scores."""

from pathlib import PurePosixPath
from typing import Any

from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.painting.paint import Painted
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.storage.image_codec import encode_gray
from sflow_pipeline.storage.image_formats import encode_image, get_image_suffix


def build_row(decoded: DecodedFrame, painted: Painted, variant: int, settings: ConversionSettings) -> dict[str, Any]:
    """The row of one accepted variant.

    Raises:
        MissingExtraError: a library that the image format needs is missing.
    """
    ref = decoded.ref
    files = dict(decoded.files)
    if "edge" in settings.columns:
        files["edge"] = encode_gray(painted.edge)
    name = PurePosixPath(ref.sample_id).name
    image_format = settings.job.image_format
    carried = {
        column: {"bytes": data, "path": f"{name}.png" if column == "edge" else getattr(ref, column)}
        for column, data in files.items()
    }
    return {
        "sample_id": ref.sample_id,
        "sequence_id": ref.sequence_id,
        "frame_index": ref.frame_index,
        "variant": variant,
        "split": ref.split,
        "image": {
            "bytes": encode_image(painted.photo, image_format),
            "path": f"{name}{get_image_suffix(image_format)}",
        },
        "label": {"bytes": decoded.label_bytes, "path": ref.label},
        **carried,
        **decoded.texts,
        "source_uri": ref.source,
        "source_sha256": decoded.source_sha256,
        "label_sha256": decoded.label_sha256,
        "width_px": painted.photo.shape[1],
        "height_px": painted.photo.shape[0],
        "alpha": painted.look.alpha.tolist(),
        "palette": painted.look.palette,
        "appearance": painted.look.appearance,
        "photo_colors": painted.look.photo_colors,
        "smooth": settings.smooth,
        "shifts": settings.job.shifts,
        "seed": settings.job.seed,
        "bundle_digest": settings.bundle_digest,
        "attempts": painted.attempts,
        **painted.judgement.scores,
    }
