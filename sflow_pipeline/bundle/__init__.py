"""Bundles: trained networks in a folder that describes itself."""

from sflow_pipeline.bundle.bundle import (
    DEFAULT_BUNDLE,
    Bundle,
    BundleMetadata,
    build_random_bundle,
    find_model,
    load_bundle,
    save_bundle,
)

__all__ = [
    "DEFAULT_BUNDLE",
    "Bundle",
    "BundleMetadata",
    "build_random_bundle",
    "find_model",
    "load_bundle",
    "save_bundle",
]
