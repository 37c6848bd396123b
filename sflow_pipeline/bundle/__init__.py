"""Bundles: trained networks in a folder that describes itself."""

from sflow_pipeline.bundle.bundle import (
    DEFAULT_BUNDLE,
    Bundle,
    add_segmenter,
    build_random_bundle,
    find_model,
    load_bundle,
    save_bundle,
)
from sflow_pipeline.bundle.metadata import BundleMetadata, SegmenterScores

__all__ = [
    "DEFAULT_BUNDLE",
    "Bundle",
    "BundleMetadata",
    "SegmenterScores",
    "add_segmenter",
    "build_random_bundle",
    "find_model",
    "load_bundle",
    "save_bundle",
]
