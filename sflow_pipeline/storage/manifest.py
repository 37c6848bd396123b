"""The manifest: a dataset's description of itself, assembled from the commit records; the last file of a run."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from sflow_pipeline.errors import OutputError
from sflow_pipeline.schema import DATASET_FORMAT_VERSION
from sflow_pipeline.storage.canonical_json import compute_digest, encode_json
from sflow_pipeline.storage.commits import STATE_PATH, ShardRecord, list_record_files
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest_json import (
    DamagedValueError,
    ShardCollector,
    decode_manifest,
    encode_manifest,
    validate_json,
)
from sflow_pipeline.storage.older_manifests import upgrade_manifest
from sflow_pipeline.storage.shard_counts import Counts
from sflow_pipeline.storage.write_errors import translate_write_errors

MANIFEST_PATH = "manifest.json"
#: The label spaces involved and the mapping between them.
LABELS_PATH = "labels.json"
#: What was left out, as text; it follows from the other files of its folder.
REASONS_PATH = "quarantine/reasons.txt"
_TOOL = "sflow-pipeline"
#: Key of the digest of everything else in the manifest but its shards, which have records of their own.
_DIGEST = "manifest_sha256"


@dataclass(frozen=True)
class Source:
    """The dump that was converted.

    Attributes:
        root: its folder or URI at that time.
        simulator, simulator_version: adapter and version.
        label_encoding: how label files hold class ids.
        label_table_format: how the frames' label tables are read; empty without tables.
        label_rule: rule that refined the model's input; empty without one.
        instance_encoding: what the values of instance files mean.
        why: how the adapter was chosen.
        fps: frames per second; None if unknown.
        metadata: further facts that the dump states.
    """

    root: str
    simulator: str
    simulator_version: str
    label_encoding: str
    label_table_format: str
    label_rule: str
    instance_encoding: str
    why: str
    fps: float | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class BundleNote:
    """The bundle that a dataset was converted with."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class SpaceNote:
    """The label space of the label files."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True)
class LeftOut:
    """Files of the dump that belong to no frame.

    Attributes:
        path: quarantine file that lists them.
        sha256: of that file.
        files: how many.
        reasons: reason -> files.
    """

    path: str
    sha256: str
    files: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything that ``manifest.json`` states; independent of when and by how many workers it was made.

    Attributes:
        tool_version: of sflow-pipeline.
        job: the job's fields that decide content, JSON-like; a record for people, not read back.
        variants, seed: of the job.
        source, bundle, label_space: what was converted, with what, labels of which space.
        label_resized: some label files have another size than their source.
        columns: columns of the rows, in order.
        settings_fingerprint: of the resolved settings.
        edge_threshold: of the Laplacian edge extractor.
        device, precision: hardware kind and number format that the networks ran on.
        batch_size: frames translated at once, which decides kernels on a GPU; None on a CPU, where it does not matter.
        appearance: how far images follow their renders, resolved; None for bundles without an appearance map.
        smooth: how far images are blended with their neighbours, resolved.
        limits: of the job, where they are not the defaults; a record for people.
        warnings: about the dump and the job.
        left_out: files of no frame; None if there are none.
        reasons_sha256: of the text file of what was left out; None without one, as in older datasets.
        labels_sha256: of ``labels.json``; None in older datasets.
        shards: in the order of the index.
        counts, splits: totals, overall and per split.
    """

    tool_version: str
    job: Mapping[str, Any]
    variants: int
    seed: int
    source: Source
    bundle: BundleNote
    label_space: SpaceNote
    label_resized: bool
    columns: tuple[str, ...]
    settings_fingerprint: str
    edge_threshold: float
    device: str
    precision: str
    warnings: tuple[str, ...]
    left_out: LeftOut | None
    shards: tuple[ShardRecord, ...]
    counts: Counts
    splits: Mapping[str, Counts]
    batch_size: int | None = None
    appearance: float | None = None
    smooth: float = 0.0
    limits: Mapping[str, Any] = field(default_factory=dict)
    reasons_sha256: str | None = None
    labels_sha256: str | None = None
    tool: str = _TOOL
    format_version: int = DATASET_FORMAT_VERSION

    def list_files(self, folder: Folder) -> set[str]:
        """Every file below ``data/`` and ``quarantine/`` that belongs to the dataset."""
        files = list_record_files(folder, self.shards) | ({self.left_out.path} if self.left_out else set())
        return files | ({REASONS_PATH} if self.reasons_sha256 else set())


