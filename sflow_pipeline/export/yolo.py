"""YOLO detection: ``images/<split>/*.png``, ``labels/<split>/*.txt`` with a box a line, and ``data.yaml``."""

import yaml

from sflow_pipeline.export.exporter import ExportTask, Outcome, build_flat_name, require_column
from sflow_pipeline.export.instances import Instance, find_instances, is_thing

NAME = "yolo"
LAYOUT = "images/<split>/*.png, labels/<split>/*.txt and data.yaml; boxes of people and vehicles"


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Rows without an instance file are left out: without boxes they would be background."""
    require_column(task.contents, "instance", NAME)
    space, simulator = task.contents.label_space, task.contents.label_format.simulator
    things = [item for item in space.classes if is_thing(item) and item.id != space.void_id]
    index_of = {item.id: index for index, item in enumerate(things)}
    splits: dict[str, int] = {}
    skipped = 0
    for row in task.rows:
        instance_map = row.decode_plane("instance")
        label_map = row.decode_label_map()
        if instance_map is None or instance_map.shape[:2] != label_map.shape:
            skipped += 1
            continue
        name = f"{row.split}/{build_flat_name(row)}"
        found = find_instances(instance_map, label_map, space, simulator)
        lines = [f"{index_of[instance.class_id]} {_format_box(instance, label_map.shape)}\n" for instance in found]
        task.dest.write(f"images/{name}.png", row.require_file("image"))
        task.dest.write(f"labels/{name}.txt", "".join(lines).encode())
        task.dest.note_sample(row, f"images/{name}.png")
        splits[row.split] = splits.get(row.split, 0) + 1
    # Trainers insist on train and val; a dataset of one split is both until somebody divides it.
    folders = {split: f"images/{split}" for split in splits}
    first = next(iter(folders.values()), "images/train")
    stated = {"train": first, "val": first, **folders, "names": {index: item.name for index, item in enumerate(things)}}
    task.dest.write("data.yaml", yaml.safe_dump(stated, sort_keys=False, allow_unicode=True).encode("utf-8"))
    notes = [f"{skipped} rows without a readable instance file are left out"] if skipped else []
    notes += [f"no {split} split: data.yaml names {first}" for split in ("train", "val") if split not in folders]
    labels = f"boxes of the {len(things)} countable classes of {space.name}, tight around the visible pixels"
    return Outcome(sum(splits.values()), labels, tuple(notes))


def _format_box(instance: Instance, shape: tuple[int, ...]) -> str:
    """Centre and size as fractions of the picture."""
    left, top, right, bottom = instance.xyxy
    height_px, width_px = shape
    box = ((left + right) / 2 / width_px, (top + bottom) / 2 / height_px)
    return " ".join(f"{value:.8g}" for value in (*box, (right - left) / width_px, (bottom - top) / height_px))
