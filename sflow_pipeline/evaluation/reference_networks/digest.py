"""The sha256 of a network's file, checked against its description."""

from pathlib import Path

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.storage.shard_file import hash_file


def check_digest(spec: NetworkSpec) -> str:
    """The sha256 of a network's file.

    Raises:
        UsageError: the file cannot be read, or its digest differs from the stated one.
    """
    path = Path(spec.file)
    try:
        digest = hash_file(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}", hint="check the path") from error
    if spec.sha256 is not None and spec.sha256.lower() != digest:
        raise UsageError(
            f"{path}: sha256 {digest[:12]}…, expected {spec.sha256[:12]}…",
            hint="restore the file that the YAML describes, or correct its sha256",
        )
    return digest
