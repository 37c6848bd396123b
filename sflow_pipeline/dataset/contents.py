"""Contents of a finished dataset: manifest, splits, columns, label space, and its rows as a stream."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from sflow_pipeline.columns import CONTENT_COLUMNS, IDENTITY_COLUMNS
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import OutputError, UsageError, first_line
from sflow_pipeline.label_spaces import LabelSpace, list_label_spaces, load_label_space, restore_label_space
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.simulators import LABEL_FORMAT_FACTS, LabelFormat, restore_label_format
from sflow_pipeline.simulators.frame_table import find_steps
from sflow_pipeline.storage.commits import ShardRecord
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import LABELS_PATH, Manifest, load_manifest
from sflow_pipeline.storage.shard_file import read_shard

_LABEL_TABLE = "label_table"


@dataclass(frozen=True)
class MappedClass:
    """A class of the dump and its class in the model's label space."""

    id: int
    name: str
    target_id: int
    target_name: str


@dataclass(frozen=True)
class WrittenMapping:
    """The label mapping as ``labels.json`` states it.

    Attributes:
        mapping: a class of the dump and its class in the model's label space.
        lost: classes that the model's label space lacks.
        pixels: class id -> label pixels of the whole dataset; empty where they were not counted.
    """

    mapping: tuple[MappedClass, ...]
    lost: tuple[str, ...]
    pixels: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """A finished dataset: its manifest, and its rows on demand. The one reader of finished datasets.

    Attributes:
        folder: the dataset's folder.
        manifest: its description of itself.
    """

    folder: Folder
    manifest: Manifest

    @cached_property
    def shards(self) -> tuple[ShardRecord, ...]:
        """The shards that have rows, in the order of the index: split, sequence, frame."""
        return tuple(shard for shard in self.manifest.shards if shard.path is not None and shard.rows)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Content columns (files and texts) that rows may have, in the order of the row."""
        return tuple(name for name in self.manifest.columns if name in CONTENT_COLUMNS)

    @cached_property
    def label_format(self) -> LabelFormat:
        """How the label files hold class ids.

        Raises:
            OutputError: the manifest or ``labels.json`` is damaged.
        """
        source = self.manifest.source
        stated = {name: getattr(source, name) for name in LABEL_FORMAT_FACTS}
        where = f"{self.folder.uri}/manifest.json"
        return restore_label_format(_load_space(self.folder, self.manifest), stated, where)

    def load_label_mapping(self) -> "WrittenMapping":
        """The mapping from the dump's classes to the model's that was applied.

        Raises:
            OutputError: ``labels.json`` is damaged.
        """
        try:
            return TypeAdapter(WrittenMapping).validate_json(self.folder.read_bytes(LABELS_PATH))
        except (OSError, ValueError) as error:
            reason = str(error).replace("\n", " ")
            raise OutputError(
                f"{self.folder.uri}/{LABELS_PATH}: cannot be read: {reason}", hint="run the same convert command again"
            ) from error

    @property
    def fps(self) -> float | None:
        """Frames per second of the source; None if unknown."""
        return self.manifest.source.fps

    @property
    def variants(self) -> int:
        """Photos per frame."""
        return self.manifest.variants

    @property
    def splits(self) -> dict[str, int]:
        """Split -> rows."""
        counts: dict[str, int] = {}
        for shard in self.shards:
            counts[shard.split] = counts.get(shard.split, 0) + shard.rows
        return counts

    @property
    def label_space(self) -> LabelSpace:
        """What the class ids of its labels mean."""
        return self.label_format.space

    def select_shards(self, splits: Sequence[str] | None = None) -> tuple[ShardRecord, ...]:
        """The shards of some splits; of all where None.

        Raises:
            UsageError: there is no such split.
        """
        for split in splits or ():
            check_name("split", split, list(self.splits), self.folder.uri)
        return tuple(shard for shard in self.shards if splits is None or shard.split in splits)

    def find_steps(self, splits: Sequence[str] | None = None) -> dict[str, int]:
        """Sequence -> usual difference of its consecutive frame numbers; a simulator may write every fifth frame."""
        places = (values for shard in self.select_shards(splits) for values in self.read_shard(shard, []))
        return find_steps((values["sequence_id"], values["frame_index"]) for values in places)

    def check_variants(self, variants: Collection[int] | None, *, name: str = "variants") -> None:
        """Refuse numbers of variants that the dataset does not have.

        Args:
            variants: as chosen; None for all.
            name: how the choice is named where it is made.

        Raises:
            UsageError: there is no such variant.
        """
        for variant in variants or ():
            if not 0 <= variant < self.variants:
                raise UsageError(
                    f"{name} {variant}: {self.folder.uri} has {self.variants} variants of each frame",
                    hint=f"choose from 0 to {self.variants - 1}",
                )

    def check_columns(self, columns: Sequence[str] | None) -> tuple[str, ...]:
        """``columns`` if the dataset has them all, every column where None.

        Raises:
            UsageError: it has no such column.
        """
        for column in columns or ():
            check_name("column", column, list(self.columns), self.folder.uri)
        return self.columns if columns is None else tuple(dict.fromkeys(columns))

    def add_needed(self, columns: Sequence[str]) -> tuple[str, ...]:
        """``columns``, and those without which they cannot be decoded: a label whose table says what it means."""
        needs_table = "label" in columns and _LABEL_TABLE in self.columns and _LABEL_TABLE not in columns
        return (*columns, _LABEL_TABLE) if needs_table else tuple(columns)

    def read_rows(
        self,
        splits: Sequence[str] | None = None,
        variants: Collection[int] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[Row]:
        """Stream rows in order, one row group in memory at a time.

        Args:
            splits: every split where None.
            variants: every variant where None.
            columns: which columns to read beside the identity of the row, and what decoding them needs; every one
                where None. Columns that are not named cost nothing.

        Raises:
            UsageError: there is no such split or column.
            OutputError: a shard is gone or damaged.
        """
        for column in columns or ():
            check_name("column", column, list(self.manifest.columns), self.folder.uri)
        for shard in self.select_shards(splits):
            for values in self.read_shard(shard, columns):
                if variants is None or values["variant"] in variants:
                    yield Row(values, self.label_format)

    def read_shard(self, shard: ShardRecord, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Stream one shard's rows as they are stored; ``columns`` as in ``read_rows``.

        Raises:
            OutputError: it is gone or damaged.
        """
        if shard.path is None:
            return
        wanted = None if columns is None else [*IDENTITY_COLUMNS, *self.add_needed(columns)]
        name = f"{self.folder.uri}: {shard.path}"
        with translate_read_errors(name):
            rows = read_shard(self.folder, shard.path, wanted)
        while True:
            with translate_read_errors(name):
                values = next(rows, None)
            if values is None:
                return
            yield values


