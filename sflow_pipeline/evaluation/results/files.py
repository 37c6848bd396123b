"""Files of an evaluation: metrics in each dataset, and the comparison; written atomically."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sflow_pipeline.addresses import join_address, redact_address
from sflow_pipeline.evaluation.results.markdown import draw_markdown, list_protocol, list_scores
from sflow_pipeline.evaluation.results.plot import draw_svg
from sflow_pipeline.evaluation.results.scores import Evaluation
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.filesystem import Folder

METRICS_PATH = "report/metrics.json"
TABLE_STEM = "comparison"


def describe_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """JSON-like content: numbers, and table and remarks as text, so that reports say what the terminal does."""
    head, lines = list_scores(evaluation)
    return evaluation.to_dict() | {"table": {"head": head, "lines": lines}, "remarks": list_protocol(evaluation)}


def write_metrics(evaluation: Evaluation) -> list[str]:
    """Write ``report/metrics.json`` into every converted dataset of the evaluation: its own rows and the oracle.

    A preview of the first pictures does not take the place of an evaluation of all.

    Returns:
        the files.

    Raises:
        OutputError: a dataset cannot be written to.
    """
    written = []
    for uri in dict.fromkeys(row.uri for row in evaluation.rows if row.role == "dataset"):
        folder = Folder(uri)
        if evaluation.protocol["limit"] is not None and _has_whole(folder):
            continue
        own = replace(evaluation, rows=tuple(row for row in evaluation.rows if uri == row.uri or row.role == "oracle"))
        folder.write_bytes(METRICS_PATH, encode_json(describe_evaluation(own)))
        written.append(redact_address(join_address(uri, METRICS_PATH)))
    return written


def _has_whole(folder: Folder) -> bool:
    """Whether the dataset has an evaluation of all its pictures."""
    try:
        content = json.loads(folder.read_bytes(METRICS_PATH))
        return bool(content["protocol"]["limit"] is None)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def write_comparison(evaluation: Evaluation, out: str | Path) -> list[str]:
    """Write the table as ``comparison.md``, ``.json`` and ``.svg`` into a folder.

    Returns:
        the files.

    Raises:
        OutputError: the folder cannot be written to.
    """
    folder = Folder(str(out))
    files = {
        f"{TABLE_STEM}.md": draw_markdown(evaluation).encode(),
        f"{TABLE_STEM}.json": encode_json(describe_evaluation(evaluation)),
        f"{TABLE_STEM}.svg": draw_svg(evaluation).encode(),
    }
    for name, data in files.items():
        folder.write_bytes(name, data)
    return [redact_address(join_address(str(out), name)) for name in files]
