"""The result of the last ``verify``, kept beside the report while the dataset is the one that was checked."""

import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from sflow_pipeline.report.page_parts import clip
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import MANIFEST_PATH

NOTE_PATH = "report/verification.json"
_SHOWN = 20
_COUNTS = ("shards", "rows", "labels_compared", "sources_missing", "sources_changed")


def write_verification(out_dir: str, found: Mapping[str, Any]) -> None:
    """Keep the result of a check.

    Args:
        out_dir: the dataset.
        found: the counts and problems of a ``Verification``.

    Raises:
        OutputError: the file cannot be written.
    """
    folder = Folder(out_dir)
    kept = {name: found[name] for name in (*_COUNTS, "problems")}
    folder.write_bytes(NOTE_PATH, encode_json({**kept, "manifest_sha256": _hash_manifest(folder)}))


def draw_verification(folder: Folder) -> str:
    """A paragraph about the last check; without one, or where the dataset has changed since, how to check it."""
    try:
        note = json.loads(folder.read_bytes(NOTE_PATH))
        is_current = note["manifest_sha256"] == _hash_manifest(folder)
        counts = {name: int(note[name]) for name in _COUNTS}
        problems = [str(problem) for problem in note["problems"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        is_current, counts, problems = False, {}, []
    if not is_current:
        return "<p>Not checked since it was written: <code>sflow-pipeline verify OUT_DIR</code></p>"
    text = f"{counts['rows']:,} rows in {counts['shards']:,} shards"
    text += f", {counts['labels_compared']:,} labels equal to their source" if not problems else ""
    missing = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in _COUNTS[3:] if counts[name]]
    verdict = f"{len(problems):,} problems" if problems else "sound"
    lines = "".join(f'<li class="warn">{escape(clip(problem, 400))}</li>' for problem in problems[:_SHOWN])
    listed = f"<ul>{lines}</ul>" if lines else ""
    return f"<p>Last check: {verdict}; {', '.join([text, *missing])}.</p>{listed}"


def _hash_manifest(folder: Folder) -> str:
    return hashlib.sha256(folder.read_bytes(MANIFEST_PATH)).hexdigest()
