"""Labelled pictures: of a converted dataset, or of any folder that ``inspect`` recognises."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.contents import check_name, load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import FrameError, UsageError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.canonical_json import compute_digest
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_codec import decode_rgb
from sflow_pipeline.storage.manifest import MANIFEST_PATH

Column = Literal["image", "render"]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One picture and its label, decoded.

    Attributes:
        sample_id, variant: identity; variants of one sample share the label.
        photo: (h, w, 3) uint8 RGB.
        label_map: (h, w) ids of the source's label space, the dump's label rule applied.
    """

    sample_id: str
    variant: int
    photo: NDArray[np.uint8]
    label_map: NDArray[Any]


class PhotoSource(Protocol):
    """A set of labelled pictures that can be read repeatedly."""

    @property
    def uri(self) -> str:
        """The folder, as given."""

    @property
    def kind(self) -> Literal["dataset", "photos"]:
        """``dataset``: converted; ``photos``: a folder of pictures with labels."""

    @property
    def label_space(self) -> LabelSpace:
        """Of the labels."""

    @property
    def variants(self) -> int:
        """Pictures per sample."""

    @property
    def facts(self) -> dict[str, Any]:
        """Statements of the source about itself, for reports."""

    def __len__(self) -> int:
        """Number of pictures."""

    def compute_identity(self) -> str:
        """A digest that changes with the files: of a dataset by content, of a folder by names, sizes and times."""

    def list_samples(self, limit: int | None = None) -> list[str]:
        """The sample id of every picture, or of the first ``limit``, in the order of ``read``."""

    def read(self) -> Iterator[LabelledPhoto]:
        """Every picture, decoded one by one, in a fixed order.

        Raises:
            FrameError: a picture or label cannot be read, or their sizes differ.
        """


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
                hint=f"convert again with --include {column} among the columns",
            )
        self.label_space = self._contents.label_space
        self.variants = self._contents.variants
        self.columns = list(self._contents.manifest.columns)
        self.edge_threshold = self._contents.manifest.edge_threshold

    def __len__(self) -> int:
        return sum(shard.rows for shard in self._contents.select_shards(self._splits))

    def compute_identity(self) -> str:
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
        self.label_space = self._dump.label_format.space

    def __len__(self) -> int:
        return len(self._frames)

    def compute_identity(self) -> str:
        """See ``PhotoSource.compute_identity``."""
        paths = [path for frame in self._frames for path in (frame.render, frame.label, frame.label_table) if path]
        facts = self._dump.folder.stat(paths)
        stats = [[path, fact.size_bytes, fact.mtime_ns] for path, fact in zip(paths, facts, strict=True)]
        label_format = self._dump.label_format
        return compute_digest([label_format.encoding, label_format.rule, stats])

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

    def take_evenly(self, count: int) -> None:
        """Keep ``count`` frames at equal distances; all where there are no more."""
        if len(self._frames) > count:
            self._frames = [self._frames[int((i + 0.5) * len(self._frames) / count)] for i in range(count)]

    def read(self) -> Iterator[LabelledPhoto]:
        """See ``PhotoSource.read``."""
        return map(self._decode, self._frames)

    def read_sound(self) -> Iterator[LabelledPhoto]:
        """The pictures that can be read."""
        for frame in self._frames:
            with contextlib.suppress(FrameError):
                yield self._decode(frame)

    def _decode(self, frame: FrameRef) -> LabelledPhoto:
        photo = decode_rgb(self._read(frame.render), name=frame.render)
        label_map = self._dump.label_format.read_for_network(
            self._read(frame.label),
            self._read(frame.label_table) if frame.label_table else None,
            frame.label,
            (photo.shape[1], photo.shape[0]),
        )
        return LabelledPhoto(frame.sample_id, 0, photo, label_map)

    def _read(self, path: str) -> bytes:
        try:
            return self._dump.folder.read_bytes(path)
        except OSError as error:
            raise FrameError(
                f"{self.uri}/{path}: cannot be read: {error.strerror or error}", reason="missing"
            ) from error


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
            f"{path}: not a converted dataset, so it has no column {column}", hint="give it without --renders"
        )
    return FolderPhotos(path, split)


def is_dataset(path: str) -> bool:
    """Whether ``convert`` wrote this folder, finished or not."""
    folder = Folder(path)
    try:
        return folder.stat([MANIFEST_PATH])[0].size_bytes >= 0 or bool(folder.list_files(STATE_PATH))
    except OSError:
        return False
