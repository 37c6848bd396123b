"""YAML as text, numbers, lists and mappings, of bounded size: no other types, no expansion without end."""

from collections import Counter
from typing import Any, ClassVar

import yaml

#: Characters of one file.
MAX_TEXT = 1 << 24
#: Values in one file, counted again for each alias that repeats them.
MAX_VALUES = 1_000_000
#: Lists and mappings within each other.
MAX_DEPTH = 64


class YamlError(ValueError):
    """Text that is no YAML, or YAML beyond the bounds; the message says where."""


class BoundedLoader(yaml.SafeLoader):
    """Composes within the bounds; the base of every loader here.

    An alias costs nothing to compose, but everything that walks the result afterwards meets its target again: nine
    lists of nine aliases are 400 million values in 300 bytes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = 0
        self._depth = 0
        self._counted: dict[str, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark, anchor = event.start_mark, event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self.anchors and anchor not in self._counted:
                raise yaml.composer.ComposerError(None, None, f"alias *{anchor} is part of itself", mark)
            self._count(self._counted.get(anchor, 0), mark)
            return super().compose_node(parent, index)
        before = self._values
        self._count(1, mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_DEPTH} levels deep", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None:
            self._counted[anchor] = self._values - before
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        counted = Counter(key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode))
        twice = [key for key, count in counted.items() if count > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} occurs twice", node.start_mark)
        return dict(super().construct_mapping(node, deep))

    def _count(self, values: int, mark: Any) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise yaml.composer.ComposerError(None, None, f"more than {MAX_VALUES} values", mark)


class _PlainLoader(BoundedLoader):
    """Text, numbers, truth values, null, lists and mappings; dates and all else stay as they were written."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {}
    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _kind in ("null", "bool", "int", "float", "str", "seq", "map"):
    _PlainLoader.add_constructor(
        f"tag:yaml.org,2002:{_kind}", yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{_kind}"]
    )
_PlainLoader.yaml_constructors[None] = yaml.SafeLoader.construct_undefined


class TextKeyLoader(_PlainLoader):
    """The same types, but keys are text as they were written: ``0001`` is no number, ``no`` is no truth value.

    >>> parse_plain_yaml("split: {0001: val}\\nfps: 10", TextKeyLoader)
    {'split': {'0001': 'val'}, 'fps': 10}
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def parse_plain_yaml(text: str, loader: type[BoundedLoader] = _PlainLoader) -> Any:
    """The first document of a YAML text; None of an empty one.

    Args:
        text: decoded.
        loader: which types its scalars become.

    Raises:
        YamlError: it is no YAML, has a key twice or a type of its own, or is too long, deep or large.

    >>> parse_plain_yaml("fps: 10\\ndate: 2001-99-99")
    {'fps': 10, 'date': '2001-99-99'}
    """
    if len(text) > MAX_TEXT:
        raise YamlError(f"has {len(text)} characters, more than {MAX_TEXT}")
    try:
        # Every loader here is a SafeLoader: it builds text, numbers, lists and mappings; there is nothing to execute.
        return yaml.load(text, Loader=loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise YamlError(str(error)) from error
    except (ValueError, OverflowError, RecursionError, TypeError) as error:  # of numbers that are none
        raise YamlError(f"holds a value that cannot be read: {error}") from error
