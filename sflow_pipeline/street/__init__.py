"""A small street simulator: perspective streets with exact labels, depth, flow and boxes, drawn in NumPy and OpenCV.

It makes the sample dumps of ``sflow-pipeline simulate``. Importing it loads OpenCV; the adapters beside it do not.
"""

from sflow_pipeline.street.annotations import DEPTH_UNIT_M, NO_DEPTH
from sflow_pipeline.street.sequence import (
    FPS,
    LABEL_SPACE,
    LARGEST_PX,
    LOOKS,
    SMALLEST_PX,
    VERSION,
    Look,
    StreetFrame,
    StreetSequence,
)

__all__ = [
    "DEPTH_UNIT_M",
    "FPS",
    "LABEL_SPACE",
    "LARGEST_PX",
    "LOOKS",
    "NO_DEPTH",
    "SMALLEST_PX",
    "VERSION",
    "Look",
    "StreetFrame",
    "StreetSequence",
]
