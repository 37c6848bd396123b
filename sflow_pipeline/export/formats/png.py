"""The plain layout: ``<split>/<sequence>/{rgb,semantic,…}/<frame>.png``, every file as it is stored.

The result is itself a dump that `inspect` and `convert` read.
"""

import yaml

from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.label_spaces import LabelSpace, describe_label_space, list_label_spaces, load_label_space

NAME = "png"
LAYOUT = "<split>/<sequence>/{rgb,semantic,instance,depth,…}/<frame>.png; labels untouched"

_FOLDERS = {"image": "rgb", "label": "semantic"}
_TEXT_SUFFIX = ".json"
_SPACE_PATH = "label_space.yaml"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Variants after the first are sequences of their own."""
    splits: dict[str, str] = {}
    rows = 0
    for row in task.rows:
        sequence = f"{row.split}/{row.variant_sequence}"
        splits[sequence] = row.split
        for column in task.contents.columns:
            if row.values.get(column) is None:
                continue
            folder = f"{sequence}/{_FOLDERS.get(column, column)}"
            data = row.values[column]
            if isinstance(data, str):
                task.dest.write(f"{folder}/{row.frame_name}{_TEXT_SUFFIX}", data.encode("utf-8"))
            else:
                task.dest.write(f"{folder}/{row.frame_name}{row.suffix(column)}", row.require_file(column))
        task.dest.note_sample(row, f"{sequence}/rgb/{row.frame_name}{row.suffix('image')}")
        rows += 1
    space = task.contents.label_space
    stated = {
        "label_space": space.name if _is_packaged(space) else _SPACE_PATH,
        "label_encoding": task.contents.label_format.encoding,
        "instance_encoding": task.contents.label_format.instances,
        **({"fps": task.contents.fps} if task.contents.fps else {}),
        "split": splits,
    }
    if not _is_packaged(space):
        described = yaml.safe_dump(describe_label_space(space), sort_keys=False, allow_unicode=True)
        task.dest.write(_SPACE_PATH, described.encode("utf-8"))
    task.dest.write("dataset.yaml", yaml.safe_dump(stated, sort_keys=False, allow_unicode=True).encode("utf-8"))
    notes = []
    if task.contents.label_format.encoding == "table":
        notes.append("labels mean what label_table says frame by frame, which `convert` cannot read in this layout")
    return Outcome(rows, f"byte for byte the dataset's ({space.name})", tuple(notes))


def _is_packaged(space: LabelSpace) -> bool:
    return space.name in list_label_spaces() and load_label_space(space.name).digest == space.digest
