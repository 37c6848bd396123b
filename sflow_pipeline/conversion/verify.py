"""`verify`: checks a dataset against its manifest, down to each label and picture."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from sflow_pipeline.conversion.dataset_card import CARD_PATH, describe_files
from sflow_pipeline.conversion.frame.decode import resize_label
from sflow_pipeline.conversion.shard.quarantine import build_reasons
from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.errors import FrameError, SflowError, first_line
from sflow_pipeline.storage.commits import ShardRecord, load_commits
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb, read_size_px
from sflow_pipeline.storage.manifest import LABELS_PATH, REASONS_PATH, check_manifest
from sflow_pipeline.storage.shard_counts import count_shards
from sflow_pipeline.storage.shard_file import hash_stored_file, read_shard
from sflow_pipeline.untrusted.plain_yaml import YamlError, parse_plain_yaml


@dataclass(frozen=True)
class Verification:
    """Result of `verify`.

    Attributes:
        out_dir: the dataset.
        shards, rows: checked.
        labels_compared: label files compared with their source byte for byte (or resized as the job said).
        sources_missing: rows whose source cannot be read any more; not a fault of the dataset.
        sources_changed: rows whose source has other bytes than when it was converted; the dataset is out of date.
        problems: faults of the dataset, one line each.
    """

    out_dir: str
    shards: int
    rows: int
    labels_compared: int
    sources_missing: int
    sources_changed: int
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def verify(
    out_dir: str | Path,
    *,
    source: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verification:
    """Check digests, rows, pictures, labels and counts of a dataset.

    Args:
        out_dir: the dataset.
        source: current folder of the dump; the one that the manifest names where None.
        on_progress: gets the rows that are done and all there are.

    Raises:
        OutputError: there is no finished dataset.
    """
    out_dir = str(out_dir)
    out = Folder(out_dir)
    manifest, is_whole = check_manifest(out)
    check = _Check(Contents(out, manifest), Folder(str(source or manifest.source.root)), on_progress)
    for record in manifest.shards:
        check.check_shard(record)
    check.check_manifest(is_whole=is_whole)
    return Verification(
        out.uri,
        len(manifest.shards),
        check.rows,
        check.labels_compared,
        check.sources_missing,
        check.sources_changed,
        tuple(check.problems),
    )


class _Check:
    """Collects problems; a damaged shard does not end the check of the others."""

    def __init__(self, contents: Contents, source: Folder, on_progress: Callable[[int, int], None]) -> None:
        self._contents = contents
        self._out = contents.folder
        self._manifest = contents.manifest
        self._on_progress = on_progress
        self._source = source
        self._seen: set[tuple[str, int]] = set()
        self.rows = 0
        self.labels_compared = 0
        self.sources_missing = 0
        self.sources_changed = 0
        self.problems: list[str] = []

    def check_shard(self, record: ShardRecord) -> None:
        for path, sha256 in ((record.path, record.sha256), (record.quarantine_path, record.quarantine_sha256)):
            if path is not None:
                self._check_bytes(path, sha256, "its commit")
        rows = 0
        try:
            for row in self._contents.read_shard(record):
                rows += 1
                self._check_row(row, record)
                self._on_progress(self.rows + rows, self._manifest.counts.rows)
        except SflowError as error:
            self.problems.append(error.message)
        except (KeyError, TypeError, ValueError) as error:
            self.problems.append(f"{record.path}: cannot be read ({error!r})")
        if rows != record.rows:
            self.problems.append(f"{record.path}: {rows} rows, its commit says {record.rows}")
        if record.quarantine_path is not None:
            self._check_quarantine(record, record.quarantine_path)
        variants = self._manifest.variants
        if record.rows + record.rejected != (record.frames - record.quarantined) * variants:
            self.problems.append(
                f"shard {record.shard_id}: {record.rows} rows and {record.rejected} rejected images of {record.frames} "
                f"frames, {record.quarantined} of them quarantined, in {variants} variants do not add up"
            )
        self.rows += rows

    def _check_bytes(self, path: str, sha256: str | None, source: str) -> None:
        try:
            if hash_stored_file(self._out, path) != sha256:
                self.problems.append(f"{path}: bytes are not those of {source}")
        except OSError as error:
            self.problems.append(f"{path}: cannot be read ({first_line(error)})")

    def check_manifest(self, *, is_whole: bool) -> None:
        manifest = self._manifest
        stated, summed = manifest.counts, count_shards(manifest.shards)
        for name in ("frames", "rows", "quarantined", "rejected"):
            if getattr(stated, name) != getattr(summed, name):
                self.problems.append(
                    f"manifest.json: {name} {getattr(stated, name)}, its shards add up to {getattr(summed, name)}"
                )
        if not is_whole:
            self.problems.append("manifest.json: states other facts than were written")
        if manifest.left_out is not None:
            self._check_bytes(manifest.left_out.path, manifest.left_out.sha256, "the manifest")
        self._check_reasons()
        self._check_labels()
        self._check_card()
        commits = load_commits(self._out)
        if commits and commits != {record.shard_id: record for record in manifest.shards}:
            self.problems.append("manifest.json: differs from the commit records; run the same convert command again")
        try:
            named = manifest.list_files(self._out)
        except (OSError, ValueError):
            return  # which list it is was said of its shard; without it nothing can be called superfluous
        for path in (*self._out.list_files("data"), *self._out.list_files("quarantine")):
            if path not in named:
                self.problems.append(f"{path}: belongs to no shard of the manifest")

    def _read_document(self, path: str) -> bytes | None:
        """A document beside the shards; None, and a problem, where it cannot be read."""
        try:
            return self._out.read_bytes(path)
        except OSError as error:
            self.problems.append(f"{path}: cannot be read ({first_line(error)})")
            return None

    def _check_reasons(self) -> None:
        """Compare the text of what was left out with the quarantine rows."""
        if self._manifest.reasons_sha256 is None:
            return
        try:
            expected = build_reasons(self._out, self._manifest.shards, self._manifest.left_out)
        except (OSError, pa.ArrowException):
            return  # which file cannot be read was said
        found = self._read_document(REASONS_PATH)
        if found is not None and found != expected:
            self.problems.append(f"{REASONS_PATH}: differs from the quarantine rows; convert again to renew it")

    def _check_labels(self) -> None:
        """Compare the class tables with the manifest's digest: without them ids mean nothing."""
        expected = self._manifest.labels_sha256
        found = self._read_document(LABELS_PATH)
        if found is None or expected is None:
            return
        if hashlib.sha256(found).hexdigest() != expected:
            self.problems.append(f"{LABELS_PATH}: bytes are not those that were written")

    def _check_card(self) -> None:
        """Compare the files that the card lists for ``load_dataset`` with the shards; the rest of it may be edited."""
        data = self._read_document(CARD_PATH)
        if data is None:
            return
        text = data.decode("utf-8", "replace")
        expected = describe_files(self._manifest.shards)
        is_header = text.startswith("---\n")
        if is_header and yaml.safe_dump({"configs": expected}, sort_keys=False, allow_unicode=True) in text:
            return
        try:
            header = parse_plain_yaml(text.split("---\n")[1]) if is_header else None
        except (IndexError, YamlError):
            header = None
        if not isinstance(header, dict) or header.get("configs") != expected:
            self.problems.append(f"{CARD_PATH}: lists other files for load_dataset than the manifest")

    def _check_row(self, row: dict[str, Any], record: ShardRecord) -> None:
        self.problems.extend(f"{record.path}: {row['sample_id']}: {text}" for text in self._find_faults(row, record))

    def _find_faults(self, row: dict[str, Any], record: ShardRecord) -> Iterator[str]:
        identity = (row["sample_id"], row["variant"])
        if identity in self._seen:
            yield f"variant {row['variant']} occurs twice"
        self._seen.add(identity)
        if row["split"] != record.split:
            yield f"is of split {row['split']}, its shard of {record.split}"
        if row["bundle_digest"] != self._manifest.bundle.digest:
            yield "was converted with another bundle than the manifest names"
        size_px = (row["width_px"], row["height_px"])
        for value in row.values():
            is_file = isinstance(value, dict) and "sha256" in value
            if is_file and hashlib.sha256(value["bytes"]).hexdigest() != value["sha256"]:
                yield f"{value['path']}: bytes are not those that were written"
        try:
            picture = decode_rgb(row["image"]["bytes"], name="image")
            if (picture.shape[1], picture.shape[0]) != size_px:
                yield f"image has {picture.shape[1]}x{picture.shape[0]} pixels, the row says {size_px[0]}x{size_px[1]}"
            label_size_px = read_size_px(row["label"]["bytes"], name="label")
            if label_size_px != size_px:
                yield f"label has {label_size_px[0]}x{label_size_px[1]} pixels, the row says {size_px[0]}x{size_px[1]}"
            yield from self._compare_label(row, size_px)
        except FrameError as error:
            yield error.message

    def _compare_label(self, row: dict[str, Any], size_px: tuple[int, int]) -> Iterator[str]:
        label = row["label"]["bytes"]
        is_untouched = hashlib.sha256(label).hexdigest() == row["label_sha256"]
        if not is_untouched and not self._manifest.label_resized:
            yield "label is not the bytes that were read"
            return
        path = row["label"].get("source") or row["label"]["path"]
        try:
            found = self._source.read_bytes(path)
        except OSError:
            self.sources_missing += 1
            return
        if hashlib.sha256(found).hexdigest() != row["label_sha256"]:
            self.sources_changed += 1
            return
        self.labels_compared += 1
        if not is_untouched and label != resize_label(found, path, self._contents.label_format.encoding, size_px):
            yield f"label is not {path} at the row's size"

    def _check_quarantine(self, record: ShardRecord, path: str) -> None:
        try:
            count = sum(1 for _row in read_shard(self._out, path))
        except (OSError, pa.ArrowException) as error:
            self.problems.append(f"{path}: cannot be read ({first_line(error)})")
            return
        expected = record.quarantined + record.rejected
        if count != expected:
            self.problems.append(f"{path}: {count} rows, its commit says {expected}")
