"""The columns of what is written: dataset rows, quarantine rows, and how Hugging Face `datasets` decodes them."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

#: Changes when the same input would be written differently; part of every shard's fingerprint.
FORMAT_VERSION = 2

#: Columns that a job may include or leave out; the rest is in every row.
OPTIONAL_COLUMNS = (
    "instance", "depth", "flow", "occlusion", "label_table", "boxes", "boxes_file", "camera", "render", "edge",
)  # fmt: skip
#: Optional columns that hold a file, in the order of the row.
FILE_COLUMNS = ("instance", "depth", "flow", "occlusion", "boxes_file", "render", "edge")
#: Optional columns that hold text as it came, JSON in general.
TEXT_COLUMNS = ("label_table", "boxes", "camera")
#: Carried columns that have no pixels of their own: they stay as they came when pictures are resized.
UNSIZED_COLUMNS = (*TEXT_COLUMNS, "boxes_file")

ALPHA_SIDES = 5
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

#: What ``gate`` may say.
GATE_VERDICTS = ("accepted", "retried", "rejected")

_IDENTITY: tuple[tuple[str, pa.DataType], ...] = (
    ("sample_id", pa.string()),
    ("sequence_id", pa.string()),
    ("frame_index", pa.int64()),
    ("variant", pa.int32()),
    ("split", pa.string()),
)
#: Columns that name a row: in every row, and read whatever else is asked for.
IDENTITY_COLUMNS = tuple(name for name, _type in _IDENTITY)

_PROVENANCE: tuple[tuple[str, pa.DataType], ...] = (
    ("source_uri", pa.string()),
    ("source_sha256", pa.string()),
    ("label_sha256", pa.string()),
    ("width_px", pa.int32()),
    ("height_px", pa.int32()),
    ("alpha", pa.list_(pa.float32(), ALPHA_SIDES)),
    ("palette", pa.int32()),
    ("seed", pa.int64()),
    ("bundle_digest", pa.string()),
    ("fidelity_acc", pa.float32()),
    ("fidelity_miou", pa.float32()),
    ("edge_f1", pa.float32()),
    ("gate", pa.string()),
)

_QUARANTINE: tuple[tuple[str, pa.DataType], ...] = (
    ("sample_id", pa.string()),
    ("sequence_id", pa.string()),
    ("frame_index", pa.int64()),
    ("split", pa.string()),
    ("source_uri", pa.string()),
    ("label_uri", pa.string()),
    ("reason", pa.string()),
    ("message", pa.string()),
    ("hint", pa.string()),
)
#: One row per frame that was not converted or did not pass the gate.
QUARANTINE_SCHEMA = pa.schema(list(_QUARANTINE))


def build_row_schema(columns: Iterable[str], raw_columns: Iterable[str] = ()) -> pa.Schema:
    """The schema of a dataset's rows.

    Args:
        columns: the optional columns that this dataset has.
        raw_columns: those of them that hold files which are no pictures (arrays, EXR, …); readers get their bytes.

    Returns:
        a schema whose ``huggingface`` metadata makes `datasets` decode the picture columns.

    >>> build_row_schema(["edge"]).names[:8]
    ['sample_id', 'sequence_id', 'frame_index', 'variant', 'split', 'image', 'label', 'edge']
    """
    present = frozenset(columns)
    raw = frozenset(raw_columns)
    pictures = ["image", "label", *(name for name in FILE_COLUMNS if name in present)]
    fields: list[tuple[str, pa.DataType]] = [
        *_IDENTITY,
        *((name, IMAGE_TYPE) for name in pictures),
        *((name, pa.string()) for name in TEXT_COLUMNS if name in present),
        *_PROVENANCE,
    ]
    schema = pa.schema(fields)
    features = {field.name: _describe_feature(field, is_raw=field.name in raw) for field in schema}
    metadata = json.dumps({"info": {"features": features}}, separators=(",", ":"))
    return schema.with_metadata({"huggingface": metadata})


def list_picture_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold files.

    >>> list_picture_columns(build_row_schema(["edge", "boxes"]))
    ['image', 'label', 'edge']
    """
    return [field.name for field in schema if field.type == IMAGE_TYPE]


def _describe_feature(field: "pa.Field[Any]", *, is_raw: bool) -> dict[str, object]:
    if field.type == IMAGE_TYPE:
        if is_raw:
            return {"bytes": _value("binary"), "path": _value("string")}
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(field.type):
        return {"feature": _value("float32"), "length": field.type.list_size, "_type": "List"}
    return _value("float32" if pa.types.is_float32(field.type) else str(field.type))


def _value(dtype: str) -> dict[str, object]:
    return {"dtype": dtype, "_type": "Value"}
