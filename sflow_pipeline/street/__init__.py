"""A small street simulator: perspective streets with exact labels, depth, flow and boxes, drawn in NumPy and OpenCV.

It makes the sample dumps of ``sflow-pipeline simulate``. Importing it loads OpenCV; the adapters beside it do not.
"""

from sflow_pipeline.street.annotations import NO_DEPTH
from sflow_pipeline.street.sequence import (
    FPS,
    LABEL_SPACE,
    VERSION,
    Look,
    StreetFrame,
    StreetSequence,
)

__all__ = [
    "FPS",
    "LABEL_SPACE",
    "NO_DEPTH",
    "VERSION",
    "Look",
    "StreetFrame",
    "StreetSequence",
]
