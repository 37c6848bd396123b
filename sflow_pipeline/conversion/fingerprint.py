"""A shard's fingerprint: sha256 over everything that decides its bytes."""

from collections.abc import Sequence
from dataclasses import asdict

from sflow_pipeline.conversion.index import SourceFrame
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.storage.manifest import compute_digest


def compute_fingerprint(settings: ConversionSettings, frames: Sequence[SourceFrame]) -> str:
    """sha256 hex of a shard's frames, their files' identities and the settings.

    Other frames of the dump, the place of the folders and the number of workers do not count.
    """
    return compute_digest(
        {"settings": settings.fingerprint, "frames": [[asdict(frame.ref), frame.identities] for frame in frames]}
    )
