"""Label space as plain data, as datasets store it, and back."""

from collections.abc import Mapping
from typing import Any

from sflow_pipeline.errors import LabelSpaceError
from sflow_pipeline.label_spaces.label_space import LabelClass, LabelSpace


def describe_label_space(space: LabelSpace) -> dict[str, Any]:
    """Everything about a label space, with the keys of a label space's YAML file.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> describe_label_space(load_label_space("camvid11"))["classes"][0]
    {'id': 0, 'name': 'sky', 'concepts': ['sky'], 'color': [128, 128, 128]}
    """
    return {
        "name": space.name,
        "version": space.version,
        "source": space.source,
        "void": space.void_id,
        "also_void_ids": list(space.also_void_ids),
        "classes": [_describe_class(item) for item in space.classes],
    }


def restore_label_space(described: Mapping[str, Any], digest: str, where: str) -> LabelSpace:
    """The label space that ``describe_label_space`` described.

    Unlike files that people write, the rules for such files do not apply: it is restored exactly, or an error.

    Args:
        described: as read from JSON or YAML; further keys are passed over.
        digest: what the space's digest was.
        where: names its origin in errors.

    Raises:
        LabelSpaceError: something is missing or malformed, or the digest is another one.
    """
    try:
        space = LabelSpace(
            described["name"],
            described["version"],
            tuple(_restore_class(item) for item in described["classes"]),
            described["void"],
            tuple(described["also_void_ids"]),
            described["source"],
        )
        found = space.digest
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabelSpaceError(f"label space in {where}: damaged: {error!r}", hint="convert again") from error
    if found != digest:
        raise LabelSpaceError(
            f"label space {space.name} in {where}: its classes have digest {found[:12]}, not {digest[:12]} as stated",
            hint="the file was changed after conversion; convert again",
        )
    return space


def _describe_class(item: LabelClass) -> dict[str, Any]:
    described = {"id": item.id, "name": item.name, "concepts": list(item.concepts), "color": list(item.color)}
    if item.also_colors:
        described["also_colors"] = [list(color) for color in item.also_colors]
    if item.derived:
        described["derived"] = True
    return described


def _restore_class(item: Mapping[str, Any]) -> LabelClass:
    red, green, blue = item["color"]
    also = tuple((r, g, b) for r, g, b in item.get("also_colors", ()))
    return LabelClass(
        item["id"], item["name"], tuple(item["concepts"]), (red, green, blue), also, item.get("derived", False)
    )
