"""Frames of a dump by name: identity and file paths of one (FrameRef) or many (FrameList)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, overload

from sflow_pipeline.columns import MODALITIES

_CARRIED = frozenset(MODALITIES) - {"render", "label"}


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Identity and file paths of one frame; no pixels.

    Paths are POSIX, relative to the dump's root, and never leave it.

    Attributes:
        sample_id: ``<sequence_id>/<frame name>``, unique within a dump, safe as a file name below an output folder.
        sequence_id, frame_index, split: place in the dump; ``frame_index`` orders the frames of a sequence, as the
            simulator numbers them.
        render, label: the simulator's picture and the class ids.
        files: further modality -> path, see ``MODALITIES``; each can be read as an attribute, too, None without a file.
        timestamp_s: the moment that the frame shows, in seconds, from one origin per sequence; None if unknown.

    >>> frame = FrameRef("a/7", "a", 7, "train", "a/rgb/7.png", "a/semantic/7.png", {"depth": "a/depth/7.npy"})
    >>> frame.depth, frame.flow
    ('a/depth/7.npy', None)
    """

    sample_id: str
    sequence_id: str
    frame_index: int
    split: str
    render: str
    label: str
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    timestamp_s: float | None = None

    def __getattr__(self, name: str) -> str | None:
        if name in _CARRIED:
            return self.files.get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def with_files(self, **paths: str | None) -> "FrameRef":
        """The same frame with further files; None adds nothing."""
        return replace(self, files={**self.files, **{name: path for name, path in paths.items() if path}})


_FIELDS = tuple(item.name for item in fields(FrameRef) if item.name != "files")


class FrameList(Sequence[FrameRef]):
    """Many frames by name, kept as columns: a fraction of the memory and time that as many ``FrameRef`` take.

    >>> frames = FrameList({"sample_id": ["a/0", "a/1"], "sequence_id": ["a", "a"], "frame_index": [0, 1],
    ...                     "split": ["train"] * 2, "render": ["a/0.png", "a/1.png"], "label": ["a/0", "a/1"]})
    >>> frames[1].render, len(frames[:1]), read_column(frames, "depth")
    ('a/1.png', 1, [None, None])
    """

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        """``columns``: field or modality of ``FrameRef`` -> its value for every frame; absent if no frame has one."""
        self.columns = columns
        self._fields = [name for name in columns if name in _FIELDS]
        self._carried = [name for name in columns if name in _CARRIED]
        self._length = len(columns["sample_id"]) if columns else 0

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> FrameRef: ...
    @overload
    def __getitem__(self, index: slice) -> "FrameList": ...
    def __getitem__(self, index: int | slice) -> "FrameRef | FrameList":
        if isinstance(index, slice):
            return FrameList({name: column[index] for name, column in self.columns.items()})
        files = {name: path for name in self._carried if (path := self.columns[name][index])}
        return FrameRef(**{name: self.columns[name][index] for name in self._fields}, files=files)

    def __iter__(self) -> Iterator[FrameRef]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def read_column(frames: Sequence[FrameRef], name: str) -> list[Any]:
    """A field of every frame; None where a frame lacks it."""
    if isinstance(frames, FrameList):
        return frames.columns.get(name) or [None] * len(frames)
    return [getattr(frame, name) for frame in frames]


def has_column(frames: Sequence[FrameRef], name: str) -> bool:
    """Whether some frame has a field or modality.

    >>> has_column(FrameList({"sample_id": ["a/0"], "depth": [None], "flow": ["a/0.flo"]}), "depth")
    False
    """
    if isinstance(frames, FrameList) and name not in frames.columns:
        return False
    return any(value is not None for value in read_column(frames, name))


def with_column(frames: Sequence[FrameRef], name: str, values: list[Any]) -> FrameList:
    """The same frames with other values of one field or modality, one per frame.

    >>> frames = FrameList({"sample_id": ["a/0"], "sequence_id": ["a"], "frame_index": [0], "split": ["train"],
    ...                     "render": ["a/0.png"], "label": ["a/0"]})
    >>> with_column(frames, "timestamp_s", [0.5])[0].timestamp_s
    0.5
    """
    names = (*_FIELDS, *(modality for modality in MODALITIES if modality in _CARRIED))
    known = frames.columns if isinstance(frames, FrameList) else {field: read_column(frames, field) for field in names}
    return FrameList({**known, name: values} if len(frames) else {})


def sort_frames(frames: FrameList) -> FrameList:
    """Frames by split, sequence, frame index and sample id."""
    keys = [read_column(frames, name) for name in ("split", "sequence_id", "frame_index", "sample_id")]
    order = sorted(range(len(frames)), key=list(zip(*keys, strict=True)).__getitem__)
    return FrameList({name: [column[row] for row in order] for name, column in frames.columns.items()})
