"""KITTI's semantics layout: ``training/{image_2,semantic,semantic_rgb,instance}/000000_10.png``."""

import numpy as np

from sflow_pipeline.export.exporter import ExportTask, Outcome
from sflow_pipeline.export.object_numbers import ObjectNumbers
from sflow_pipeline.export.relabel import CityscapesLabels
from sflow_pipeline.storage import image_codec

NAME = "kitti"
LAYOUT = "training/{image_2,semantic,semantic_rgb,instance}; labels are remapped to Cityscapes ids, as KITTI's are"

_FOLDERS = {"train": "training", "test": "testing"}
#: KITTI's instance files hold labelId * 256 + n; 0 is not an object.
_INSTANCES_PER_CLASS = 256


def export(task: ExportTask) -> Outcome:
    """See ``Exporter.export``. Frames are numbered from 0 in each split; ``samples.jsonl`` lists them."""
    labels = CityscapesLabels(task.contents.label_format)
    numbers = ObjectNumbers(range(1, _INSTANCES_PER_CLASS))
    counts: dict[str, int] = {}
    for row in task.rows:
        folder = _FOLDERS.get(row.split, row.split)
        name = f"{counts.setdefault(folder, 0):06d}_10.png"
        counts[folder] += 1
        label_map = row.decode_label_map()
        label_ids = labels.to_label_ids(label_map)
        instance_ids = label_ids.astype(np.uint16) * _INSTANCES_PER_CLASS
        for instance, class_id, number in labels.number_instances(row, label_map, numbers):
            instance_ids.reshape(-1)[instance.pixels] = class_id * _INSTANCES_PER_CLASS + number
        task.dest.write(f"{folder}/image_2/{name}", row.require_png("image"))
        task.dest.write(f"{folder}/semantic/{name}", labels.encode(row, labels.space, label_ids))
        task.dest.write(f"{folder}/semantic_rgb/{name}", image_codec.encode_label(labels.colors[label_ids]))
        task.dest.write(f"{folder}/instance/{name}", image_codec.encode_uint16(instance_ids))
        task.dest.note_sample(row, f"{folder}/image_2/{name}")
    notes = (*labels.list_notes(task.contents), *numbers.describe())
    return Outcome(sum(counts.values()), labels.describe(), notes)
