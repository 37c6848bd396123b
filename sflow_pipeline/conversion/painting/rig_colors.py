"""Class colours of a drive, measured on a few of its frames, so that colours are moved alike in all of them."""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sflow_pipeline.bundle.appearance import is_blank
from sflow_pipeline.conversion.frame.decode import DecodedFrame, decode_frame
from sflow_pipeline.conversion.frame.source_reading import NOT_READ
from sflow_pipeline.conversion.painting.rig import name_rig
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard_task import Samples
from sflow_pipeline.conversion.source.source_index import SourceFrame, read_frames
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import find_runs, read_rows

#: Positions in a drive's frames, by number and camera, of those that are measured. They begin at its start, so that a
#: drive that grows keeps them.
_POSITIONS = (0, 1, 3, 7, 15, 31, 63, 127)

#: Colours that a worker keeps; drives come one after the other, so that few are needed at a time.
_MOST_KNOWN = 4096


@dataclass(frozen=True)
class ClassColors:
    """Colours of the classes over a drive.

    Attributes:
        mean: (classes, 3) float32 RGB, 0 to 255; 0 for a class that was not found.
        share: (classes,) float32 share of the pixels.
    """

    mean: NDArray[np.float32]
    share: NDArray[np.float32]


def choose_samples(index: pa.Table) -> Samples:
    """The frames that are measured for each rig, from the index of a dump; none where there is one frame."""
    places: dict[str, list[tuple[int, str, int]]] = {}
    for rows in find_runs(index["split"], index["sequence_id"]):
        sequence_id = str(index["sequence_id"][rows.start])
        first = rows[: _POSITIONS[-1] + 1]  # no later one can be chosen
        found = places.setdefault(name_rig(sequence_id), [])
        found += [
            (number, sequence_id, row)
            for number, row in zip(read_rows(index["frame_index"], first), first, strict=True)
        ]
    chosen = {}
    for rig, found in places.items():
        if len(found) > 1:
            found.sort()
            chosen[rig] = [found[position][2] for position in _POSITIONS if position < len(found)]
    frames = iter(read_frames(index.take(pa.array([row for rows in chosen.values() for row in rows], pa.int64()))))
    return {rig: tuple(next(frames) for _ in rows) for rig, rows in chosen.items()}


def list_samples(samples: Samples, sequence_ids: Iterable[str]) -> dict[str, tuple[SourceFrame, ...]]:
    """The samples that frames of these sequences need."""
    rigs = dict.fromkeys(map(name_rig, dict.fromkeys(sequence_ids)))
    return {rig: samples[rig] for rig in rigs if rig in samples}


#: Colours by the sample ids that they were measured on and the number of the variant, and which samples could not be
#: read, though they may be by the next run.
Measured = dict[tuple[tuple[str, ...], int], tuple[ClassColors | None, frozenset[str]]]


class RigColors:
    """Class colours of the rigs of one shard; samples are decoded when the first frame of a rig is painted.

    Args:
        samples: of the shard.
        settings: of the conversion.
        killers: sample ids of frames that are left out, because decoding them ends the process.
        measured: colours known from earlier shards of the same run; those of this one are added.
    """

    def __init__(
        self,
        samples: Samples,
        settings: ConversionSettings,
        killers: Set[str] = frozenset(),
        measured: Measured | None = None,
    ) -> None:
        self._samples = {
            rig: tuple(frame for frame in frames if frame.ref.sample_id not in killers)
            for rig, frames in samples.items()
        }
        self._settings = settings
        self._decoded: tuple[str, list[DecodedFrame], frozenset[str]] = ("", [], frozenset())
        self._measured = {} if measured is None else measured
        #: Ids of the samples that colours lack, because their files could not be read for now.
        self.unread: set[str] = set()

    def find(
        self, sequence_id: str, number: int, vary: Callable[[DecodedFrame], NDArray[np.uint8]]
    ) -> ClassColors | None:
        """Colours of a frame's rig in the light and paint of a variant; None for a frame that is alone.

        Args:
            number: of the variant.
            vary: a sample's render in that light and paint.
        """
        rig = name_rig(sequence_id)
        if rig not in self._samples:
            return None
        key = (tuple(frame.ref.sample_id for frame in self._samples[rig]), number)
        if key not in self._measured:
            if len(self._measured) >= _MOST_KNOWN:
                self._measured.clear()
            decoded, unread = self._decode(rig)
            found = [frame for frame in decoded if not is_blank(frame.render)]
            classes = self._settings.target_space.num_classes
            colors = measure_classes([(vary(f), f.class_index) for f in found], classes) if found else None
            self._measured[key] = colors, unread
        colors, unread = self._measured[key]
        self.unread |= unread
        return colors

    def _decode(self, rig: str) -> tuple[list[DecodedFrame], frozenset[str]]:
        """The samples of a rig that can be decoded, and the ids of those that could not be read for now.

        Those of the latest rig are kept for its variants.
        """
        if self._decoded[0] != rig:
            frames, unread = [], set()
            for source in self._samples[rig]:
                try:
                    frames.append(decode_frame(source, self._settings))
                except FrameError as error:  # reported where its own turn comes
                    if error.read_digest == NOT_READ:
                        unread.add(source.ref.sample_id)
            self._decoded = (rig, frames, frozenset(unread))
        return self._decoded[1:]


def measure_classes(pictures: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], classes: int) -> ClassColors:
    """Mean colour and share of each class over pictures, each pixel counted once.

    Args:
        pictures: (h, w, 3) RGB and (h, w) channels of the classes.
        classes: how many there are.

    >>> grey, red = np.full((1, 2, 3), 90, np.uint8), np.full((1, 2, 3), (200, 0, 0), np.uint8)
    >>> colors = measure_classes([(grey, np.array([[0, 0]])), (red, np.array([[0, 2]]))], 3)
    >>> colors.mean.round().tolist(), colors.share.tolist()
    ([[127.0, 60.0, 60.0], [0.0, 0.0, 0.0], [200.0, 0.0, 0.0]], [0.75, 0.0, 0.25])
    """
    total, count = np.zeros((classes, 3)), np.zeros(classes)
    for picture, class_index in pictures:
        member = class_index.ravel()
        count += np.bincount(member, minlength=classes)
        for channel in range(3):
            total[:, channel] += np.bincount(member, picture[..., channel].ravel(), minlength=classes)
    mean = total / np.maximum(count, 1)[:, None]
    return ClassColors(mean.astype(np.float32), (count / max(1, count.sum())).astype(np.float32))