def load_contents(out_dir: str) -> Contents:
    """Read a dataset's manifest and label space.

    Raises:
        OutputError: there is no finished dataset, or its description is damaged.
    """
    folder = Folder(out_dir)
    contents = Contents(folder, load_manifest(folder))
    _ = contents.label_format  # read now, so that damage is found before any work
    return contents


@contextlib.contextmanager
def translate_read_errors(name: str) -> Iterator[None]:
    """Turn what reading a missing or damaged shard raises into an OutputError that says the way out."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError) as error:
        raise OutputError(
            f"{name}: cannot be read: {first_line(error)}",
            hint="`sflow-pipeline verify` says what is damaged; the same convert command repairs it",
        ) from error


def _load_space(folder: Folder, manifest: Manifest) -> LabelSpace:
    """The label space by name where the packaged one is the same, else as the dataset describes it."""
    stated = manifest.label_space
    if stated.name in list_label_spaces():
        packaged = load_label_space(stated.name)
        if packaged.digest == stated.digest:
            return packaged
    try:
        described = json.loads(folder.read_bytes(LABELS_PATH))["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{folder.uri}/{LABELS_PATH}: cannot be read: {error!r}", hint="run the same convert command again"
        ) from error
    return restore_label_space(described, stated.digest, f"{folder.uri}/{LABELS_PATH}")


def check_name(kind: str, name: str, known: list[str], uri: str) -> None:
    """Refuse a name that a dataset or folder lacks, such as that of a split.

    Raises:
        UsageError: names those it has, and the nearest.
    """
    if name not in known:
        raise UsageError(
            f"{kind} {name!r}: {uri} has no such {kind}, only {', '.join(known) or 'none'}",
            hint=suggest_name(name, known),
        )
