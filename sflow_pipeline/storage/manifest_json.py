"""JSON of a manifest, written and read shard by shard: the list of shards can be far larger than all else."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sflow_pipeline.storage.canonical_json import encode_json
from sflow_pipeline.storage.commits import ShardRecord

_Item = TypeVar("_Item")

_EMPTY = b'\n  "shards": []'
_BEGIN, _END = '  "shards": [', "  ]"
_LAST, _NOT_LAST = "    }", "    },"


def encode_manifest(content: Mapping[str, Any], shards: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Canonical JSON of ``{**content, "shards": [*shards]}``, in parts.

    >>> both = {"a": 1, "shards": [{"b": 2}, {"c": "ä"}], "z": []}
    >>> b"".join(encode_manifest({"a": 1, "z": []}, both["shards"])) == encode_json(both)
    True
    """
    head, _, tail = encode_json({**content, "shards": []}).partition(_EMPTY)
    yield head
    count = 0
    for count, shard in enumerate(shards, 1):
        yield b'\n  "shards": [' if count == 1 else b","
        yield b"\n" + b"\n".join(b"    " + line for line in encode_json(shard).rstrip(b"\n").split(b"\n"))
    yield (b"\n  ]" if count else _EMPTY) + tail


def decode_manifest(lines: Iterable[str], on_shard: Callable[[Any], None]) -> Any:
    """The value of some JSON, with an empty list of shards; each shard is handed over alone.

    JSON of another form than ``encode_manifest`` writes is decoded at once.

    Raises:
        ValueError: it is no JSON.
    """
    rest: list[str] = []
    remaining = iter(lines)
    for line in remaining:
        rest.append(line)
        if line.rstrip("\n") == _BEGIN:
            rest += _hand_over(remaining, on_shard)
    content = json.loads("".join(rest))
    if isinstance(content, dict) and isinstance(content.get("shards"), list):
        for shard in content["shards"]:
            on_shard(shard)
        content["shards"] = []
    return content


class DamagedValueError(ValueError):
    """A value of another type than its field; the text is its place, and what is wrong with it."""


def validate_json(adapter: TypeAdapter[_Item], content: Any, place: str = "") -> _Item:
    """Validate a JSON-like value; lone surrogates of file names become "?".

    Args:
        adapter: of the type.
        content: the value.
        place: of the value in its file, with a dot at its end.

    Raises:
        DamagedValueError: it does not fit.
    """
    # Through bytes, because lists become tuples only in JSON mode.
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join((*place.split(".")[:-1], *map(str, first["loc"])))
        raise DamagedValueError(f"{name}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None


class ShardCollector:
    """Validates the shards of a manifest one by one.

    Args:
        is_keeping: keep them.
    """

    def __init__(self, *, is_keeping: bool) -> None:
        self._is_keeping = is_keeping
        self._shards: list[ShardRecord] = []
        self._count = 0
        self._damage: DamagedValueError | None = None

    def add(self, content: Any) -> None:
        """The next shard."""
        if self._damage is None:
            try:
                shard = validate_json(_adapter(), content, f"shards.{self._count}.")
            except DamagedValueError as error:
                self._damage = error
            else:
                self._shards += [shard] * self._is_keeping
        self._count += 1

    def finish(self) -> tuple[ShardRecord, ...]:
        """The shards that were kept.

        Raises:
            DamagedValueError: one of all does not fit.
        """
        if self._damage is not None:
            raise self._damage
        return tuple(self._shards)


@cache
def _adapter() -> TypeAdapter[ShardRecord]:
    return TypeAdapter(ShardRecord)


def _hand_over(lines: Iterator[str], on_shard: Callable[[Any], None]) -> list[str]:
    """Decode shards up to the end of their list; the lines that are no shard's."""
    lines_of_shard: list[str] = []
    is_last = False
    for line in lines:
        text = line.rstrip("\n")
        if text.startswith(_END):
            if not is_last:
                raise ValueError("a list of shards ends with a comma")
            return [*lines_of_shard, line]
        if is_last:
            raise ValueError("shards without a comma between them")
        lines_of_shard.append(line)
        if text in (_LAST, _NOT_LAST):
            on_shard(json.loads("".join(lines_of_shard).rstrip().removesuffix(",")))
            lines_of_shard = []
            is_last = text == _LAST
    return lines_of_shard
