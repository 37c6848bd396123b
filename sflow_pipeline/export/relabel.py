"""Labels in Cityscapes' ids, for layouts that allow no other label space."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.contents import Contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.export.instances import Instance, is_thing, read_instances
from sflow_pipeline.export.object_numbers import ObjectNumbers
from sflow_pipeline.label_spaces import LabelMapping, LabelSpace, build_mapping, load_label_space
from sflow_pipeline.simulators import LabelFormat
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.image_header import is_plain_gray


class CityscapesLabels:
    """Turns a dataset's labels into Cityscapes' label ids, by what the classes mean.

    A dataset that is in those ids already keeps its label files byte for byte, but for those that are no plain 8-bit
    grey: readers of the layouts would find other ids in them.
    """

    def __init__(self, label_format: LabelFormat) -> None:
        self.space = load_label_space("cityscapes34")
        self.train_space = load_label_space("cityscapes19")
        self._source = label_format.space
        self._format = label_format
        self.mapping: LabelMapping = build_mapping(label_format.space, self.space)
        self._id_of_channel = np.array([item.id for item in self.space.classes], np.uint8)
        self._train_ids = np.full(256, self.train_space.void_id, np.uint8)
        train_id_of_name = {item.name: item.id for item in self.train_space.classes}
        for item in self.space.classes:
            self._train_ids[item.id] = train_id_of_name.get(item.name, self._train_ids[item.id])
        self.colors = np.zeros((256, 3), np.uint8)
        for item in self.space.classes:
            self.colors[item.id] = item.color
        self._encoded_anew = self._unnumbered = 0

    def to_label_ids(self, label_map: NDArray[Any]) -> NDArray[np.uint8]:
        """(h, w) ids of the dataset to (h, w) labelIds, 0 to 33; ids that its label space does not have become 0."""
        channels = self.mapping.table[label_map]
        known = channels < len(self._id_of_channel)
        return np.where(known, self._id_of_channel[np.where(known, channels, 0)], np.uint8(0))

    def to_train_ids(self, label_ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(h, w) labelIds to (h, w) trainIds, 255 for what Cityscapes does not evaluate."""
        return self._train_ids[label_ids]

    def encode(self, row: Row, space: LabelSpace, label_map: NDArray[np.uint8]) -> bytes:
        """A label file in ``space``, 8-bit grey; the dataset's own where it is one already.

        Args:
            row: whose label.
            space: of ``label_map``.
            label_map: (h, w) ids to write.
        """
        if self._has_files_of(space):
            own = row.require_file("label")
            if is_plain_gray(own, name=f"label of {row.sample_id}"):
                return own
            self._encoded_anew += 1
        return image_codec.encode_label(label_map)

    def number_instances(
        self, row: Row, label_map: NDArray[Any], numbers_given: ObjectNumbers
    ) -> list[tuple[Instance, int, int]]:
        """Objects of classes that Cityscapes counts, with labelId and number, which is unique within the class."""
        things = {item.id for item in self.space.classes if is_thing(item, "class_times_1000")}
        read = read_instances(row, label_map, self._format)
        self._unnumbered += read is None
        pairs = [
            (instance, class_id)
            for instance in read or []
            if (class_id := int(self.to_label_ids(np.array([[instance.class_id]]))[0, 0])) in things
        ]
        found, class_ids = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        numbers = numbers_given.number_frame(row.sequence_id, found, class_ids)
        numbered = zip(found, class_ids, numbers, strict=True)
        return [(instance, class_id, number) for instance, class_id, number in numbered if number is not None]

    def list_notes(self, contents: Contents) -> tuple[str, ...]:
        """What a user should know about instance files: that there are none, or not for all rows."""
        if "instance" not in contents.columns:
            return ("no instance column: instance files number no objects",)
        if self._unnumbered:
            return (f"{self._unnumbered} rows without a readable instance file: theirs number no objects",)
        return ()

    def describe(self) -> str:
        """One line on how labels were exported."""
        if self._has_files_of(self.space):
            anew = f" but for {self._encoded_anew} that were no plain 8-bit grey" if self._encoded_anew else ""
            return f"labelIds byte for byte the dataset's ({self._source.name}){anew}"
        lost = f"; without a counterpart, now unlabeled: {', '.join(self.mapping.lost)}" if self.mapping.lost else ""
        return f"remapped from {self._source.name} to Cityscapes labelIds by class name and meaning{lost}"

    def _has_files_of(self, space: LabelSpace) -> bool:
        """Whether label files of the dataset are ones of ``space``; a user's label space may have its name."""
        return self._source.digest == space.digest and self._format.encoding == "ids"
