"""Catalog of label spaces: packaged ones by name, others from YAML files, strictly validated."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sflow_pipeline.errors import LabelSpaceError
from sflow_pipeline.label_spaces.label_space import Color, LabelClass, LabelSpace
from sflow_pipeline.nearest_name import suggest_name
from sflow_pipeline.untrusted.plain_yaml import parse_plain_yaml
from sflow_pipeline.untrusted.regular_file import read_regular

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DATA = Path(__file__).parent / "data"
_SPACE_KEYS = {"name", "version", "source", "void", "also_void_ids", "classes"}
_CLASS_KEYS = {"id", "name", "concepts", "color", "also_colors", "derived"}
MAX_ID = 65534  # 16-bit label maps; 65535 stands for a colour that no class has
MAX_CLASSES = 255  # a channel index is one byte and 255 stands for "unmapped"


def list_label_spaces() -> tuple[str, ...]:
    """The names of the label spaces that come with the package.

    >>> "camvid11" in list_label_spaces()
    True
    """
    return tuple(sorted(path.stem for path in _DATA.glob("*.yaml")))


def load_label_space(name_or_path: str | Path) -> LabelSpace:
    """Load a label space by its name, or from a YAML file.

    Raises:
        LabelSpaceError: no such label space (the nearest names are listed), or its file is malformed.

    >>> load_label_space("camvid11").names[:3]
    ('sky', 'building', 'pole')
    """
    text = str(name_or_path)
    if text in list_label_spaces():
        return _load_packaged(text)
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        return _read(path)
    raise LabelSpaceError(
        f"label space {text!r} does not exist: expected one of {', '.join(list_label_spaces())}, or a .yaml file",
        hint=suggest_name(text, list_label_spaces()),
    )


@cache
def _load_packaged(name: str) -> LabelSpace:
    # The package's own files need no bounds, and PyYAML's C loader, where there is one, takes a tenth of the time.
    text = (_DATA / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_label_space(yaml.load(text, Loader=_LOADER), where=name)  # noqa: S506  it is a SafeLoader


def _read(path: Path) -> LabelSpace:
    try:
        content = parse_plain_yaml(read_regular(path).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise LabelSpaceError(
            f"label space file {path}: cannot be read: {error}", hint="give a readable YAML file in UTF-8"
        ) from error
    return parse_label_space(content, where=str(path))


def parse_label_space(content: Any, where: str) -> LabelSpace:
    """Build a label space from decoded YAML; ``where`` names its origin in errors.

    Raises:
        LabelSpaceError: a key is unknown or missing, a value has the wrong type, or an id, name or concept
            occurs twice.
    """

    def expect(condition: bool, rule: str) -> None:
        if not condition:
            raise LabelSpaceError(
                f"label space {where}: {rule}", hint="sflow_pipeline/label_spaces/data/camvid11.yaml is an example"
            )

    def is_id(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID

    def color(value: Any) -> Color:
        good = isinstance(value, list) and len(value) == 3 and all(is_id(v) and v <= 255 for v in value)
        expect(good, f"colour {value!r} must be three numbers from 0 to 255")
        return value[0], value[1], value[2]

    def label_class(value: Any) -> LabelClass:
        expect(isinstance(value, dict), f"class {value!r} must be a mapping")
        expect(set(value) <= _CLASS_KEYS, f"class {value!r}: keys must be among {sorted(_CLASS_KEYS)}")
        expect(is_id(value.get("id")), f"class {value!r}: id must be a number from 0 to {MAX_ID}")
        name = value.get("name")
        expect(isinstance(name, str) and bool(name), f"class {value['id']}: name must be text")
        concepts = value.get("concepts")
        good = isinstance(concepts, list) and bool(concepts) and all(isinstance(c, str) and c for c in concepts)
        expect(good, f"class {name}: concepts must be a list of dotted paths such as vehicle.car")
        expect(isinstance(value.get("derived", False), bool), f"class {name}: derived must be true or false")
        also = value.get("also_colors", [])
        expect(isinstance(also, list), f"class {name}: also_colors must be a list of colours")
        return LabelClass(
            value["id"],
            name,
            tuple(concepts),
            color(value.get("color")),
            tuple(color(c) for c in also),
            value.get("derived", False),
        )

    expect(isinstance(content, dict), "must be a mapping with name, version, void and classes")
    expect(set(content) <= _SPACE_KEYS, f"keys {sorted(map(str, content))} must be among {sorted(_SPACE_KEYS)}")
    expect(isinstance(content.get("name"), str) and bool(content["name"]), "name must be text")
    expect(is_id(content.get("version")), "version must be a whole number")
    expect(isinstance(content.get("classes"), list) and bool(content["classes"]), "classes must be a list")
    expect(len(content["classes"]) <= MAX_CLASSES, f"at most {MAX_CLASSES} classes fit, not {len(content['classes'])}")
    classes = tuple(label_class(value) for value in content["classes"])
    also_void = content.get("also_void_ids", [])
    expect(isinstance(also_void, list) and all(map(is_id, also_void)), "also_void_ids must be a list of ids")
    void = content.get("void")
    expect(void is None or any(c.id == void for c in classes), f"void {void!r} must be the id of a class, or null")
    expect(void is not None or not also_void, "also_void_ids needs a void class")
    for what, values in (
        ("id", [*(c.id for c in classes), *also_void]),
        ("name", [c.name for c in classes]),
        ("concept", [concept for c in classes for concept in c.concepts]),
    ):
        twice = sorted({str(v) for v in values if values.count(v) > 1})
        expect(not twice, f"{what} {', '.join(twice)} occurs more than once")
    return LabelSpace(
        content["name"], content["version"], classes, void, tuple(also_void), str(content.get("source", ""))
    )
