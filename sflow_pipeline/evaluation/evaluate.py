"""`evaluate`: the same judge and the same features on converted datasets and on real photos, in one table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.measures.edge_comparison import compare_edges, find_edge_threshold
from sflow_pipeline.evaluation.measures.measurement import Measurement, measure
from sflow_pipeline.evaluation.measures.row_scores import describe_classes, score_features, score_segmentation
from sflow_pipeline.evaluation.measures.scoring_space import ScoringSpace, build_scoring_space
from sflow_pipeline.evaluation.photo_source import PhotoSource, open_photos
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.evaluation.results.scores import Evaluation, Row, Score
from sflow_pipeline.label_spaces import build_mapping, load_label_space
from sflow_pipeline.metrics import list_protocols
from sflow_pipeline.metrics.interval import COVERAGE, REPLICATES
from sflow_pipeline.networks.device import resolve_device

ORACLE = "real photos (oracle)"


@dataclass(frozen=True)
class EvaluationSettings:
    """What to evaluate, and how.

    Attributes:
        paths: datasets, or folders of pictures with labels such as the unconverted dump; none for the
            oracle alone.
        reference: real photos with labels.
        split, reference_split: take only this split of the paths, of the reference.
        judge, extractor: networks; each may be missing, but something must be measured.
        score_space: label space to score in; the reference's own where None.
        renders: a row more per dataset: the simulator's pictures that it was made from.
        edges: compare edge statistics, too.
        limit: the first so many pictures of every set only, for a quick look.
        device: where the networks run.
    """

    paths: tuple[str, ...]
    reference: str
    split: str | None = None
    reference_split: str | None = None
    judge: NetworkSpec | None = None
    extractor: NetworkSpec | None = None
    score_space: str | None = None
    renders: bool = False
    edges: bool = False
    limit: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class _Candidate:
    name: str
    source: PhotoSource
    is_oracle: bool


OnPhoto = Callable[[str, int, int], None]


def evaluate(settings: EvaluationSettings, on_photo: OnPhoto = lambda _name, _done, _total: None) -> Evaluation:
    """Measure every dataset and the real photos alike.

    Args:
        settings: what and how.
        on_photo: told the row's name, pictures done and pictures in it.

    Raises:
        UsageError: nothing to measure, or a network is not what it is said to be.
        OutputError, DumpError, LabelSpaceError, FrameError: something cannot be read.
    """
    if settings.judge is None and settings.extractor is None and not settings.edges:
        raise UsageError("nothing to measure", hint="give --judge, --extractor or --edges")
    candidates = _open_all(settings)
    # Asked before hours of judging, which it must not cost.
    threshold = find_edge_threshold([c.source for c in candidates]) if settings.edges else None
    device = resolve_device(settings.device, "fp32").name
    judge = ReferenceSegmenter(settings.judge, device) if settings.judge else None
    extractor = Extractor(settings.extractor, device) if settings.extractor else None
    reference = candidates[-1].source
    space = load_label_space(settings.score_space) if settings.score_space else reference.label_space
    scoring = build_scoring_space(space, judge.label_space, judge.classes) if judge is not None else None
    measured = [_measure(c, judge, scoring, extractor, settings.limit, on_photo) for c in candidates]
    rows = _build_rows(candidates, measured, scoring, extractor)
    edges = {}
    if threshold is not None:
        edges = compare_edges([(c.name, c.source) for c in candidates], threshold, settings.limit)
    return Evaluation(_describe_protocol(settings, judge, extractor, scoring), rows, edges)


def _open_all(settings: EvaluationSettings) -> list[_Candidate]:
    sources = []
    for path in settings.paths:
        source = open_photos(path, split=settings.split)
        name = PurePosixPath(path.rstrip("/")).name or path
        if settings.renders and source.kind == "dataset":
            renders = open_photos(path, split=settings.split, column="render")
            sources.append((f"{name} (simulator's pictures)", renders))
        sources.append((name, source))
    sources.append((ORACLE, open_photos(settings.reference, split=settings.reference_split)))
    taken = Counter(name for name, _source in sources)
    seen: Counter[str] = Counter()
    candidates = []
    for index, (name, source) in enumerate(sources):
        seen[name] += 1
        unique = f"{name} [{seen[name]}]" if taken[name] > 1 else name
        candidates.append(_Candidate(unique, source, is_oracle=index == len(sources) - 1))
    for candidate in candidates:
        if not len(candidate.source):
            raise UsageError(f"{candidate.source.uri}: no pictures", hint="check the folder, or choose another split")
    return candidates


def _measure(
    candidate: _Candidate,
    judge: ReferenceSegmenter | None,
    scoring: ScoringSpace | None,
    extractor: Extractor | None,
    limit: int | None,
    on_photo: OnPhoto,
) -> Measurement:
    total = min(len(candidate.source), limit or len(candidate.source))
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        on_photo(candidate.name, done, total)

    return measure(candidate.source, judge, scoring, extractor, limit=limit, on_photo=count)


def _build_rows(
    candidates: Sequence[_Candidate],
    measured: Sequence[Measurement],
    scoring: ScoringSpace | None,
    extractor: Extractor | None,
) -> tuple[Row, ...]:
    common: set[int] = set()
    if scoring is not None:
        common = set(scoring.scored_channels)
        for found in measured:
            common &= set(np.flatnonzero(found.confusions.sum(axis=(0, 2))).tolist())
    rows = []
    for candidate, found in zip(candidates, measured, strict=True):
        scores: dict[str, Score] = {}
        if scoring is not None:
            scores |= score_segmentation(found, scoring, sorted(common))
        if extractor is not None:
            reference = None if candidate.is_oracle else measured[-1]
            scores |= score_features(found, reference, extractor.name)
        rows.append(
            Row(
                name=candidate.name,
                role="oracle" if candidate.is_oracle else "dataset" if candidate.source.kind == "dataset" else "photos",
                uri=candidate.source.uri,
                n=found.n,
                sizes_px=dict(found.sizes_px),
                label_space=candidate.source.label_space.name,
                scores=scores,
                classes=describe_classes(found, scoring) if scoring is not None else (),
                facts=candidate.source.facts,
                notes=tuple(_list_notes(candidate, found, scoring)),
            )
        )
    return tuple(rows)


def _list_notes(candidate: _Candidate, found: Measurement, scoring: ScoringSpace | None) -> list[str]:
    notes: list[str] = []
    if scoring is None:
        return notes
    if found.unknown_pixels:
        share = found.unknown_pixels / found.pixels
        notes.append(
            f"{share:.2%} of the label pixels hold ids outside {candidate.source.label_space.name}: not scored"
        )
    reachable = {row.target_name for row in build_mapping(candidate.source.label_space, scoring.space).rows}
    wordless = [
        scoring.space.classes[channel].name
        for channel in scoring.scored_channels
        if scoring.space.classes[channel].name not in reachable
    ]
    if wordless:
        notes.append(
            f"labels in {candidate.source.label_space.name} have no word for {', '.join(wordless)}: "
            "what the judge calls so counts as wrong"
        )
    return notes


def _describe_protocol(
    settings: EvaluationSettings,
    judge: ReferenceSegmenter | None,
    extractor: Extractor | None,
    scoring: ScoringSpace | None,
) -> dict[str, Any]:
    # Frames of one video resemble each other more than photos drawn at random do.
    interval = (
        f"{COVERAGE:.0%} percentile bootstrap over frames, {REPLICATES} draws (too narrow for frames of one video)"
    )
    protocol: dict[str, Any] = {
        "reference": settings.reference,
        "reference_split": settings.reference_split,
        "split": settings.split,
        "limit": settings.limit,
        "interval": interval,
        "metrics": list_protocols(),
    }
    if judge is not None and scoring is not None:
        protocol["judge"] = {
            **_describe_network(judge.spec, judge.digest),
            "label_space": judge.label_space.name,
            "answer": "scores enlarged bilinearly to the label's size, then the highest",
        }
        protocol["score_space"] = {
            "name": scoring.space.name,
            "digest": scoring.space.digest,
            "scored": [scoring.space.classes[channel].name for channel in scoring.scored_channels],
            "excluded": list(scoring.excluded),
        }
    if extractor is not None:
        protocol["extractor"] = _describe_network(extractor.spec, extractor.digest)
    return protocol


def _describe_network(spec: NetworkSpec, digest: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "sha256": digest,
        "input_px": f"{spec.size_px[0]}x{spec.size_px[1]}" if spec.size_px else "each photo's own",
        "input_range": spec.input_range,
        "filter": spec.filter,
        "source": spec.source,
    }
