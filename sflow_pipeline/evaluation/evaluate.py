"""``evaluate``: the same networks on converted datasets and on real photos, in one table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sflow_pipeline.addresses import name_folder, redact_address
from sflow_pipeline.errors import SflowError, UsageError
from sflow_pipeline.evaluation.measures.edge_comparison import compare_edges, find_edge_threshold
from sflow_pipeline.evaluation.measures.measure import Measure, Observations, observe_all
from sflow_pipeline.evaluation.measures.registry import MeasureInputs, build_measures
from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.photos import DatasetPhotos, open_photos
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.feature_depths import open_depths
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.evaluation.rendered_frames import open_rendered
from sflow_pipeline.evaluation.results.scores import ClassScore, Evaluation, Score, TableRow
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.metrics.interval import COVERAGE, REPLICATES
from sflow_pipeline.networks.device import resolve_device

ORACLE = "real photos (oracle)"


@dataclass(frozen=True)
class EvaluationSettings:
    """Pictures, reference and networks of an evaluation.

    Attributes:
        paths: datasets, or folders of pictures with labels such as the unconverted dump; none for the
            oracle alone.
        reference: real photos with labels.
        split, reference_split: take only this split of the paths, of the reference.
        judge, extractor: the reference segmenter and the feature extractor; each may be missing, but something must
            be measured.
        score_space: label space to score in; the reference's own where None.
        renders: one more row per dataset: the rendered frames that it was made from.
        rendered: the dump that the paths were made from, where it is not the one that they name or they have no
            column ``render``.
        edges: also compare edge statistics.
        video: also compare consecutive frames along their motion.
        only_video: measure consecutive frames alone, no single pictures; the extractor then describes clips.
        i3d: I3D's weights (.safetensors), for FVD.
        limit: the first so many pictures of every set only, for a preview.
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
    rendered: str | None = None
    edges: bool = False
    video: bool = False
    only_video: bool = False
    i3d: str | None = None
    limit: int | None = None
    device: str = "auto"


OnPhoto = Callable[[str, int, int], None]


def evaluate(settings: EvaluationSettings, on_photo: OnPhoto = lambda _name, _done, _total: None) -> Evaluation:
    """Measure every dataset and the real photos alike.

    Args:
        settings: pictures, reference and networks.
        on_photo: called with the row's name, pictures done and pictures in it.

    Raises:
        UsageError: nothing to measure, or a network does not fit its description.
        OutputError, DumpError, LabelSpaceError, FrameError: something cannot be read.
    """
    if settings.judge is None and settings.extractor is None and not (settings.edges or settings.video or settings.i3d):
        raise UsageError("nothing to measure", hint="give --judge, --extractor, --edges, --video or --fvd")
    sources = _open_all(settings)
    # Checked before the networks run, which may take hours.
    threshold = find_edge_threshold([source for _, source in sources]) if settings.edges else None
    device = resolve_device(settings.device, "fp32").name
    extractor = Extractor(settings.extractor, device) if settings.extractor else None
    measures = build_measures(
        MeasureInputs(
            ReferenceSegmenter(settings.judge, device) if settings.judge else None,
            extractor,
            None if settings.only_video else open_depths(extractor, device),
            load_label_space(settings.score_space) if settings.score_space else sources[-1][1].label_space,
            video=settings.video,
            i3d=settings.i3d,
            device=device,
            only_video=settings.only_video,
        )
    )
    names = [name for name, _ in sources]
    table = [Observations(source, is_oracle=source is sources[-1][1]) for _, source in sources]
    for name, row in zip(names, table, strict=True):
        _observe(name, row, table, measures, settings, on_photo)
    rows = tuple(_build_row(name, row, table, measures) for name, row in zip(names, table, strict=True))
    edges = compare_edges(sources, threshold, settings.limit) if threshold is not None else {}
    metrics = tuple(metric for measure in measures for metric in measure.metrics)
    return Evaluation(_describe_protocol(settings, measures), rows, metrics, edges)


