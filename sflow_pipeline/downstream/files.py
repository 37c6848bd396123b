"""Files of a comparison, written whole: table, CSV, JSON and plot, and a copy for the report of each dataset."""

from pathlib import Path

from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.plot import draw_svg
from sflow_pipeline.downstream.results import Comparison
from sflow_pipeline.downstream.tables import draw_csv, draw_markdown
from sflow_pipeline.evaluation.photos import is_dataset
from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.filesystem import Folder

#: Names of the files without their ending, by task: results of one do not replace those of the other.
STEMS = {"segmentation": "downstream", "detection": "downstream-detection"}


def write_results(comparison: Comparison, out: Path) -> list[str]:
    """Write the table, ``.md``, and ``.csv``, ``.json`` and ``.svg`` into ``out``, named as in ``STEMS``.

    Returns:
        the files.

    Raises:
        OutputError: the folder cannot be written to.
    """
    stem = STEMS[comparison.protocol["task"]]
    files = {
        f"{stem}.md": draw_markdown(comparison).encode(),
        f"{stem}.csv": draw_csv(comparison).encode(),
        f"{stem}.json": encode_json(comparison.to_dict()),
        f"{stem}.svg": draw_svg(comparison).encode(),
    }
    folder = Folder(str(out))
    for name, data in files.items():
        folder.write_bytes(name, data)
    return [str(out / name) for name in files]


def write_for_reports(comparison: Comparison, job: DownstreamJob) -> list[str]:
    """Write JSON and plot into ``report/`` of every converted dataset that an arm trains on.

    Returns:
        the datasets.

    Raises:
        OutputError: a dataset cannot be written to.
    """
    used = dict.fromkeys(part.source for arm in job.parsed_arms for part in arm.parts)
    paths = dict.fromkeys(source.path for name in used for source in job.sources[name])
    datasets = [path for path in paths if is_dataset(path)]
    for path in datasets:
        Folder(path).write_bytes(f"report/{STEMS[job.task]}.json", encode_json(comparison.to_dict()))
        Folder(path).write_bytes(f"report/{STEMS[job.task]}.svg", draw_svg(comparison).encode())
    return datasets
