"""Labelled pictures: of a converted dataset, or of any folder that ``inspect`` recognises."""

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.config.job import DUMP_OPTIONS
from sflow_pipeline.dataset.contents import check_name, load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import check_size, decode_rgb
from sflow_pipeline.storage.instance_codec import decode_samples
from sflow_pipeline.storage.manifest import MANIFEST_PATH

Column = Literal["image", "render"]


class DatasetPhotos:
    """The rows of a converted dataset; see ``PhotoSource``.

    Args:
        path: the dataset.
        split: only this split; every one where None.
        column: the converted image, or the rendered frame it was made from.

    Raises:
        OutputError: there is no finished dataset.
        UsageError: the split or the column does not exist.
    """

    kind: Literal["dataset"] = "dataset"

    def __init__(self, path: str, split: str | None = None, column: Column = "image") -> None:
        self.uri = path
        self.column = column
        self._contents = load_contents(path)
        if split is not None:
            check_name("split", split, sorted(set(self._contents.splits)), path)
        self._splits = None if split is None else [split]
        if column not in self._contents.columns:
            raise UsageError(
                f"{path}: the dataset has no column {column}",
                hint=f"convert again with --include {column} among the columns, if the dump has {column}s",
            )
        self.label_space = self._contents.label_space
        self.label_format = self._contents.label_format
        self.variants = self._contents.variants
        self.columns = list(self._contents.manifest.columns)
        self.edge_threshold = self._contents.manifest.edge_threshold

    def __len__(self) -> int:
        return sum(shard.rows for shard in self._contents.select_shards(self._splits))

    def compute_identity(self, *, with_instances: bool = False) -> str:  # noqa: ARG002  shards hold all columns
        """See ``PhotoSource.compute_identity``."""
        return compute_digest([self.column, *(shard.sha256 for shard in self._contents.select_shards(self._splits))])

    @property
    def simulator(self) -> str:
        """Layout of the dump that was converted."""
        return self._contents.manifest.source.simulator

    @property
    def left_out(self) -> str:
        """What the conversion left out, in words; empty where nothing."""
        counts = self._contents.manifest.counts
        found = {"images rejected by the gate": counts.rejected, "frames quarantined": counts.quarantined}
        return " and ".join(f"{count:,} {what}" for what, count in found.items() if count)

    @property
    def source_root(self) -> str:
        """The dump that was converted."""
        return self._contents.manifest.source.root

    @property
    def source_options(self) -> dict[str, Any]:
        """What the conversion's job stated about that dump, as for ``discover``."""
        return {name: self._contents.manifest.job.get(name) for name in DUMP_OPTIONS}

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

    def list_samples(self, limit: int | None = None) -> list[str]:
        """See ``PhotoSource.list_samples``."""
        return [row.sample_id for row in islice(self.read_rows([]), limit)]

    def read(self, *, with_instances: bool = False) -> Iterator[LabelledPhoto]:
        """See ``PhotoSource.read``."""
        with_instances = with_instances and "instance" in self._contents.columns
        for row in self.read_rows([self.column, "label", *(["instance"] if with_instances else [])]):
            photo = row.decode(self.column)
            assert isinstance(photo, np.ndarray)
            label_map = row.decode_label_for_network((photo.shape[1], photo.shape[0]))
            instance_map = row.decode_plane("instance") if with_instances else None
            _check_instances(instance_map, label_map, f"{row.sample_id}: instance")
            yield LabelledPhoto(row.sample_id, row.variant, photo, label_map, instance_map)

    def read_rows(self, columns: list[str]) -> Iterator[Row]:
        """Rows with some of their columns, and their identity."""
        return self._contents.read_rows(self._splits, columns=columns)