def _open_all(settings: EvaluationSettings) -> list[tuple[str, PhotoSource]]:
    """Every set of pictures with a unique name, the oracle last."""
    sources = []
    for path in settings.paths:
        source = open_photos(path, split=settings.split)
        is_alone = len(settings.paths) == 1
        if settings.renders and isinstance(source, DatasetPhotos) and (is_alone or "render" in source.columns):
            renders = open_photos(path, split=settings.split, column="render")
            sources.append((f"{name_folder(path)} (rendered)", renders))
        sources.append((name_folder(path), source))
    sources.append((ORACLE, open_photos(settings.reference, split=settings.reference_split)))
    totals = Counter(name for name, _ in sources)
    seen: Counter[str] = Counter()
    named = []
    for name, source in sources:
        if not len(source):
            raise UsageError(f"{source.uri}: no pictures", hint=_explain_empty(source))
        seen[name] += 1
        named.append((f"{name} [{seen[name]}]" if totals[name] > 1 else name, source))
    return named


def _explain_empty(source: PhotoSource) -> str:
    if isinstance(source, DatasetPhotos) and source.left_out:
        return f"{source.left_out} were left out: its quarantine/ says why; convert with --gate score to keep them"
    return "check the folder, or choose another split"


def _observe(
    name: str,
    row: Observations,
    table: Sequence[Observations],
    measures: Sequence[Measure],
    settings: EvaluationSettings,
    on_photo: OnPhoto,
) -> None:
    _observe_set(name, row, measures, settings.limit, on_photo)
    needing = [measure for measure in measures if measure.needs_rendered]
    if row.is_oracle or not needing:
        return
    try:
        rendered = open_rendered(row.source, split=settings.split, dump=settings.rendered, limit=settings.limit)
    except SflowError as error:
        if settings.rendered is not None:
            raise
        row.why_not_rendered = f"no rendered frames ({error}); name their dump with --rendered"
        return
    if rendered is None:
        return
    # With --renders they are a row of the table and already measured.
    row.rendered = next((other for other in table if other.n and _is_same(other.source, rendered)), None)
    if row.rendered is None:
        row.rendered = Observations(rendered)
        _observe_set(f"{name}: rendered frames", row.rendered, needing, settings.limit, on_photo)


def _is_same(first: PhotoSource, second: PhotoSource) -> bool:
    return (
        isinstance(first, DatasetPhotos)
        and isinstance(second, DatasetPhotos)
        and (first.uri, first.column) == (second.uri, second.column)
    )


def _observe_set(
    name: str, row: Observations, measures: Sequence[Measure], limit: int | None, on_photo: OnPhoto
) -> None:
    total = min(len(row.source), limit or len(row.source))
    observe_all(row, measures, limit, lambda: on_photo(name, row.n, total))


def _build_row(name: str, row: Observations, table: Sequence[Observations], measures: Sequence[Measure]) -> TableRow:
    scores: dict[str, Score] = {}
    classes: list[ClassScore] = []
    notes: list[str] = []
    for measure in measures:
        result = measure.score(row, table)
        scores |= result.scores
        classes += result.classes
        notes += result.notes
    return TableRow(
        name=name,
        role="oracle" if row.is_oracle else row.source.kind,
        uri=row.source.uri,
        n=row.n,
        sizes_px=dict(row.sizes_px),
        label_space=row.source.label_space.name,
        scores=scores,
        classes=tuple(classes),
        facts=row.source.facts,
        notes=tuple(notes),
    )


def _describe_protocol(settings: EvaluationSettings, measures: Sequence[Measure]) -> dict[str, Any]:
    # Frames of one video resemble each other more than photos drawn at random do.
    interval = (
        f"{COVERAGE:.0%} percentile bootstrap over frames, {REPLICATES} draws (too narrow for frames of one video)"
    )
    protocol: dict[str, Any] = {
        "reference": redact_address(settings.reference),
        "reference_split": settings.reference_split,
        "split": settings.split,
        "limit": settings.limit,
        "interval": interval,
        "metrics": {metric.name: metric.protocol for measure in measures for metric in measure.metrics},
    }
    for measure in measures:
        protocol |= measure.describe()
    return protocol
