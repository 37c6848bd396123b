"""Path patterns of a layout, as one line of text."""

import re

from sflow_pipeline.columns import MODALITIES

_START = re.compile(r",(?=\s*\w+=)")


def split_patterns(text: str) -> dict[str, str]:
    """Column to path pattern; a comma within a path belongs to it.

    Raises:
        ValueError: a part is not ``COLUMN=PATTERN``, or a column has two patterns.

    >>> split_patterns("render=day,wet=1/{frame}.png,label=gt/{frame}.png")
    {'render': 'day,wet=1/{frame}.png', 'label': 'gt/{frame}.png'}
    """
    parts: list[str] = []
    for part in _START.split(text):
        column = part.partition("=")[0].strip()
        is_within = bool(parts) and column not in MODALITIES and "{frame}" not in parts[-1]
        if is_within:
            parts[-1] += f",{part}"
        elif part.strip():
            parts.append(part)
    pairs = [part.partition("=") for part in parts]
    if not all(equals for _column, equals, _pattern in pairs):
        raise ValueError("expected COLUMN=PATTERN by comma, such as render=rgb/{frame}.png,label=id/{frame}.png")
    columns = [column.strip() for column, _equals, _pattern in pairs]
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise ValueError(f"{twice[0]} has more than one pattern")
    return {column: pattern.strip() for column, (_column, _equals, pattern) in zip(columns, pairs, strict=True)}
