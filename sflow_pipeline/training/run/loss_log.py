"""``losses.csv``: the loss terms of a run over time."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from sflow_pipeline.storage.write_whole import write_whole


class LossLog:
    """The mean of each term over every 100 images; rows after the point of a resume are dropped.

    A checkpoint ends a row, however few images it covers, so that a resumed run writes the same rows.
    """

    def __init__(self, path: Path, images_seen: int, window_images: int = 100) -> None:
        self.path = path
        self.window_images = window_images
        self._pending: list[tuple[int, Mapping[str, float]]] = []
        rows = list(csv.reader(path.open())) if path.exists() else []
        self._header = rows[0] if rows else []
        # A line that is no row, as of a damaged file, is left out.
        self._rows = [row for row in rows[1:] if row and row[0].isdecimal() and int(row[0]) <= images_seen]

    def add(self, images_seen: int, terms: Mapping[str, float]) -> None:
        """Add one step's terms, by name."""
        self._pending.append((images_seen, terms))
        if crossed(self._pending[0][0] - 1, images_seen, self.window_images):
            self._end_row()

    def _end_row(self) -> None:
        names = dict.fromkeys(name for _, terms in self._pending for name in terms)
        self._header = self._header or ["images_seen"]
        self._header += [name for name in names if name not in self._header]
        values = ([terms[name] for _, terms in self._pending if name in terms] for name in self._header[1:])
        # Some terms are not computed in every step, and a window may have none of them.
        self._rows.append([str(self._pending[-1][0]), *(f"{sum(v) / len(v):.5f}" if v else "" for v in values)])
        self._pending.clear()

    def flush(self) -> None:
        """End the current row and write the file."""
        if self._pending:
            self._end_row()
        # Rows from before a term existed are shorter; blanks make the table rectangular.
        rows = [[*row, *[""] * (len(self._header) - len(row))] for row in self._rows]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self._header, *rows])
        write_whole(self.path, text.getvalue().encode())


def crossed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of ``every`` lies in (before, after].

    >>> crossed(98, 100, 100), crossed(100, 102, 100)
    (True, False)
    """
    return before // every != after // every
