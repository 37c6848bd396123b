"""Results of a comparison: scores of every arm on every test, over seeds, and the share of the gap that it closes."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sflow_pipeline.downstream.task import Measures, RunScores, Task

RESULTS_FORMAT_VERSION = 1


@dataclass(frozen=True)
class SeedScore:
    """A score of one arm on one test.

    Attributes:
        by_seed: seed -> value; seeds without a value (no true pixel of the class) are missing.
    """

    by_seed: Mapping[int, float]

    @property
    def mean(self) -> float | None:
        """Over seeds; None without any."""
        return statistics.fmean(self.by_seed.values()) if self.by_seed else None

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds (n - 1); None for fewer than two."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-like content."""
        by_seed = {str(seed): value for seed, value in self.by_seed.items()}
        return {"mean": self.mean, "spread": self.spread, "by_seed": by_seed}


@dataclass(frozen=True)
class ArmScores:
    """One arm on one test.

    Attributes:
        measures: measure -> score over all classes that occur in the test photos.
        classes: class -> its score, in the order of the label space; classes that no test photo has are missing.
    """

    measures: Mapping[str, SeedScore]
    classes: Mapping[str, SeedScore]


@dataclass(frozen=True)
class ArmResult:
    """One arm.

    Attributes:
        name: the arm as in the job.
        pictures: number of different pictures that it trains on.
        crops: crops that one run trains on.
        tests: by the test's name; without those that no seed is tested on yet.
        notes: remarks for readers.
    """

    name: str
    pictures: int
    crops: int
    tests: Mapping[str, ArmScores]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """All arms.

    Attributes:
        protocol: everything that arms share.
        tests: name of every test -> its facts.
        baseline, goal: names of the arms between which the gap is measured.
        arms: in the order of the job.
        measures: what is measured.
        notes: remarks about tests and classes.
    """

    protocol: Mapping[str, Any]
    tests: Mapping[str, Mapping[str, Any]]
    baseline: str
    goal: str
    arms: tuple[ArmResult, ...]
    measures: Measures
    notes: tuple[str, ...] = field(default=())

    def find(self, name: str) -> ArmResult | None:
        """The arm of that name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def share_of_gap(self, arm: ArmResult, test: str) -> float | None:
        """(arm - baseline) / (goal - baseline) of the means of the main measure over the seeds that all three have.

        None where one of them is missing, and where the goal is not better than the baseline.
        """
        rows = [self.find(self.baseline), self.find(self.goal), arm]
        scores = [
            row.tests[test].measures[self.measures.main].by_seed
            for row in rows
            if row is not None and test in row.tests
        ]
        if len(scores) < len(rows):
            return None
        common = set(scores[0]).intersection(*scores[1:])
        if not common:
            return None
        low, high, value = (statistics.fmean(score[seed] for seed in sorted(common)) for score in scores)
        return (value - low) / (high - low) if high > low else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-like content; NaN is never in it."""
        return {
            "format_version": RESULTS_FORMAT_VERSION,
            "protocol": dict(self.protocol),
            "tests": {name: dict(facts) for name, facts in self.tests.items()},
            "baseline": self.baseline,
            "goal": self.goal,
            "measures": dict(self.measures.titles),
            "class_measure": {self.measures.of_class: self.measures.class_title},
            "notes": list(self.notes),
            "arms": [
                {
                    "name": arm.name,
                    "pictures": arm.pictures,
                    "crops": arm.crops,
                    "notes": list(arm.notes),
                    "tests": {
                        test: {
                            **{name: score.to_dict() for name, score in result.measures.items()},
                            "share_of_gap": self.share_of_gap(arm, test),
                            "classes": {name: score.to_dict() for name, score in result.classes.items()},
                        }
                        for test, result in arm.tests.items()
                    },
                }
                for arm in self.arms
            ],
        }


def summarise_test(runs: Mapping[int, RunScores], task: Task) -> ArmScores:
    """Scores of one arm on one test from the scores of every seed."""
    classes = {
        name: SeedScore({seed: scores.classes[name] for seed, scores in runs.items() if name in scores.classes})
        for name in task.class_names
    }
    return ArmScores(
        {
            name: SeedScore({seed: scores.measures[name] for seed, scores in runs.items()})
            for name in task.measures.titles
        },
        {name: score for name, score in classes.items() if score.by_seed},
    )
