"""Label format of a dump or dataset: label space, encodings, table format and label rule in one value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError, OutputError
from sflow_pipeline.label_spaces import (
    INSTANCE_ENCODINGS,
    InstanceEncoding,
    LabelEncoding,
    LabelReading,
    LabelSpace,
    from_colors,
    from_table,
)
from sflow_pipeline.simulators.label_rules import LABEL_RULES, REPLACED_IDS
from sflow_pipeline.simulators.label_tables import LABEL_TABLES

#: What a manifest's ``source`` states about a label format, next to the label space.
LABEL_FORMAT_FACTS = ("label_encoding", "label_table_format", "label_rule", "instance_encoding")


@dataclass(frozen=True)
class LabelFormat:
    """Everything that reading a label needs besides the file.

    Attributes:
        space: the label space that class ids follow.
        encoding: how samples become ids.
        table_format: with ``table``, the entry of ``LABEL_TABLES`` that reads the frames' tables.
        rule: the entry of ``LABEL_RULES`` that corrects what networks get, "" for none.
        instances: what the values of instance files mean.
    """

    space: LabelSpace
    encoding: LabelEncoding = "ids"
    table_format: str = ""
    rule: str = ""
    instances: InstanceEncoding = "class_times_1000"

    def read(self, data: bytes, table: bytes | None, path: str) -> LabelReading:
        """Decode a label file.

        Args:
            data: the file.
            table: the frame's label table, where there is one.
            path: the file's name in errors.

        Returns:
            (h, w) uint8 or uint16 ids exactly as the file states them, colours of no class as 65535, and those
            colours.

        Raises:
            FrameError: as ``image_codec.decode_label``; ``missing`` or ``unreadable`` for the table.
        """
        from sflow_pipeline.storage import image_codec  # loads OpenCV, which listing layouts does not need

        label = image_codec.decode_label(data, self.encoding, name=path)
        if self.encoding == "palette":
            return from_colors(label, self.space)
        if self.encoding != "table":
            return LabelReading(label, {})
        if table is None:
            raise FrameError(
                f"{path}: its label table is missing, which states the classes of its colours",
                hint="restore the table's file, or give --label-encoding if the labels need none",
                reason="missing",
            )
        return from_table(label, LABEL_TABLES[self.table_format](table, path), self.space)

    def read_for_network(
        self, data: bytes, table: bytes | None, path: str, size_px: tuple[int, int], picture: str = "its picture"
    ) -> NDArray[Any]:
        """(h, w) class ids as networks get them: decoded, of the picture's size, the label rule applied.

        Args:
            data, table, path: as in ``read``.
            size_px: (width, height) of the frame's picture.
            picture: what to call the picture in errors.

        Raises:
            FrameError: as ``read``; ``size_mismatch``.
        """
        label_map = self.read(data, table, path).label_map
        from sflow_pipeline.storage import image_codec

        image_codec.check_size((label_map.shape[1], label_map.shape[0]), size_px, name=path, picture=picture)
        return self.refine(label_map)

    def refine(self, label_map: NDArray[Any]) -> NDArray[Any]:
        """Apply the label rule, if there is one: (h, w) ids in, (h, w) ids out; for networks, never for files."""
        return LABEL_RULES[self.rule](label_map) if self.rule else label_map

    @property
    def replaced_ids(self) -> frozenset[int]:
        """Ids of label files that the label rule replaces wherever they are."""
        return REPLACED_IDS.get(self.rule, frozenset())

    def describe(self) -> dict[str, str]:
        """Everything but the space, as a manifest's ``source`` states it."""
        values = (self.encoding, self.table_format, self.rule, self.instances)
        return dict(zip(LABEL_FORMAT_FACTS, values, strict=True))


def restore_label_format(space: LabelSpace, described: Mapping[str, str], where: str) -> LabelFormat:
    """The label format that ``LabelFormat.describe`` described.

    Args:
        space: its label space.
        described: ``LABEL_FORMAT_FACTS`` by name.
        where: names their origin in errors.

    Raises:
        OutputError: a value is none that this version has.
    """
    known: tuple[Collection[str], ...] = (
        get_args(LabelEncoding),
        ("", *LABEL_TABLES),
        ("", *LABEL_RULES),
        tuple(INSTANCE_ENCODINGS),
    )
    for name, values in zip(LABEL_FORMAT_FACTS, known, strict=True):
        if described[name] not in values:
            raise OutputError(
                f"{where}: source.{name} {described[name]!r} is none of {', '.join(filter(None, values))}",
                hint="run the same convert command again, with this version of sflow-pipeline",
            )
    encoding, table_format, rule, instances = (described[name] for name in LABEL_FORMAT_FACTS)
    return LabelFormat(space, cast(LabelEncoding, encoding), table_format, rule, cast(InstanceEncoding, instances))
