"""`open_dataset`: a finished dataset as a PyTorch dataset with fast random access."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

from torch.utils.data import Dataset

from sflow_pipeline.dataset.contents import Contents, load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.dataset.row_filter import RowFilter, parse_row_filter
from sflow_pipeline.dataset.row_reader import RowReader
from sflow_pipeline.dataset.sample import Sample, build_sample
from sflow_pipeline.dataset.sample_stream import SampleStream
from sflow_pipeline.errors import UsageError
from sflow_pipeline.label_spaces import LabelSpace

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@overload
def open_dataset(
    out_dir: str | Path,
    *,
    split: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    variants: Sequence[int] | None = None,
    where: str | None = None,
) -> "SampleDataset[Sample]": ...


@overload
def open_dataset(
    out_dir: str | Path,
    *,
    split: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    variants: Sequence[int] | None = None,
    where: str | None = None,
    transform: Callable[[Sample], T],
) -> "SampleDataset[T]": ...


def open_dataset(
    out_dir: str | Path,
    *,
    split: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    variants: Sequence[int] | None = None,
    where: str | None = None,
    transform: Callable[[Sample], Any] | None = None,
) -> "SampleDataset[Any]":
    """Open a dataset that `convert` wrote, in either format, in a local folder or an object store.

    Args:
        out_dir: the dataset.
        split: one split or several; all where None.
        columns: which contents to read and decode, such as ``("image", "label")``; all that it has where None. What
            is not named costs nothing.
        variants: which variants of each frame; all where None.
        where: conditions on values of the row, joined by ``and``, such as ``scores.miou > 0.5``; every row where None.
        transform: applied to each sample; ``Sample.to_tensors`` makes what the default collation takes.

    Raises:
        OutputError: there is no finished dataset.
        UsageError: it has no such split, column or variant, none is chosen, or the conditions cannot be read.
    """
    contents = load_contents(str(out_dir))
    splits = [split] if isinstance(split, str) else split
    for name, chosen in (("split", splits), ("variants", variants)):
        if chosen is not None and not len(chosen):
            raise UsageError(f"{name} {chosen!r}: chooses no row", hint=f"leave {name} out to read all")
    contents.check_variants(variants)
    row_filter = None if where is None else parse_row_filter(where, list(contents.manifest.columns))
    return SampleDataset(contents, splits, contents.check_columns(columns), variants, transform, row_filter)


class SampleDataset(Dataset[T_co], Generic[T_co]):
    """Samples by position: in the order of split, sequence, frame, variant.

    It can be handed to DataLoader workers by fork or spawn: each process opens the files it reads by itself.
    """

    def __init__(
        self,
        contents: Contents,
        splits: Sequence[str] | None,
        columns: tuple[str, ...],
        variants: Sequence[int] | None,
        transform: Callable[[Sample], Any] | None,
        row_filter: RowFilter | None = None,
    ) -> None:
        self.contents = contents
        self.columns = columns
        self.transform = transform
        self._reader = RowReader(contents, splits, columns, variants, row_filter)

    @property
    def label_space(self) -> LabelSpace:
        """What the class ids of the labels mean."""
        return self.contents.label_space

    @property
    def splits(self) -> dict[str, int]:
        """Every split of the dataset -> its rows, whichever were chosen."""
        return self.contents.splits

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> T_co:
        """One sample.

        Raises:
            IndexError: ``index`` is not below the length.
            FrameError: a file of the row is damaged.
            OutputError: the row's shard is gone or damaged.
        """
        return self.decode_values(self.read_values(index))

    def stream(
        self,
        *,
        seed: int = 0,
        shuffle: bool = True,
        buffer_rows: int = 256,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> "SampleStream[T_co]":
        """The same samples as a shuffled stream that divides itself among workers and ranks; see ``SampleStream``."""
        return SampleStream(
            self,
            self._reader.positions,
            seed=seed,
            shuffle=shuffle,
            buffer_rows=buffer_rows,
            rank=rank,
            world_size=world_size,
        )

    def read_values(self, index: int) -> dict[str, Any]:
        """A row's values, not decoded: files as ``{bytes, path}``, their bytes possibly a view into the mapped shard.

        Raises:
            IndexError: ``index`` is not below the length.
            OutputError: the row's shard is gone or damaged.
        """
        return self._reader.read_values(index)

    def decode_values(self, values: dict[str, Any]) -> T_co:
        """Decode and transform what ``read_values`` gave."""
        sample = build_sample(Row(values, self.contents.label_format), self.columns)
        # Without a transform the type of samples is Sample, as the overloads of open_dataset say.
        return cast(T_co, sample if self.transform is None else self.transform(sample))
