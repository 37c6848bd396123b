"""Cityscapes' folders: ``leftImg8bit`` beside ``gtFine``, as cityscapesScripts and its many readers expect them."""

import re

import numpy as np

from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.export.object_numbers import ObjectNumbers
from sflow_pipeline.export.relabel import CityscapesLabels
from sflow_pipeline.storage import image_codec

NAME = "cityscapes"
LAYOUT = "leftImg8bit and gtFine with labelIds, labelTrainIds, instanceIds and color; labels are remapped"

#: Instance files hold labelId * 1000 + n.
_INSTANCES_PER_CLASS = 1000
_NO_CITY = re.compile(r"[^A-Za-z0-9-]+")


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. A sequence is a city, a variant the number in the middle of a name."""
    labels = CityscapesLabels(task.contents.label_format)
    numbers = ObjectNumbers(range(_INSTANCES_PER_CLASS))
    cities: dict[str, str] = {}
    rows = 0
    for row in task.rows:
        city = _name_city(row.sequence_id, cities)
        name = f"{row.split}/{city}/{city}_{row.variant:06d}_{row.frame_index:06d}"
        label_map = row.decode_label_map()
        label_ids = labels.to_label_ids(label_map)
        instance_ids = label_ids.astype(np.uint16)
        for instance, class_id, number in labels.number_instances(row, label_map, numbers):
            instance_ids.reshape(-1)[instance.pixels] = class_id * _INSTANCES_PER_CLASS + number
        task.dest.write(f"leftImg8bit/{name}_leftImg8bit.png", row.require_png("image"))
        truth = f"gtFine/{name}_gtFine"
        task.dest.write(f"{truth}_labelIds.png", labels.encode(row, labels.space, label_ids))
        train_ids = labels.to_train_ids(label_ids)
        task.dest.write(f"{truth}_labelTrainIds.png", labels.encode(row, labels.train_space, train_ids))
        task.dest.write(f"{truth}_instanceIds.png", image_codec.encode_uint16(instance_ids))
        task.dest.write(f"{truth}_color.png", image_codec.encode_label(labels.colors[label_ids]))
        task.dest.note_sample(row, f"leftImg8bit/{name}_leftImg8bit.png")
        rows += 1
    notes = (*labels.list_notes(task.contents), *numbers.describe())
    return Outcome(rows, labels.describe(), notes)


def _name_city(sequence_id: str, cities: dict[str, str]) -> str:
    """A city name without underscores, which Cityscapes' names are split at; no two sequences share one."""
    if sequence_id not in cities:
        base = _NO_CITY.sub("-", sequence_id).strip("-") or "sequence"
        taken = set(cities.values())
        city, count = base, 2
        while city in taken:
            city, count = f"{base}-{count}", count + 1
        cities[sequence_id] = city
    return cities[sequence_id]
