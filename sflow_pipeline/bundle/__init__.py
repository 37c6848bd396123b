"""Bundles: folders with trained networks and their metadata."""

from sflow_pipeline.bundle.bundle import DEFAULT_BUNDLE, Bundle, find_model, list_bundles, load_bundle
from sflow_pipeline.bundle.metadata import GateThresholds, SegmenterScores
from sflow_pipeline.bundle.write_bundle import (
    add_gate_thresholds,
    add_palette_bundle,
    add_segmenter,
    build_random_bundle,
    keep_segmenter,
    save_bundle,
)

__all__ = [
    "DEFAULT_BUNDLE",
    "Bundle",
    "GateThresholds",
    "SegmenterScores",
    "add_gate_thresholds",
    "add_palette_bundle",
    "add_segmenter",
    "build_random_bundle",
    "find_model",
    "keep_segmenter",
    "list_bundles",
    "load_bundle",
    "save_bundle",
]
