"""The columns of what is written: dataset rows, quarantine rows, and how Hugging Face `datasets` decodes them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from sflow_pipeline.columns import COLUMNS
from sflow_pipeline.errors import SflowError

#: Changes when the same input would be written differently; part of every shard's fingerprint.
DATASET_FORMAT_VERSION = 6

ALPHA_SIDES = 5
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TYPES: dict[str, pa.DataType] = {
    "picture": IMAGE_TYPE,
    "plane": IMAGE_TYPE,
    "file": IMAGE_TYPE,
    "text": pa.string(),
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "alpha": pa.list_(pa.float32(), ALPHA_SIDES),
}

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
    ("variant", pa.int32()),
    ("image", IMAGE_TYPE),
    ("label", IMAGE_TYPE),
)
#: One row per frame that was not converted, and per image that the gate refused: these have variant, image and label.
QUARANTINE_SCHEMA = pa.schema(list(_QUARANTINE))

_REQUIRED = frozenset(column.name for column in COLUMNS if column.required)
_REQUIRED_OF_QUARANTINE = frozenset(("source_uri", "reason", "message"))


def build_row_schema(columns: Iterable[str], raw_columns: Iterable[str] = ()) -> pa.Schema:
    """The schema of a dataset's rows.

    Args:
        columns: the optional columns that this dataset has.
        raw_columns: file columns, ``label`` among them, whose files picture libraries do not decode exactly (arrays,
            EXR, 16-bit colour, …); readers get their bytes, which ``sflow_pipeline.read_array`` decodes.

    Returns:
        a schema whose ``huggingface`` metadata makes `datasets` decode the other file columns as pictures.

    >>> build_row_schema(["edge"]).names[:8]
    ['sample_id', 'sequence_id', 'frame_index', 'variant', 'split', 'image', 'label', 'edge']
    """
    present, raw = frozenset(columns), frozenset(raw_columns)
    fields = [
        (column.name, _TYPES[column.holds]) for column in COLUMNS if not column.optional or column.name in present
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


def check_row(row: Mapping[str, Any], schema: pa.Schema) -> None:
    """Refuse a row that does not fit its schema: a key that is no column, or a required column without a value.

    Raises:
        SflowError: names the columns.

    >>> check_row({"reason": "missing", "message": "a.png: is gone", "colour": 1}, QUARANTINE_SCHEMA)
    Traceback (most recent call last):
    sflow_pipeline.errors.SflowError: row None: column colour is not in the schema
    """
    required = _REQUIRED_OF_QUARANTINE if schema.equals(QUARANTINE_SCHEMA) else _REQUIRED
    unknown = sorted(row.keys() - set(schema.names))
    missing = sorted(name for name in required & set(schema.names) if row.get(name) is None)
    for names, fault in ((unknown, "is not in the schema"), (missing, "has no value")):
        if names:
            raise SflowError(
                f"row {row.get('sample_id')}: column {', '.join(names)} {fault}",
                hint="a fault of the program: please report it",
            )


def _describe_feature(field: "pa.Field[Any]", *, is_raw: bool) -> dict[str, object]:
    if field.type == IMAGE_TYPE:
        if is_raw:
            return {"bytes": _value("binary"), "path": _value("string")}
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(field.type):  # versions of `datasets` before 4 do not know its newer name, List
        return {"feature": _value("float32"), "length": field.type.list_size, "_type": "Sequence"}
    return _value("float32" if pa.types.is_float32(field.type) else str(field.type))


def _value(dtype: str) -> dict[str, object]:
    return {"dtype": dtype, "_type": "Value"}
