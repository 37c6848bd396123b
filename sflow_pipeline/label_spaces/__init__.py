"""Named, versioned class tables and the mappings between them."""

from sflow_pipeline.label_spaces.catalog import list_label_spaces, load_label_space
from sflow_pipeline.label_spaces.color_labels import UNKNOWN_COLOR_ID, LabelReading, from_colors
from sflow_pipeline.label_spaces.derived_space import derive_label_space
from sflow_pipeline.label_spaces.described_space import describe_label_space, restore_label_space
from sflow_pipeline.label_spaces.encodings import (
    INSTANCE_ENCODINGS,
    LABEL_ENCODINGS,
    InstanceEncoding,
    LabelEncoding,
    StatedLabelEncoding,
)
from sflow_pipeline.label_spaces.label_space import LabelClass, LabelSpace
from sflow_pipeline.label_spaces.label_table import LabelTable, from_table
from sflow_pipeline.label_spaces.mapping import UNMAPPED, LabelMapping, MappingRow, build_mapping
from sflow_pipeline.label_spaces.unknown_colors import explain_unknown_colors

__all__ = [
    "INSTANCE_ENCODINGS",
    "LABEL_ENCODINGS",
    "UNKNOWN_COLOR_ID",
    "UNMAPPED",
    "InstanceEncoding",
    "LabelClass",
    "LabelEncoding",
    "LabelMapping",
    "LabelReading",
    "LabelSpace",
    "LabelTable",
    "MappingRow",
    "StatedLabelEncoding",
    "build_mapping",
    "derive_label_space",
    "describe_label_space",
    "explain_unknown_colors",
    "from_colors",
    "from_table",
    "list_label_spaces",
    "load_label_space",
    "restore_label_space",
]
