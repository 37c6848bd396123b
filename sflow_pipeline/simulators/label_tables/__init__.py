"""Label tables: files that state, frame by frame, what label pixels mean; one reader per file format."""

from collections.abc import Callable, Mapping

from sflow_pipeline.label_spaces import LabelTable
from sflow_pipeline.simulators.label_tables.basic_writer import read_basic_writer_table, read_instance_table
from sflow_pipeline.simulators.label_tables.solo import read_solo_table

#: Name of the file format, as manifests state it -> reader of (content, path for errors).
LABEL_TABLES: Mapping[str, Callable[[bytes, str], LabelTable]] = {
    "replicator": read_basic_writer_table,
    "replicator-instances": read_instance_table,
    "unity-solo": read_solo_table,
}
