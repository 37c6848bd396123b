"""YOLO detection: ``images/<split>/*.png``, ``labels/<split>/*.txt`` with a box a line, and ``data.yaml``."""

import yaml

from sflow_pipeline.export.exporter import ExportTask, Outcome, build_flat_name, check_objects, require_column
from sflow_pipeline.export.instances import Instance, list_things, read_instances

NAME = "yolo"
LAYOUT = "images/<split>/*.png, labels/<split>/*.txt and data.yaml; boxes of countable objects"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without an instance file are left out: without boxes they would be background."""
    require_column(task.contents, "instance", NAME)
    label_format = task.contents.label_format
    things = list_things(label_format)
    index_of = {item.id: index for index, item in enumerate(things)}
    splits: dict[str, int] = {}
    skipped = objects = 0
    for row in task.rows:
        label_map = row.decode_label_map()
        instances = read_instances(row, label_map, label_format)
        if instances is None:
            skipped += 1
            continue
        name = f"{row.split}/{build_flat_name(row)}"
        objects += len(instances)
        lines = [f"{index_of[item.class_id]} {_format_box(item, label_map.shape)}\n" for item in instances]
        task.dest.write(f"images/{name}.png", row.require_file("image"))
        task.dest.write(f"labels/{name}.txt", "".join(lines).encode())
        task.dest.note_sample(row, f"images/{name}.png")
        splits[row.split] = splits.get(row.split, 0) + 1
    check_objects(task, objects, NAME, [item.name for item in things])
    # Trainers require train and val; a dataset of one split serves as both.
    folders = {split: f"images/{split}" for split in splits}
    first = next(iter(folders.values()), "images/train")
    stated = {"train": first, "val": first, **folders, "names": {index: item.name for index, item in enumerate(things)}}
    task.dest.write("data.yaml", yaml.safe_dump(stated, sort_keys=False, allow_unicode=True).encode("utf-8"))
    notes = [f"{skipped} rows without a readable instance file are left out"] if skipped else []
    notes += [f"no {split} split: data.yaml names {first}" for split in ("train", "val") if split not in folders]
    space = label_format.space.name
    labels = f"boxes of the {len(things)} countable classes of {space}, tight around the visible pixels"
    return Outcome(sum(splits.values()), labels, tuple(notes), objects)


def _format_box(instance: Instance, shape: tuple[int, ...]) -> str:
    """Centre and size as fractions of the picture."""
    left, top, right, bottom = instance.xyxy
    height_px, width_px = shape
    box = ((left + right) / 2 / width_px, (top + bottom) / 2 / height_px)
    return " ".join(f"{value:.8g}" for value in (*box, (right - left) / width_px, (bottom - top) / height_px))
