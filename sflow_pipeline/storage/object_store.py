"""Connections to object stores, by their addresses."""

import pyarrow as pa
import pyarrow.fs as pafs

from sflow_pipeline.addresses import redact_address, strip_secrets
from sflow_pipeline.errors import UsageError

#: Schemes of addresses of object stores.
_SCHEMES = ("s3", "gs", "gcs")


def open_store(address: str) -> tuple[pafs.FileSystem, str]:
    """Connection to an object store, and the place in it.

    Raises:
        UsageError: of another kind of address, one that cannot be reached, or one that leads to another place than it
            says.
    """
    shown = redact_address(address)
    scheme, _, rest = address.partition("://")
    named = "give a local path, or s3://bucket/path, gs://bucket/path"
    if scheme.lower() not in _SCHEMES:
        raise UsageError(f"{shown}: folders are not at {scheme}:// addresses", hint=named)
    path = strip_secrets(address).partition("://")[2].partition("?")[0]
    if any(part in ("", ".", "..") for part in path.rstrip("/").split("/")):
        raise UsageError(f"{shown}: a part of its path is empty, . or ..", hint=named)
    try:
        return pafs.FileSystem.from_uri(f"{scheme.lower()}://{rest}")
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        escaped = "; a space is %20 there, # is %23, and other letters are in percent code, too"
        raise UsageError(f"{shown}: not a folder that can be reached ({error})", hint=named + escaped) from error
