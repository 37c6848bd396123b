"""How a dataset was made: facts, and the command that makes it again."""

import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.report.page_parts import build_table, clip
from sflow_pipeline.report.score_index import ScoreIndex
from sflow_pipeline.report.verification_note import draw_verification
from sflow_pipeline.storage.manifest import Manifest

_MOST_SHARDS = 50
_MOST_WARNINGS = 20


def draw_provenance(contents: Contents, index: ScoreIndex) -> str:
    """Facts, warnings of the conversion, commands, and the first shards."""
    manifest = contents.manifest
    shards = manifest.shards[:_MOST_SHARDS]
    table = build_table(
        ("shard", "split", "rows", "bytes", "sha256"),
        ((clip(s.shard_id), clip(s.split), s.rows, f"{s.size_bytes:,}", (s.sha256 or "")[:16]) for s in shards),
    )
    more = len(manifest.shards) - len(shards)
    note = f"<p>{more:,} more shards: see <code>manifest.json</code></p>" if more else ""
    warnings = [f'<p class="warn">{escape(clip(text, 400))}</p>' for text in manifest.warnings[:_MOST_WARNINGS]]
    commands = "\n".join(
        (
            "# make it again",
            build_command(manifest),
            "# check it, and write this page again",
            "sflow-pipeline verify OUT_DIR",
            "# write this page with more frames",
            "sflow-pipeline report OUT_DIR --sample 200",
        )
    )
    return (
        f"<section><h2>Provenance</h2>{build_table(('', ''), _list_facts(manifest, index))}{''.join(warnings)}"
        f"{draw_verification(contents.folder)}"
        f'<pre tabindex="0"><code>{escape(commands)}</code></pre>'
        f'<details><summary>Shards</summary><div class="scroll">{table}</div>{note}</details></section>'
    )


def build_command(manifest: Manifest) -> str:
    """The command that makes the dataset again, with the options that differ from the defaults.

    The bundle is named; its digest decides whether it is the same.
    """
    words = ["sflow-pipeline", "convert", str(manifest.job.get("sim_dir", "SIM_DIR")), "OUT_DIR"]
    words += ["--bundle", manifest.bundle.name, "--device", manifest.device, "--precision", manifest.precision]
    if manifest.batch_size is not None:
        words += ["--batch-size", str(manifest.batch_size)]
    defaults = ConvertJob(sim_dir="-", out_dir="-").describe_content()
    stated = {name: value for name, value in manifest.job.items() if name in defaults and value != defaults[name]}
    for name, value in {**stated, **manifest.limits}.items():
        if name != "sim_dir" and value is not None:
            words += [f"--{name.replace('_', '-')}", *_write_option(name, value)]
    return shlex.join(words)


def _write_option(name: str, value: Any) -> list[str]:
    """The words after an option's name."""
    if name == "split_by":
        return str(value).split()
    if name == "size" and isinstance(value, list):
        return ["x".join(str(side) for side in value)]
    if isinstance(value, Mapping):
        return [",".join(f"{key}={item}" for key, item in value.items())]
    return [",".join(str(item) for item in value) if isinstance(value, list) else str(value)]


def _list_facts(manifest: Manifest, index: ScoreIndex) -> list[tuple[str, str]]:
    source, bundle = manifest.source, manifest.bundle
    own = source.metadata.get("label_files", "byte for byte the simulator's")
    label_files = "nearest-resized" if manifest.label_resized else own
    batch = "" if manifest.batch_size is None else f", {manifest.batch_size} frames at once"
    origins = [(name, _format_range(values)) for name, values in index.origins.items()]
    return [
        ("made by", f"sflow-pipeline {manifest.tool_version}"),
        ("layout", clip(f"{source.simulator} {source.simulator_version}".strip())),
        ("labels", clip(f"{manifest.label_space.name}, {label_files}")),
        ("bundle", clip(f"{bundle.name} {bundle.version}, digest {bundle.digest[:16]}")),
        ("converted on", clip(f"{manifest.device}, {manifest.precision}{batch}")),
        ("variants, seed", f"{manifest.variants}, {manifest.seed}"),
        *((name, text) for name, text in origins if text),
        ("bytes", f"{manifest.counts.size_bytes:,}"),
    ]


def _format_range(values: "np.ndarray[Any, np.dtype[np.float64]]") -> str:
    """The value of all rows, or their range; empty where no row has one.

    >>> _format_range(np.array([0.5, np.nan])), _format_range(np.array([0.25, 0.5]))
    ('0.5', '0.25 to 0.5')
    """
    found = values[~np.isnan(values)]
    if not len(found):
        return ""
    low, high = f"{found.min():.3g}", f"{found.max():.3g}"
    return low if low == high else f"{low} to {high}"