class FolderPhotos:
    """The frames of a folder in a known layout; see ``PhotoSource``.

    Args:
        path: the folder.
        split: only this split; every one where None.
        only: sample ids of the frames to take; every one where None.
        options: facts about the folder that its user states, as for ``discover``.

    Raises:
        DumpError: no layout fits, or there is no frame.
        UsageError: the split or a sample does not exist.
    """

    kind: Literal["photos"] = "photos"
    variants = 1

    def __init__(
        self,
        path: str,
        split: str | None = None,
        only: Collection[str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.uri = path
        self.dump = self._dump = discover(path, **(options or {}))
        self._dump.check_renders()
        if split is not None:
            check_name("split", split, sorted({frame.split for frame in self._dump.frames}), path)
        self._frames = [
            frame
            for frame in self._dump.frames
            if (split is None or frame.split == split) and (only is None or frame.sample_id in only)
        ]
        missing = sorted(set(only or ()) - {frame.sample_id for frame in self._frames})
        if missing:
            raise UsageError(
                f"{path}: {len(missing)} of {len(set(only or ()))} frames are not in it, first {missing[0]}",
                hint="give the dump that these pictures were made from, with the same frame names",
            )
        self.label_format = self._dump.label_format
        self.label_space = self.label_format.space

    def __len__(self) -> int:
        return len(self._frames)

    def compute_identity(self, *, with_instances: bool = False) -> str:
        """See ``PhotoSource.compute_identity``."""
        paths = [path for frame in self._frames for path in (frame.render, frame.label, frame.label_table) if path]
        if with_instances:
            paths += [frame.instance for frame in self._frames if frame.instance]
        facts = self._dump.folder.stat(paths)
        stats = [[path, fact.size_bytes, fact.mtime_ns] for path, fact in zip(paths, facts, strict=True)]
        label_format = self._dump.label_format
        return compute_digest([sorted(label_format.describe().items()), stats])

    @property
    def facts(self) -> dict[str, Any]:
        """Layout and splits."""
        return {"layout": self._dump.simulator, "splits": sorted({frame.split for frame in self._frames})}

    @property
    def frames(self) -> list[FrameRef]:
        """The frames by name, in the order of ``read``."""
        return self._frames

    def list_samples(self, limit: int | None = None) -> list[str]:
        """See ``PhotoSource.list_samples``."""
        return [frame.sample_id for frame in islice(self._frames, limit)]

    def list_digests(self) -> Iterator[tuple[FrameRef, str]]:
        """Every frame with the SHA-256 of the file that an image of it is made from, as rows of datasets have it."""
        return ((frame, hashlib.sha256(self._read(frame.source)).hexdigest()) for frame in self._frames)

    def take_evenly(self, count: int) -> None:
        """Keep ``count`` frames at equal distances; all where there are no more."""
        if len(self._frames) > count:
            self._frames = [self._frames[int((i + 0.5) * len(self._frames) / count)] for i in range(count)]

    def read(self, *, with_instances: bool = False) -> Iterator[LabelledPhoto]:
        """See ``PhotoSource.read``."""
        return (self._decode(frame, with_instances=with_instances) for frame in self._frames)

    def read_sound(self) -> Iterator[LabelledPhoto]:
        """The pictures that can be read."""
        for frame in self._frames:
            with contextlib.suppress(FrameError):
                yield self._decode(frame)

    def _decode(self, frame: FrameRef, *, with_instances: bool = False) -> LabelledPhoto:
        photo = decode_rgb(self._read(frame.render), name=frame.render)
        label_map = self._dump.label_format.read_for_network(
            self._read(frame.label),
            self._read(frame.label_table) if frame.label_table else None,
            frame.label,
            (photo.shape[1], photo.shape[0]),
        )
        instance_map = None
        if with_instances and frame.instance:
            instance_map = decode_samples(self._read(frame.instance), name=frame.instance)
            _check_instances(instance_map, label_map, frame.instance)
        return LabelledPhoto(frame.sample_id, 0, photo, label_map, instance_map)

    def _read(self, path: str) -> bytes:
        try:
            return self._dump.folder.read_bytes(path)
        except OSError as error:
            raise FrameError(
                f"{self.uri}/{path}: cannot be read: {error.strerror or error}", reason="missing"
            ) from error


def _check_instances(instance_map: NDArray[Any] | None, label_map: NDArray[Any], name: str) -> None:
    if instance_map is not None:
        height_px, width_px = instance_map.shape[:2]
        check_size((width_px, height_px), (label_map.shape[1], label_map.shape[0]), name=name, picture="its label")


def open_photos(path: str, *, split: str | None = None, column: Column = "image") -> PhotoSource:
    """Open a dataset or a folder, whichever the path is.

    Args:
        path: a dataset that ``convert`` wrote, or a folder in any layout that ``inspect`` recognises.
        split: only this split; every one where None.
        column: of datasets, see ``DatasetPhotos``.

    Raises:
        OutputError, DumpError: it is neither.
        UsageError: the split or the column does not exist.
    """
    if is_dataset(path):
        return DatasetPhotos(path, split, column)
    if column != "image":
        raise UsageError(
            f"{path}: not a converted dataset, so it has no column {column}",
            hint="a folder's own pictures are what it has: leave the column out",
        )
    return FolderPhotos(path, split)


def is_dataset(path: str) -> bool:
    """Whether ``convert`` wrote this folder, finished or not."""
    folder = Folder(path)
    try:
        return folder.stat([MANIFEST_PATH])[0].size_bytes >= 0 or bool(folder.list_files(STATE_PATH))
    except OSError:
        return False
