"""JSON label tables: parsing, and the error for a malformed one."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sflow_pipeline.errors import FrameError


def parse_json_table(data: bytes, path: str) -> Any:
    """The content of a JSON label table.

    Raises:
        FrameError: ``unreadable``.
    """
    try:
        return json.loads(data, object_pairs_hook=_check_keys)
    except (ValueError, RecursionError) as error:
        raise bad_table(path, str(error)) from error


def _check_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose keys must differ: the last of equal ones would be taken."""
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"{counts.most_common(1)[0][0]!r} is there twice")
    return content


def bad_table(path: str, what: str) -> FrameError:
    """The error for a malformed label table."""
    return FrameError(
        f"{path}: does not say what the label's pixels mean: {what}", hint="write the frame again", reason="unreadable"
    )


def is_color(values: Iterable[int]) -> bool:
    """Whether numbers are valid colour samples.

    >>> is_color((255, 0, 0, 255)), is_color((300, 0, 0, 255))
    (True, False)
    """
    return all(0 <= value <= 255 for value in values)
