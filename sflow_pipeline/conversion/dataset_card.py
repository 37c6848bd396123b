"""Documents of a dataset: card for people and Hugging Face, label spaces, manifest."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import yaml

from sflow_pipeline import __version__
from sflow_pipeline.addresses import name_folder, strip_secrets
from sflow_pipeline.conversion.job.resolve_job import ResolvedJob
from sflow_pipeline.conversion.labels.census import LabelCensus
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.quarantine import write_reasons
from sflow_pipeline.label_spaces import LabelSpace, describe_label_space
from sflow_pipeline.markdown import draw_table, escape_markdown
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.commits import ShardRecord, compute_mean_edge_f1
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.image_formats import describe_image_format
from sflow_pipeline.storage.manifest import (
    LABELS_PATH,
    BundleNote,
    LeftOut,
    Manifest,
    Source,
    SpaceNote,
    write_manifest,
)
from sflow_pipeline.storage.shard_counts import count_shards, count_splits

CARD_PATH = "README.md"
_INTRODUCTION = (
    "Images are made by a network from class labels and the edges of the simulator's pictures; labels are the "
    "simulator's own. Each row also has its source files and the agreement of the image with the requested edges.\n"
)


def write_documents(
    out: Folder, resolved: ResolvedJob, records: Sequence[ShardRecord], census: LabelCensus, left_out: LeftOut | None
) -> Manifest:
    """Write ``labels.json``, ``README.md`` and, last, ``manifest.json``; the same dataset gives the same bytes."""
    reasons_sha256 = write_reasons(out, records, left_out)
    labels = encode_json(describe_labels(resolved, census))
    manifest = replace(
        build_manifest(resolved, records, left_out),
        reasons_sha256=reasons_sha256,
        labels_sha256=hashlib.sha256(labels).hexdigest(),
    )
    out.write_bytes(LABELS_PATH, labels)
    out.write_bytes(CARD_PATH, build_card(resolved, records, census, left_out).encode("utf-8", "backslashreplace"))
    write_manifest(out, manifest)
    return manifest


def describe_labels(resolved: ResolvedJob, census: LabelCensus) -> dict[str, Any]:
    """The label spaces involved and the mapping that was applied."""
    settings = resolved.settings
    return {
        "labels_follow": settings.source_space.name,
        **settings.label_format.describe(),
        "source": _describe_space(settings.source_space),
        "model": _describe_space(settings.target_space),
        "mapping": settings.describe_mapping(),
        "lost": list(settings.mapping.lost),
        "pixels": {str(class_id): count for class_id, count in census.pixels.items()},
        "unknown_ids": {str(class_id): count for class_id, count in census.unknown.items()},
    }


def build_card(
    resolved: ResolvedJob, records: Sequence[ShardRecord], census: LabelCensus, left_out: LeftOut | None
) -> str:
    """The dataset card: YAML header for Hugging Face, then prose and tables."""
    job, settings, bundle, dump = resolved.job, resolved.settings, resolved.bundle, resolved.dump
    rows = sum(record.rows for record in records)
    header: dict[str, Any] = {
        "pretty_name": f"{name_folder(dump.root, 'Simulator frames')}, made photo-realistic",
        "task_categories": ["image-segmentation"],
        "tags": ["synthetic", "sim2real", "sflow-pipeline", dump.simulator],
        "size_categories": [_size_category(rows)],
    }
    header["configs"] = describe_files(records)
    mean_edge_f1 = compute_mean_edge_f1(records)
    edge_f1 = "none" if mean_edge_f1 is None else f"{mean_edge_f1:.3f}"
    space, model = settings.source_space, escape_markdown(f"{bundle.name} {bundle.metadata.version}")
    facts = [
        ("simulator", f"{dump.simulator} {dump.version}".strip()),
        ("labels follow", f"{escape_markdown(space.name)} (version {space.version}), see labels.json"),
        ("label files", describe_label_files(resolved)),
        ("size", "each frame's own" if job.size is None else f"{job.size[0]}x{job.size[1]}"),
        ("image files", describe_image_format(job.image_format)),
        ("model", f"bundle {model}, digest `{bundle.digest[:16]}`"),
        ("model's training data", escape_markdown(bundle.metadata.training_data) or "not stated"),
        ("licence of that data", escape_markdown(bundle.metadata.training_data_licence) or "not stated"),
        ("variants", f"{job.variants}, from seed {job.seed}"),
        (
            "of the first variants",
            f"edges {', '.join(job.alpha)}" + (f"; colours {job.palette}" if settings.palettes else ""),
        ),
        ("computed", _describe_device(settings)),
        ("appearance", _describe_appearance(resolved)),
        ("from frame to frame", _describe_smoothing(settings)),
        *((f"unit of {name}", escape_markdown(str(unit))) for name, unit in _list_units(resolved)),
        ("frames", str(sum(record.frames for record in records))),
        ("rows", str(rows)),
        ("quarantined frames", str(sum(record.quarantined for record in records))),
        ("files of no frame", str(left_out.files if left_out else 0)),
        ("mean edge F1", f"{edge_f1} (Laplacian edges of the image against the requested edges, 1 px tolerance)"),
    ]
    total = max(1, sum(census.pixels.values()))
    classes = [
        (str(item.id), escape_markdown(item.name), f"{census.pixels.get(item.id, 0) / total:.2%}")
        for item in settings.source_space.classes
    ]
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n",
        f"# {header['pretty_name']}\n",
        _INTRODUCTION,
        draw_table(("fact", "value"), facts),
        "## Splits\n",
        draw_table(
            ("split", "frames", "rows", "quarantined"),
            [
                (
                    split,
                    *(
                        str(sum(getattr(r, name) for r in records if r.split == split))
                        for name in ("frames", "rows", "quarantined")
                    ),
                )
                for split in sorted({record.split for record in records})
            ],
        ),
        "## Classes\n",
        "Share of all label pixels.\n",
        draw_table(("id", "class", "share"), classes),
    ]
    rule = settings.label_format.rule
    if rule:
        parts.append(f"Rule `{rule}` corrected what the model paints from; label files are not changed by it.\n")
    if job.format == "png":
        parts.append("Rows are in `.jsonl` lists; pictures are files, whose paths are relative to this folder.\n")
    if resolved.warnings:
        notes = "\n".join(f"- {escape_markdown(warning)}" for warning in resolved.warnings)
        parts.append(f"## Notes\n\n{notes}\n")
    return "\n".join(parts)


def describe_files(records: Sequence[ShardRecord]) -> list[dict[str, Any]]:
    """Files by name, as the card lists them for ``load_dataset``.

    Content decides names: `datasets` keys its cache by this list, and a pattern would be the same for every dataset and
    every state of it. Without a list it takes every picture of a PNG tree for a row.
    """
    splits = sorted({record.split for record in records if record.rows})
    files = [
        {"split": split, "path": [record.path for record in records if record.split == split and record.rows]}
        for split in splits
    ]
    return [{"config_name": "default", "data_files": files}]


def _describe_device(settings: ConversionSettings) -> str:
    """Device kind and number format of the networks; on a GPU, where it matters, also the batch size."""
    batch = settings.counted_batch_size
    kind = settings.device.partition(":")[0]
    return f"on {kind} in {settings.precision}" + ("" if batch is None else f", {batch} frames at once")


def _describe_appearance(resolved: ResolvedJob) -> str:
    """How far images follow the renders, for the card."""
    strength, reason = resolved.appearance.strength, resolved.appearance.reason
    if strength is None:
        return "the bundle follows edges alone"
    chosen = f"{strength:.2g} of 1" + (f" ({reason})" if reason else "")
    return f"{chosen}; class colours moved by {resolved.job.photo_colors:g} towards photos'"


def _describe_smoothing(settings: ConversionSettings) -> str:
    """How images depend on each other, for the card."""
    if settings.use_previous:
        return "each image is made from the one before it"
    if settings.motion is None:
        return "images are independent"
    along = "the motion measured in the pictures" if settings.motion.is_measured else "the simulator's flow"
    return f"each image blended with its neighbours along {along}, {settings.smooth:g} of 1"


def _list_units(resolved: ResolvedJob) -> list[tuple[str, Any]]:
    """(column, unit) of the columns that the dump states a unit for."""
    units = resolved.dump.metadata.get("units", {})
    columns = ("label", *resolved.settings.columns)
    return [(name, units[name]) for name in columns if name in units] if isinstance(units, dict) else []


def build_manifest(resolved: ResolvedJob, records: Sequence[ShardRecord], left_out: LeftOut | None) -> Manifest:
    """The manifest of a finished conversion."""
    job, settings, bundle, dump = resolved.job, resolved.settings, resolved.bundle, resolved.dump
    space = settings.source_space
    return Manifest(
        tool_version=__version__,
        job={**job.describe_content(), "sim_dir": strip_secrets(job.sim_dir)},
        variants=job.variants,
        seed=job.seed,
        source=Source(
            root=strip_secrets(settings.source.full_uri),
            simulator=dump.simulator,
            simulator_version=dump.version,
            **settings.label_format.describe(),
            why=dump.why,
            fps=dump.fps,
            metadata=dict(dump.metadata),
        ),
        bundle=BundleNote(bundle.name, bundle.metadata.version, bundle.digest),
        label_space=SpaceNote(space.name, space.version, space.digest),
        label_resized=resolved.label_is_resized,
        columns=tuple(settings.row_schema.names),
        settings_fingerprint=settings.fingerprint,
        edge_threshold=settings.edge_threshold,
        device=settings.device.partition(":")[0],
        precision=settings.precision,
        batch_size=settings.counted_batch_size,
        appearance=settings.appearance,
        smooth=settings.smooth,
        limits=job.describe_limits(),
        warnings=resolved.warnings,
        left_out=left_out,
        shards=tuple(records),
        counts=count_shards(records),
        splits=count_splits(records),
    )


def describe_label_files(resolved: ResolvedJob) -> str:
    """Relation of the rows' label files to the simulator's; stated by dumps that have no label files of their own."""
    own = str(resolved.dump.metadata.get("label_files", "byte for byte the simulator's"))
    if not resolved.label_is_resized:
        return own
    return f"resized to the picture's size by nearest pixel (frames that have it already are {own})"


def _describe_space(space: LabelSpace) -> dict[str, Any]:
    return {**describe_label_space(space), "digest": space.digest}


def _size_category(rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if rows < limit:
            return name
    return "1M<n<10M"
