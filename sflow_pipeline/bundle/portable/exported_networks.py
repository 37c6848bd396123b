"""Exported networks as they are on disk: files of a folder that ``models export`` wrote, checked against a bundle."""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sflow_pipeline.addresses import quote_address
from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.portable import FORMATS
from sflow_pipeline.bundle.portable.network_files import load_format
from sflow_pipeline.bundle.portable.portable_bundle import INTERFACE_FILE
from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.untrusted.regular_file import read_regular

_MOST_INTERFACE_BYTES = 16 << 20


@dataclass(frozen=True)
class ExportedNetworks:
    """Files of the networks of one bundle in one format; picklable, for workers that do not share a disk.

    Attributes:
        path: folder.
        format: one of ``FORMATS``.
        digest: sha256 over format and files.
        files: content by name.
    """

    path: str
    format: str
    digest: str
    files: Mapping[str, bytes] = field(repr=False)


def read_export(folder: Path, bundle: Bundle, stated: str) -> ExportedNetworks:
    """Read the files of an export of this bundle.

    Args:
        stated: name or path of the bundle, for hints.

    Raises:
        UsageError: the folder is no export, is damaged, or of another bundle.
        MissingExtraError: what runs its files is not installed.
    """
    interface = _read_interface(folder, bundle, stated)
    found, digests = interface["format"], interface["files"]
    portable = load_format(found)
    if importlib.util.find_spec(portable.runtime) is None:
        raise MissingExtraError(
            f"backend {folder}: {portable.runtime}, which runs {portable.title} files, is not installed",
            hint="pip install -c constraints.txt 'sflow-pipeline[export]', or convert without --backend",
            fields=("backend",),
        )
    again = _export_again(folder, stated, found)
    files = {}
    for name in portable.files:
        try:
            files[name] = read_regular(folder / name)
        except OSError as error:
            raise UsageError(
                f"backend {folder}: {name} cannot be read ({error.strerror})", hint=again, fields=("backend",)
            ) from error
        if hashlib.sha256(files[name]).hexdigest() != digests.get(name):
            raise UsageError(
                f"backend {folder}: {name} is not the file that {INTERFACE_FILE} describes, by its sha256",
                hint=again,
                fields=("backend",),
            )
    return ExportedNetworks(str(folder), found, compute_digest({"format": found, "files": digests}), files)


def _read_interface(folder: Path, bundle: Bundle, stated: str) -> dict[str, Any]:
    """What ``interface.json`` states, of the right types and of this bundle."""
    try:
        content = json.loads(read_regular(folder / INTERFACE_FILE, _MOST_INTERFACE_BYTES))
    except OSError as error:
        # Exports do not write into folders of something else.
        is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
        place = folder if is_free else Path(f"{folder}-openvino")
        raise UsageError(
            f"backend {folder}: no folder of `models export`, {INTERFACE_FILE} cannot be read ({error.strerror})",
            hint=_export_again(place, stated, "openvino"),
            fields=("backend",),
        ) from error
    except (ValueError, RecursionError):
        content = None
    interface = content if isinstance(content, dict) else {}
    made_of, found, files = (interface.get(name) for name in ("bundle", "format", "files"))
    if not isinstance(made_of, dict) or found not in FORMATS or not isinstance(files, dict):
        raise UsageError(
            f"backend {folder}: {INTERFACE_FILE} is damaged: bundle, files or format are missing, or no format of "
            f"{', '.join(FORMATS)}",
            hint=_export_again(folder, stated, "openvino"),
            fields=("backend",),
        )
    if made_of.get("digest") != bundle.digest:
        raise UsageError(
            f"backend {folder}: holds networks of bundle {made_of.get('name')} {made_of.get('version')}, and the job "
            f"converts with {bundle.name} {bundle.metadata.version} (digest {bundle.digest[:12]})",
            hint="name its bundle with --bundle, or " + _export_again(folder, stated, found),
            fields=("backend",),
        )
    return interface


def _export_again(folder: Path, stated: str, to: str) -> str:
    return f"`sflow-pipeline models export {quote_address(stated)} {quote_address(str(folder))} --to {to}` writes it"
