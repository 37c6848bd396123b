"""The scores of every row of a dataset, read without its pictures, and the frames that the rows belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from sys import intern

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.columns import BY_NAME, SCORE_COLUMNS
from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.errors import OutputError
from sflow_pipeline.report.page_parts import clip
from sflow_pipeline.storage.commits import ShardRecord

#: How an image was made; pages state their range.
_ORIGIN_COLUMNS = ("appearance", "photo_colors", "smooth", "shifts")


@dataclass(frozen=True)
class IndexedFrame:
    """A frame of the dataset and the rows that were made of it.

    Attributes:
        sample_id, sequence_id, split: as in its rows.
        rows: positions of its rows (one per variant), counted over all shards.
    """

    sample_id: str
    sequence_id: str
    split: str
    rows: range


@dataclass(frozen=True)
class ScoreIndex:
    """Scores of all rows.

    Attributes:
        frames: in the order of the dataset; frames of shards that cannot be read are missing.
        scores: score column -> (rows,) float64, NaN where a row has no value.
        texts: score column that holds words -> one text per row, empty where a row has none.
        origins: column that states how the image was made -> (rows,) float64, NaN where a row has no value.
        unreadable: messages about shards that could not be read.
    """

    frames: tuple[IndexedFrame, ...]
    scores: dict[str, NDArray[np.float64]]
    texts: dict[str, list[str]]
    origins: dict[str, NDArray[np.float64]]
    unreadable: tuple[str, ...] = ()

    def worst_of_frames(self, name: str) -> NDArray[np.float64]:
        """(frames,) worst value of a score among the rows of each frame; NaN where none has a value."""
        if not self.frames:
            return np.empty(0)
        # Rows between frames are of shards that could not be read: NaN, which fmin and fmax pass over.
        fold = np.fmin if is_better_high(name) else np.fmax
        return np.asarray(fold.reduceat(self.scores[name], [frame.rows.start for frame in self.frames]))

    def worst(self, name: str, rows: Sequence[int]) -> float | None:
        """The worst value of a score among some rows; None where none has a value."""
        values = self.scores[name][list(rows)]
        values = values[~np.isnan(values)]
        if not len(values):
            return None
        return float(values.min() if is_better_high(name) else values.max())


@dataclass
class _Collected:
    """Columns while they are read."""

    frames: list[IndexedFrame] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def is_better_high(name: str) -> bool:
    """Whether larger values of a score column are better."""
    return BY_NAME[name].better == "higher"


def list_words(values: Iterable[str]) -> list[str]:
    """The words of comma-separated texts, sorted, each once.

    >>> list_words(["miou,clipped", "", "miou"])
    ['clipped', 'miou']
    """
    return sorted({clip(word.strip()) for value in values for word in value.split(",")} - {""})


def index_scores(contents: Contents) -> ScoreIndex:
    """Read the score columns of a dataset; what cannot be read is noted, not raised."""
    total = sum(shard.rows for shard in contents.shards)
    present = [name for name in SCORE_COLUMNS if name in contents.manifest.columns]
    numbers = [name for name in present if BY_NAME[name].holds != "string"]
    origins = [name for name in _ORIGIN_COLUMNS if name in contents.manifest.columns]
    arrays = {name: np.full(total, np.nan) for name in (*numbers, *origins)}
    texts = {name: [""] * total for name in present if name not in numbers}
    collected = _Collected()
    start = 0
    for shard in contents.shards:
        _read_shard(contents, shard, start, arrays, texts, collected)
        start += shard.rows
    return ScoreIndex(
        tuple(collected.frames),
        {name: arrays[name] for name in numbers},
        texts,
        {name: arrays[name] for name in origins},
        tuple(collected.unreadable),
    )


def _read_shard(
    contents: Contents,
    shard: ShardRecord,
    start: int,
    arrays: dict[str, NDArray[np.float64]],
    texts: dict[str, list[str]],
    collected: _Collected,
) -> None:
    frames: list[IndexedFrame] = []
    count = 0
    problem = ""
    try:
        for count, values in enumerate(contents.read_shard(shard, [*arrays, *texts]), 1):
            if count > shard.rows:
                break
            position = start + count - 1
            for name, array in arrays.items():
                value = values[name]
                array[position] = np.nan if value is None else value
            for name, column in texts.items():
                column[position] = intern(values[name] or "")
            first = position
            if frames and frames[-1].sample_id == values["sample_id"]:
                first = frames.pop().rows.start
            names = (values["sample_id"], intern(values["sequence_id"]), intern(values["split"]))
            frames.append(IndexedFrame(*names, range(first, position + 1)))
    except (OutputError, KeyError, TypeError, ValueError) as error:
        problem = str(error)
    if not problem and count != shard.rows:
        problem = f"{shard.path}: {count} rows, the manifest says {shard.rows}"
    if not problem:
        collected.frames += frames
        return
    collected.unreadable.append(problem)
    for array in arrays.values():  # of a shard that can be read in part, no row counts
        array[start : start + shard.rows] = np.nan
    for column in texts.values():
        column[start : start + shard.rows] = [""] * shard.rows
