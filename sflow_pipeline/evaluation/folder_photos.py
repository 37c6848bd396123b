"""The frames of a folder that a simulator adapter knows, real photos above all, as labelled pictures."""

from collections.abc import Iterator
from typing import Any

from sflow_pipeline.errors import FrameError
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, check_split
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.image_codec import decode_rgb


class FolderPhotos:
    """See ``PhotoSource``."""

    kind = "photos"

    def __init__(self, path: str, split: str | None = None) -> None:
        self.uri = path
        self._dump = discover(path)
        check_split(path, split, {frame.split for frame in self._dump.frames})
        self._frames = [frame for frame in self._dump.frames if split is None or frame.split == split]
        self.label_space = self._dump.label_format.space

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def facts(self) -> dict[str, Any]:
        """Layout and splits."""
        return {"layout": self._dump.simulator, "splits": sorted({frame.split for frame in self._frames})}

    def read(self) -> Iterator[LabelledPhoto]:
        """See ``PhotoSource.read``."""
        for frame in self._frames:
            photo = decode_rgb(self._read(frame.render), name=frame.render)
            label_map = self._dump.label_format.read_for_network(
                self._read(frame.label),
                self._read(frame.label_table) if frame.label_table else None,
                frame.label,
                (photo.shape[1], photo.shape[0]),
            )
            yield LabelledPhoto(frame.sample_id, 0, photo, label_map)

    def _read(self, path: str) -> bytes:
        try:
            return self._dump.folder.read_bytes(path)
        except OSError as error:
            raise FrameError(
                f"{self.uri}/{path}: cannot be read: {error.strerror or error}", reason="missing"
            ) from error
