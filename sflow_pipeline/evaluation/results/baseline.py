"""Comparison of an evaluation with an earlier one, so that a pipeline stops when quality drops."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.results.scores import Evaluation, TableRow
from sflow_pipeline.metrics.metric import Direction

#: Parts of a protocol that may differ: where the photos are, and metrics that only one of both has.
_MAY_DIFFER = ("reference", "metrics")


@dataclass(frozen=True)
class Drop:
    """A score that is worse than it was.

    Attributes:
        row, metric: of the score.
        before, after: its values; None where there is none any more.
        share: how much worse, as a share of the earlier value.
    """

    row: str
    metric: str
    before: float
    after: float | None
    share: float

    def describe(self) -> str:
        """A sentence for people."""
        if self.after is None:
            return f"{self.row}: {self.metric} was {self.before:.4g} and has no value now"
        return f"{self.row}: {self.metric} was {self.before:.4g} and is {self.after:.4g}, {self.share:.1%} worse"


@dataclass(frozen=True)
class Baseline:
    """An earlier evaluation.

    Attributes:
        path: its file.
        protocol: how it measured.
        rows: its table, JSON-like.
    """

    path: str
    protocol: Mapping[str, Any]
    rows: list[dict[str, Any]]


def find_drops(evaluation: Evaluation, baseline: Baseline, max_drop: float) -> list[Drop]:
    """The scores of datasets that are worse than in an earlier evaluation by more than a share of its value.

    Args:
        evaluation: of now.
        baseline: of then. Its datasets are found by name, a single one under any name.
        max_drop: largest share that a score may be worse by, 0 or more.

    Raises:
        UsageError: it was measured in another way or on other photos.
    """
    _check_protocol(evaluation, baseline)
    directions = {metric.name: metric.better for metric in evaluation.metrics}
    rows = [row for row in evaluation.rows if row.role == "dataset"]
    drops = []
    for row, before in _pair(rows, baseline):
        for name, score in before["scores"].items():
            if name in directions and score["value"] is not None:
                then, now = float(score["value"]), row.scores[name].value if name in row.scores else None
                oracles = _find_oracles(name, evaluation, baseline)
                worse = 0.0 if now is None else _measure_loss(directions[name], then, now, oracles)
                drop = Drop(row.name, name, then, now, worse)
                if drop.after is None or drop.share > max_drop:
                    drops.append(drop)
    return drops


def _find_oracles(metric: str, evaluation: Evaluation, baseline: Baseline) -> tuple[float | None, float | None]:
    """The score of the real photos themselves, then and now."""
    then = next((row["scores"].get(metric) for row in baseline.rows if row["role"] == "oracle"), None)
    now = evaluation.oracle.scores.get(metric)
    return (then or {}).get("value"), None if now is None else now.value


def _measure_loss(better: Direction, before: float, after: float, oracles: tuple[float | None, float | None]) -> float:
    """How much worse a score is, as a share of the earlier value; below 0 where it is better.

    >>> round(_measure_loss("closer", 1.0, 1.2, (1.5, 1.5)), 6), round(_measure_loss("closer", 1.0, 0.8, (1.5, 1.5)), 6)
    (-0.2, 0.2)
    """
    if better == "closer":
        then, now = oracles
        worse = 0.0 if then is None or now is None else abs(after - now) - abs(before - then)
    else:
        worse = before - after if better == "higher" else after - before
    return worse / max(abs(before), 1e-9)


def read_baseline(path: str | Path, max_drop: float) -> Baseline:
    """An earlier evaluation; ``evaluate`` reads it before its networks run.

    Args:
        path: ``report/metrics.json`` or ``comparison.json`` of then.
        max_drop: as in ``find_drops``.

    Raises:
        UsageError: the file is no evaluation, or ``max_drop`` no share.
    """
    if not 0 <= max_drop < math.inf:
        raise UsageError(f"--max-drop {max_drop:g}: must be a share of 0 or more", hint="0.02 allows 2 %")
    try:
        content = json.loads(Path(path).read_bytes())
        for row in content["rows"]:
            if not (
                all(key in row for key in ("role", "name", "n")) and all("value" in s for s in row["scores"].values())
            ):
                raise ValueError("a row without scores")
        return Baseline(str(path), dict(content["protocol"]), list(content["rows"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"--against {path}: not an evaluation: {error}",
            hint="give report/metrics.json of a dataset, or comparison.json, as evaluate writes them",
        ) from None


def _check_protocol(evaluation: Evaluation, baseline: Baseline) -> None:
    now = json.loads(json.dumps(dict(evaluation.protocol)))
    then = baseline.protocol
    different = sorted(
        name for name in now.keys() | then.keys() if name not in _MAY_DIFFER and now.get(name) != then.get(name)
    )
    photos = next((row["n"] for row in baseline.rows if row["role"] == "oracle"), None)
    if photos != evaluation.oracle.n:
        different.append(f"the real photos ({photos} then, {evaluation.oracle.n} now)")
    if different:
        raise UsageError(
            f"--against {baseline.path}: measured in another way: {', '.join(different)} differ",
            hint="evaluate the earlier dataset again with the options of today, and take that as the baseline",
        )


def _pair(rows: list[TableRow], baseline: Baseline) -> Iterator[tuple[TableRow, dict[str, Any]]]:
    earlier = {row["name"]: row for row in baseline.rows if row["role"] == "dataset"}
    for row in rows:
        before = earlier.get(row.name)
        if before is None and len(rows) == len(earlier) == 1:
            before = next(iter(earlier.values()))
        if before is None:
            raise UsageError(
                f"--against {baseline.path}: has no dataset named {row.name}",
                hint=f"it has {', '.join(earlier) or 'none'}",
            )
        yield row, before
