"""JSON schema of job files, for editors and CI."""

import json
from typing import Any

from pydantic import TypeAdapter

from sflow_pipeline.config.field_types import APPEARANCE_NAMES
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.config.steps import Chain

#: Fields that are also written as one text.
_TEXTS: dict[str, dict[str, Any]] = {
    "size": {"type": "string", "pattern": r"^\d+[xX×]\d+$"},
    "alpha": {"type": "string"},
    "include": {"type": "string"},
    "layout": {"type": "string", "pattern": "="},
    "appearance": {"enum": list(APPEARANCE_NAMES)},
}
#: Instead of a number or a truth value; numbers such as 2e-4 are texts to some YAML readers.
_PLACEHOLDER = {"type": "string", "pattern": r"\$\{|^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$"}


def write_job_schema() -> str:
    """The schema as JSON text; it follows from the models of the job."""
    schema = TypeAdapter(ConvertJob | Chain).json_schema()
    for model in schema["$defs"].values():
        model.pop("description", None)
        for name, field in model.get("properties", {}).items():
            _admit_texts(name, field)
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Job of sflow-pipeline",
        "description": "A conversion, or steps in order. ${NAME} is an environment variable, {date} the date.",
        **schema,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _admit_texts(name: str, field: dict[str, Any]) -> None:
    """Let a field be written as the program reads it: as one text, or with a placeholder."""
    choices = field.pop("anyOf", None) or [
        {key: field.pop(key) for key in list(field) if key not in ("default", "description", "title")}
    ]
    if name in _TEXTS:
        choices.append(_TEXTS[name])
    if any(choice.get("type") in ("integer", "number", "boolean") or "enum" in choice for choice in choices):
        choices.append(_PLACEHOLDER)
    if len(choices) == 1:
        field.update(choices[0])
    else:
        field["anyOf"] = choices