def write_manifest(folder: Folder, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically, with a digest of itself."""
    content = json.loads(encode_json(asdict(replace(manifest, shards=()))))
    content[_DIGEST] = compute_digest(content)
    with folder.scratch(MANIFEST_PATH) as scratch, translate_write_errors(f"{folder.uri}: {MANIFEST_PATH}"):
        with scratch.path.open("wb") as stream:
            stream.writelines(encode_manifest(content, map(asdict, manifest.shards)))
        scratch.publish(MANIFEST_PATH)


def load_manifest(folder: Folder, *, with_shards: bool = True) -> Manifest:
    """The manifest of a finished dataset, validated field by field; fields that this version does not know are ignored.

    Args:
        folder: the dataset.
        with_shards: keep the records of shards; otherwise they are validated, and there are none.

    Raises:
        OutputError: there is none, it is damaged, of a newer format, or not of this tool.
    """
    return _load(folder, ShardCollector(is_keeping=with_shards))[0]


def check_manifest(folder: Folder) -> tuple[Manifest, bool]:
    """As ``load_manifest``; and whether it states what was written, its shards aside. Older ones have no digest."""
    manifest, content = _load(folder, ShardCollector(is_keeping=True))
    digest = content.pop(_DIGEST, None)
    return manifest, digest is None or digest == compute_digest(content)


def _load(folder: Folder, shards: ShardCollector) -> tuple[Manifest, dict[str, Any]]:
    content = _read_content(folder, shards.add)
    if content is None:
        unfinished = bool(folder.list_files(STATE_PATH))
        raise OutputError(
            f"{folder.uri}: {'conversion did not finish' if unfinished else 'not a dataset'}: no manifest.json",
            hint="run the same convert command again; finished shards are kept" if unfinished else "check the path",
        )
    _check_origin(folder, content)
    try:
        manifest = validate_json(_adapter(), upgrade_manifest(content))
        return replace(manifest, shards=shards.finish()), content
    except DamagedValueError as error:
        raise OutputError(
            f"{folder.uri}/{MANIFEST_PATH}: damaged at {error}",
            hint="run the same convert command again; finished shards are kept",
        ) from None


def check_ours(folder: Folder) -> bool:
    """Refuse a folder that holds anything but a dataset of this tool; False where its manifest is damaged.

    Raises:
        OutputError: it is not empty and nothing of this tool is in it, or its format is newer.
    """
    try:
        content = _read_content(folder, lambda _shard: None)
    except OutputError as error:
        cause = error.__cause__
        if (isinstance(cause, OSError) and folder.is_passing(cause)) or not folder.list_files(STATE_PATH):
            raise
        return False
    if content is not None and (content or not folder.list_files(STATE_PATH)):
        _check_origin(folder, content)
        return True
    files = folder.list_files()
    if any(path.startswith(f"{STATE_PATH}/") for path in files):
        return content is None
    visible = [path for path in files if not path.startswith(".")]
    if visible:
        raise _not_ours(
            folder, f"it holds {visible[0]}" + (f" and {len(visible) - 1} more" if len(visible) > 1 else "")
        )
    return True


def _check_origin(folder: Folder, content: Mapping[str, Any]) -> None:
    if content.get("tool") != _TOOL:
        raise _not_ours(folder, "its manifest.json was not written by sflow-pipeline")
    version = content.get("format_version")
    if isinstance(version, int) and version > DATASET_FORMAT_VERSION:
        raise OutputError(
            f"{folder.uri}: format version {version} is newer than this version's {DATASET_FORMAT_VERSION}",
            hint="update sflow-pipeline, or choose another folder",
        )


def _read_content(folder: Folder, on_shard: Callable[[Any], None]) -> dict[str, Any] | None:
    """What the manifest states, without its shards, of which each is handed over; None where there is no manifest."""
    try:
        data = io.BytesIO(folder.read_bytes(MANIFEST_PATH))
        content = decode_manifest(io.TextIOWrapper(data, "utf-8", newline="\n"), on_shard)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise OutputError(f"{folder.uri}: a file, not a folder", hint="choose another output folder") from error
    except (OSError, ValueError, RecursionError) as error:
        is_passing = isinstance(error, OSError) and folder.is_passing(error)
        raise OutputError(
            f"{folder.uri}/{MANIFEST_PATH}: cannot be read: {error}",
            hint="restore access to the folder and run again" if is_passing else "remove it, then convert again",
        ) from error
    return content if isinstance(content, dict) else {}


def _not_ours(folder: Folder, reason: str) -> OutputError:
    return OutputError(
        f"{folder.uri}: not a dataset of sflow-pipeline: {reason}",
        hint="choose an empty or new folder; nothing was changed",
    )


@cache
def _adapter() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)
