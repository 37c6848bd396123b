"""JSON label tables: parsing, and the error for a malformed one."""

import json
from collections.abc import Iterable
from typing import Any

from sflow_pipeline.errors import FrameError


def parse_json_table(data: bytes, path: str) -> Any:
    """The content of a JSON label table.

    Raises:
        FrameError: ``unreadable``.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad_table(path, str(error)) from error


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
