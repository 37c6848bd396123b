"""YAML to typed models, strictly: values by declared type, wrong keys by path with the nearest right name."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sflow_pipeline.errors import ConfigError, UsageError
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.untrusted.limits import PIXELS_VARIABLE, read_limits
from sflow_pipeline.untrusted.plain_yaml import BoundedLoader, YamlError, parse_plain_yaml
from sflow_pipeline.untrusted.regular_file import read_regular

Model = TypeVar("Model", bound=BaseModel)
_QUOTED = r"'([^']*)'"


class _TextLoader(BoundedLoader):
    """Leaves every scalar as the text that was written, so that the declared type decides: 2e-4 is a number where a
    number is expected, and ``no`` stays a word where a word is."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {}
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
_TextLoader.add_constructor("tag:yaml.org,2002:null", lambda _loader, _node: None)
_TextLoader.add_constructor(
    "tag:yaml.org,2002:map",
    lambda loader, node: loader.construct_mapping(node, deep=True),  # type: ignore[arg-type]
)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top is a mapping, every scalar as text (null stays None).

    Raises:
        ConfigError: it cannot be read, is no YAML, or has a key twice.
    """
    try:
        return parse_yaml(read_regular(path).decode("utf-8"), where=str(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}", hint="give a readable YAML file in UTF-8") from error


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """Parse YAML text; ``where`` names its origin in errors.

    >>> parse_yaml("lr: 2e-4\\nname: no\\nsize: null", "job.yaml")
    {'lr': '2e-4', 'name': 'no', 'size': None}
    """
    try:
        content = parse_plain_yaml(text, _TextLoader)
    except YamlError as error:
        raise ConfigError(f"{where}: {error}", hint="correct the YAML") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: must be a mapping of keys to values", hint="write it as `key: value` lines")
    return content


def parse_settings(settings: Iterable[str], example: str) -> dict[str, Any]:
    """``KEY=VALUE`` texts of a command line's ``--set``, values read as YAML.

    Raises:
        UsageError: one has no key or no value; shows the example.

    >>> parse_settings(["variants=3", "include=[edge, depth]"], example="variants=3")
    {'variants': '3', 'include': ['edge', 'depth']}
    """
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {setting}: expected KEY=VALUE", hint=f"for example --set {example}")
        parsed[key] = parse_yaml(f"value: {value}", where=f"--set {setting}")["value"]
    return parsed


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from ``WxH``.

    Raises:
        ValueError: it is written otherwise, a side is 0, or a picture may not have as many pixels.

    >>> parse_size("512x256")
    (512, 256)
    """
    matched = re.fullmatch(r"(\d{1,9})[xX×](\d{1,9})", text.strip())
    if matched is None or not (int(matched[1]) and int(matched[2])):
        raise ValueError("expected WxH in pixels, such as 512x256")
    size_px = int(matched[1]), int(matched[2])
    check_pixels(size_px)
    return size_px


def check_pixels(size_px: tuple[int, int]) -> None:
    """Raise ValueError where a picture of that size has more pixels than one may have."""
    most = read_limits().pixels
    if size_px[0] * size_px[1] > most:
        raise ValueError(f"at most {most} pixels fit into a picture ({PIXELS_VARIABLE} raises it)")


def decode_config(model: type[Model], content: Mapping[str, Any], where: str) -> Model:
    """Validate a mapping as ``model``.

    Args:
        model: a pydantic model with ``extra="forbid"``.
        content: keys and values, as text or typed.
        where: origin, for errors.

    Raises:
        ConfigError: one line per mistake, each with its path and the nearest right name.
    """
    try:
        return model.model_validate(_restore_choices(model, dict(content)))
    except ValidationError as error:
        found = error.errors(include_url=False)
    mistakes = [_describe(model, mistake) for mistake in found]
    lines = "\n  ".join(message for message, _hint in mistakes)
    hints = list(dict.fromkeys(hint for _message, hint in mistakes if hint))
    separator = ": " if len(mistakes) == 1 else ":\n  "
    named = dict.fromkeys(name for mistake in found for name in _list_named(model, mistake))
    raise ConfigError(f"{where}{separator}{lines}", hint="; ".join(hints), fields=tuple(named))


def _restore_choices(annotation: Any, value: Any) -> Any:
    """Text that spells a choice which is no text (``Literal[1, 2, 3]``) becomes that choice; types are not guessed."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not isinstance(value, dict):
            return value
        fields = annotation.model_fields
        return {
            key: _restore_choices(fields[key].annotation, item) if key in fields else item
            for key, item in value.items()
        }
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal and isinstance(value, str):
        return next((choice for choice in arguments if str(choice).lower() == value.lower()), value)
    if isinstance(value, list):
        return [_restore_choices(arguments[0], item) for item in value] if arguments else value
    for argument in arguments:  # the members of a union
        restored = _restore_choices(argument, value)
        if restored != value:
            return restored
    return value


def _describe(model: type[BaseModel], mistake: ErrorDetails) -> tuple[str, str]:
    path = [str(part) for part in mistake["loc"]]
    name = ".".join(path) or "value"
    if mistake["type"] == "extra_forbidden":
        known = _list_fields(model, path[:-1])
        return f"{name}: no such key", suggest_name(path[-1], known, otherwise=f"known keys: {', '.join(known)}")
    if mistake["type"] == "missing":
        return f"{name}: is missing", f"add `{name}:`"
    if mistake["type"] == "model_type":
        known = _list_fields(model, path)
        hint = f"write `{mistake['input']}:`" if mistake["input"] in known else f"known keys: {', '.join(known)}"
        return f"{name}: must be a mapping of keys to values, not {_shorten(mistake['input'])}", hint
    message = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if mistake["type"] == "literal_error":
        message = f"must be one of {', '.join(re.findall(_QUOTED, message))}"
    hint = ""
    choices = re.search(r"one of (.*)", message)
    if choices is not None and isinstance(mistake["input"], str):
        hint = suggest_name(mistake["input"], re.findall(r"[\w-]+", choices[1]), otherwise="")
    if not path:  # a rule about the whole, which names what it is about
        return message, hint
    return f"{name}: {message[:1].lower()}{message[1:]}, not {_shorten(mistake['input'])}", hint


def _list_named(model: type[BaseModel], mistake: ErrorDetails) -> list[str]:
    """Fields of the model that the message about a mistake names."""
    if mistake["loc"]:
        return [str(mistake["loc"][0])]
    words = re.findall(r"\w+", mistake["msg"])
    return [name for name in model.model_fields if name in words]


def _shorten(value: object) -> str:
    """A value for an error: long ones are cut, since aliases in YAML may spell a great many."""
    return reprlib.repr(value) if isinstance(value, dict | list | tuple) else repr(value)[:200]


def _list_fields(model: type[BaseModel], path: list[str]) -> list[str]:
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return []
        if not part.isdigit():  # a place in a list, whose items are of the model that the list's field has
            field = current.model_fields.get(part)
            current = None if field is None else _find_model(field.annotation)
    return [] if current is None else list(current.model_fields)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as ``Model | None`` or ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _find_model(argument))), None)
