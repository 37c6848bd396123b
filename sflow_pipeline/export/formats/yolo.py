"""YOLO detection: ``images/<split>/*``, ``labels/<split>/*.txt`` with a box a line, and ``data.yaml``."""

from collections.abc import Callable

import yaml

from sflow_pipeline.export.exporter import ExportTask, FlatNames, Outcome, check_objects, require_column
from sflow_pipeline.export.instances import Instance, list_things, read_instances

NAME = "yolo"
LAYOUT = "images/<split>/*, labels/<split>/*.txt and data.yaml; boxes of countable objects"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without an instance file are left out: without boxes they would be background."""
    return export_lines(task, NAME, "boxes", _format_box)


def export_lines(
    task: ExportTask, name: str, what: str, format_object: Callable[[Instance, tuple[int, ...]], str]
) -> Outcome:
    """Write one line for each object.

    Args:
        task: what to write.
        name: of the format.
        what: a line holds, in the plural.
        format_object: an object and its frame's (h, w) -> its line without the class.
    """
    require_column(task.contents, "instance", name)
    label_format = task.contents.label_format
    things = list_things(label_format)
    index_of = {item.id: index for index, item in enumerate(things)}
    splits: dict[str, int] = {}
    skipped = objects = small = 0
    names = FlatNames()
    for row in task.rows:
        label_map = row.decode_label_map()
        found = read_instances(row, label_map, label_format)
        if found is None:
            skipped += 1
            continue
        path = f"{row.split}/{names.name(row)}"
        kept = [item for item in found if _is_large_enough(item, task)]
        objects += len(kept)
        small += len(found) - len(kept)
        lines = [f"{index_of[item.class_id]} {format_object(item, label_map.shape)}\n" for item in kept]
        image_path = f"images/{path}{row.suffix('image')}"
        task.dest.write(image_path, row.require_file("image"))
        task.dest.write(f"labels/{path}.txt", "".join(lines).encode())
        task.dest.note_sample(row, image_path)
        splits[row.split] = splits.get(row.split, 0) + 1
    check_objects(task, objects, name, [item.name for item in things])
    # Trainers require train and val; a dataset of one split serves as both.
    folders = {split: f"images/{split}" for split in splits}
    first = next(iter(folders.values()), "images/train")
    stated = {"train": first, "val": first, **folders, "names": {index: item.name for index, item in enumerate(things)}}
    task.dest.write("data.yaml", yaml.safe_dump(stated, sort_keys=False, allow_unicode=True).encode("utf-8"))
    notes = [f"{skipped} rows without a readable instance file are left out"] if skipped else []
    if small:
        notes.append(
            f"{small} objects left out: a box side under {task.min_side_px} px (--min-side) or less than "
            f"{task.min_fill:g} of the box filled (--min-fill)"
        )
    notes += [
        f"no {split} split: data.yaml names {first}, so that training and validation share pictures; "
        "--split-by sequence 0.8/0.2 makes splits, frame instead of sequence where there is but one"
        for split in ("train", "val")
        if split not in folders
    ]
    labels = f"{what} of the {len(things)} countable classes of {label_format.space.name}, of the visible pixels"
    return Outcome(sum(splits.values()), labels, tuple(notes), objects)


def _is_large_enough(instance: Instance, task: ExportTask) -> bool:
    left, top, right, bottom = instance.xyxy
    width_px, height_px = right - left, bottom - top
    is_filled = instance.area_px >= task.min_fill * width_px * height_px
    return is_filled and min(width_px, height_px) >= task.min_side_px


def _format_box(instance: Instance, shape: tuple[int, ...]) -> str:
    """Centre and size as fractions of the picture."""
    left, top, right, bottom = instance.xyxy
    height_px, width_px = shape
    box = ((left + right) / 2 / width_px, (top + bottom) / 2 / height_px)
    return " ".join(f"{value:.8g}" for value in (*box, (right - left) / width_px, (bottom - top) / height_px))
