"""The rows of a converted dataset as labelled pictures."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.photo_source import Column, LabelledPhoto, check_split


class DatasetPhotos:
    """See ``PhotoSource``."""

    kind = "dataset"

    def __init__(self, path: str, split: str | None = None, column: Column = "image") -> None:
        self.uri = path
        self.column = column
        self._contents = load_contents(path)
        check_split(path, split, set(self._contents.splits))
        self._splits = None if split is None else [split]
        if column not in self._contents.columns:
            raise UsageError(
                f"{path}: the dataset has no column {column}",
                hint=f"convert again with --include {column} among the columns",
            )
        self.label_space = self._contents.label_space
        self.edge_threshold = self._contents.manifest.edge_threshold

    def __len__(self) -> int:
        return sum(shard.rows for shard in self._contents.select_shards(self._splits))

    @property
    def name(self) -> str:
        """The folder's name."""
        return PurePosixPath(self._contents.folder.full_uri.rstrip("/")).name

    @property
    def facts(self) -> dict[str, Any]:
        """Bundle and tool version of the conversion."""
        manifest = self._contents.manifest
        return {
            "bundle": asdict(manifest.bundle),
            "tool_version": manifest.tool_version,
            "column": self.column,
            "splits": sorted({shard.split for shard in self._contents.select_shards(self._splits)}),
        }

    @property
    def columns(self) -> list[str]:
        """Columns of its rows."""
        return list(self._contents.manifest.columns)

    def read(self) -> Iterator[LabelledPhoto]:
        """See ``PhotoSource.read``."""
        for row in self.read_rows([self.column, "label"]):
            photo = row.decode(self.column)
            assert isinstance(photo, np.ndarray)
            label_map = row.decode_label_for_network((photo.shape[1], photo.shape[0]))
            yield LabelledPhoto(row.sample_id, row.variant, photo, label_map)

    def read_rows(self, columns: list[str]) -> Iterator[Row]:
        """Rows with some of their columns, and their identity."""
        return self._contents.read_rows(self._splits, columns=columns)
