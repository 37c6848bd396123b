"""The index: every frame of a dump in order, with an identity for each of its files."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import MODALITIES, FrameRef
from sflow_pipeline.storage.filesystem import Folder

_ORDER = ("split", "sequence_id", "frame_index", "sample_id")
_IO_THREADS = 8


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame and, by modality, the identity of its files: ``<size>:<mtime_ns>``, or ``sha256:<hex>``."""

    ref: FrameRef
    identities: dict[str, str]


def build_index(
    frames: Sequence[FrameRef],
    source: Folder,
    modalities: Sequence[str],
    *,
    content_hash: bool = False,
    split: str | None = None,
) -> pa.Table:
    """Look up every file that will be read, and sort frames by split, sequence, frame index and sample id.

    Args:
        frames: of the dump.
        source: the dump's folder.
        modalities: which files will be read; others are left out, so that they invalidate nothing.
        content_hash: identify files by content, not by size and time.
        split: put every frame there.

    Returns:
        a table with the identities of a frame, and ``<modality>`` and ``<modality>_identity`` columns (null where a
        frame lacks it).

    Raises:
        DumpError: two frames have the same sample id.
    """
    if split is not None:
        frames = [replace(frame, split=split) for frame in frames]
    ordered = sorted(frames, key=lambda frame: tuple(getattr(frame, name) for name in _ORDER))
    _check_unique(ordered)
    columns: dict[str, list[object]] = {name: [getattr(frame, name) for frame in ordered] for name in _ORDER}
    for modality in modalities:
        paths: list[str | None] = [getattr(frame, modality) for frame in ordered]
        identities = _identify(source, sorted({path for path in paths if path}), content_hash)
        columns[modality] = list(paths)
        columns[f"{modality}_identity"] = [identities[path] if path else None for path in paths]
    return pa.table(columns)


def read_frames(index: pa.Table) -> list[SourceFrame]:
    """The frames of (a slice of) an index."""
    frames = []
    rows: list[dict[str, Any]] = index.to_pylist()
    for row in rows:
        fields: dict[str, Any] = {name: row.get(name) for name in MODALITIES} | {name: row[name] for name in _ORDER}
        identities = {name: row[f"{name}_identity"] for name in MODALITIES if row.get(name) is not None}
        frames.append(SourceFrame(FrameRef(**fields), identities))
    return frames


def _identify(source: Folder, paths: list[str], content_hash: bool) -> dict[str, str]:
    if content_hash:
        with ThreadPoolExecutor(_IO_THREADS) as pool:
            return dict(zip(paths, pool.map(lambda path: _hash(source, path), paths), strict=True))
    facts = source.stat(paths)
    return {path: f"{fact.size_bytes}:{fact.mtime_ns}" for path, fact in zip(paths, facts, strict=True)}


def _hash(source: Folder, path: str) -> str:
    try:
        return f"sha256:{hashlib.sha256(source.read_bytes(path)).hexdigest()}"
    except OSError:
        return "missing"  # the frame is quarantined when it is read


def _check_unique(frames: Sequence[FrameRef]) -> None:
    seen: set[str] = set()
    twice = []
    for frame in frames:
        if frame.sample_id in seen:
            twice.append(frame.sample_id)
        seen.add(frame.sample_id)
    if twice:
        raise DumpError(
            f"{len(twice)} sample ids occur more than once: {', '.join(twice[:3])}",
            hint="give every frame a name of its own within its sequence",
        )
