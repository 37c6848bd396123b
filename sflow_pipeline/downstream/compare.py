"""``downstream``: trains every arm with every seed, tests it on every set of photos, and keeps what is done."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sflow_pipeline.config.arms import Arm, ArmPart
from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.arm_crops import ArmCrops
from sflow_pipeline.downstream.picture_set import PictureSet, pack_pictures
from sflow_pipeline.downstream.results import ArmResult, Comparison, summarise_test
from sflow_pipeline.downstream.task import RunScores
from sflow_pipeline.downstream.tasks import build_task
from sflow_pipeline.downstream.training_run import TRAINING_VERSION, has_weights, train_arm
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.storage.canonical_json import compute_digest, encode_json
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import RunLock
from sflow_pipeline.storage.write_whole import write_whole

_RUNS = "runs"
_PACKS = "packs"


@dataclass(frozen=True)
class Run:
    """One arm with one seed.

    Attributes:
        arm, seed: what is trained.
        folder: named after the fingerprint of arm, seed, budget and pictures.
        steps_left: 0 where weights of an earlier run are there.
        tests_left: names of the tests that are not scored yet.
    """

    arm: Arm
    seed: int
    folder: Path
    steps_left: int
    tests_left: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """Steps of all runs that are not finished, and the run that is going on."""

    run: Run
    done: int
    total: int


class Comparer:
    """Arms and tests of a job, with pictures packed below ``out``.

    Args:
        job: what to compare.
        out: folder of packs, runs and results.
        on_set: called with the name of every set of pictures before it is opened or packed.

    Raises:
        UsageError: a set is empty or has no class of the label space.
        SflowError: a set cannot be read.
    """

    def __init__(self, job: DownstreamJob, out: Path, on_set: Callable[[str], None] = lambda _name: None) -> None:
        self.job = job
        self.out = out
        self.label_space = load_label_space(job.label_space)
        self.task = build_task(job, self.label_space)
        self.device = resolve_device(job.device, job.precision)
        self.tests: dict[str, PictureSet] = {}
        self.parts: dict[ArmPart, PictureSet] = {}
        packs = out / _PACKS
        for name, sources in job.tests.items():
            on_set(f"test {name}")
            self.tests[name] = pack_pictures(
                f"test {name}", sources, self.label_space, packs, objects=self.task.objects
            )
        for part in dict.fromkeys(part for arm in job.parsed_arms for part in arm.parts):
            on_set(part.name)
            self.parts[part] = pack_pictures(
                f"source {part.name}",
                job.sources[part.source],
                self.label_space,
                packs,
                every=part.every,
                largest_width_px=job.frame_width_px[1],
                objects=self.task.objects,
            )

    def list_runs(self) -> list[Run]:
        """All runs: every arm with the first seed, then with the next, so that early results compare all arms."""
        return [self._plan(arm, seed) for seed in self.job.seeds for arm in self.job.parsed_arms]

    def finish(
        self,
        on_progress: Callable[[Progress], None] = lambda _progress: None,
        on_run: Callable[[Run, Comparison], None] = lambda _run, _comparison: None,
    ) -> Comparison:
        """Do what is left of every run.

        Args:
            on_progress: called after every step.
            on_run: called after every run with all results so far.

        Raises:
            TrainingError: a loss is not finite.
            OutputError: ``out`` cannot be written to, or another run does.
        """
        with RunLock(Folder(str(self.out))):
            runs = self.list_runs()
            total, before = sum(run.steps_left for run in runs), 0
            for run in runs:
                if run.steps_left or run.tests_left:
                    self._finish_run(run, before, total, on_progress)
                    before += run.steps_left
                    on_run(run, self.summarise())
        return self.summarise()

    def summarise(self) -> Comparison:
        """Scores of all that is done."""
        arms = tuple(self._summarise_arm(arm) for arm in self.job.parsed_arms)
        tests = {name: {"photos": len(test), "digest": test.digest} for name, test in self.tests.items()}
        measures, notes = self.task.measures, tuple(self._list_notes())
        return Comparison(self._describe(), tests, self.job.baseline, self.job.goal, arms, measures, notes)

    def _plan(self, arm: Arm, seed: int) -> Run:
        folder = self.out / _RUNS / compute_digest(self._identify(arm, seed))[:16]
        left = tuple(name for name in self.tests if self._read(folder, name) is None)
        return Run(arm, seed, folder, 0 if has_weights(folder) else self.job.steps, left)

    def _identify(self, arm: Arm, seed: int) -> dict[str, Any]:
        """All that decides the weights of a run."""
        fields = ("network", "width", "steps", "batch_size", "crop_px", "frame_width_px", "lr")
        return {
            "version": TRAINING_VERSION,
            "arm": arm.name,
            "seed": seed,
            "label_space": self.label_space.digest,
            "precision": self.device.precision,
            "pictures": {part.name: self.parts[part].digest for part in arm.parts},
            **self.job.model_dump(mode="json", include=set(fields)),
            **self.task.describe(),
        }

    def _finish_run(self, run: Run, before: int, total: int, on_progress: Callable[[Progress], None]) -> None:
        write_whole(run.folder / "run.json", encode_json(self._identify(run.arm, run.seed)))
        crops = ArmCrops(run.arm, self.parts, self.job, self.label_space, run.seed)
        network = train_arm(
            self.job, self.task, crops, run.seed, run.folder, self.device,
            lambda steps: on_progress(Progress(run, before + steps, total)),
        )  # fmt: skip
        for name in run.tests_left:
            scores = self.task.score(network, self.tests[name], self.device)
            write_whole(self._locate(run.folder, name), encode_json(scores))

    def _locate(self, folder: Path, test: str) -> Path:
        digest = compute_digest([self.tests[test].digest, self.job.test_width])
        return folder / f"test-{digest[:16]}.json"

    def _read(self, folder: Path, test: str) -> RunScores | None:
        """Scores of an earlier run; None where there are none, or a damaged file."""
        try:
            return self.task.parse_scores(json.loads(self._locate(folder, test).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _summarise_arm(self, arm: Arm) -> ArmResult:
        runs = [self._plan(arm, seed) for seed in self.job.seeds]
        tests = {}
        for name in self.tests:
            read = {run.seed: self._read(run.folder, name) for run in runs}
            found = {seed: scores for seed, scores in read.items() if scores is not None}
            if found:
                tests[name] = summarise_test(found, self.task)
        return ArmResult(
            name=arm.name,
            pictures=sum(len(self.parts[part]) for part in arm.parts),
            crops=self.job.steps * self.job.batch_size * len(arm.summands),
            tests=tests,
            notes=tuple(self._list_missing(arm)),
        )

    def _list_missing(self, arm: Arm) -> list[str]:
        """Classes of the tests that the arm cannot learn."""
        learnt = self._name_classes([self.parts[part] for part in arm.parts])
        tested = self._name_classes(list(self.tests.values()))
        missing = [name for name in tested if name not in learnt]
        return [f"trains on no pixel of {', '.join(missing)}"] if missing else []

    def _name_classes(self, sets: list[PictureSet]) -> list[str]:
        """Classes of the task that some picture has."""
        counts = dict(zip(self.label_space.names, np.sum([found.class_pixels for found in sets], axis=0), strict=True))
        return [name for name in self.task.class_names if counts[name]]

    def _list_notes(self) -> list[str]:
        notes = []
        for name, test in self.tests.items():
            present = self._name_classes([test])
            absent = [other for other in self.task.class_names if other not in present]
            if absent:
                notes.append(f"{name}: no photo has {', '.join(absent)}; these classes are not scored there")
        notes += [
            f"{found.name}: {self.label_space.name} has no place for {', '.join(found.lost)}: void"
            for found in (*self.tests.values(), *self.parts.values())
            if found.lost
        ]
        notes += [
            f"{found.name}: {found.pictures_of_regions} of {len(found)} pictures have no instances: connected regions "
            "of a class count as objects, and objects that touch as one"
            for found in (*self.tests.values(), *self.parts.values())
            if found.pictures_of_regions
        ]
        names = [arm.name for arm in self.job.parsed_arms]
        lacking = [name for name in (self.job.baseline, self.job.goal) if name not in names]
        if lacking:
            notes.append(f"share of the gap: needs the arm {' and '.join(lacking)}")
        return notes

    def _describe(self) -> dict[str, Any]:
        job = self.job
        fields = ("network", "width", "steps", "batch_size", "crop_px", "frame_width_px", "lr", "seeds")
        return {
            **job.model_dump(mode="json", include=set(fields)),
            "task": job.task,
            "label_space": {"name": self.label_space.name, "digest": self.label_space.digest},
            "precision": self.device.precision,
            "test_width_px": job.test_width,
            "sources": {
                name: [source.model_dump(mode="json", exclude_defaults=True) for source in sources]
                for name, sources in job.sources.items()
            },
            "tests": {
                name: [source.model_dump(mode="json", exclude_defaults=True) for source in sources]
                for name, sources in job.tests.items()
            },
        }
