"""Markdown tables for cards and reports."""

from collections.abc import Sequence


def escape_markdown(text: str) -> str:
    """Text that others wrote, on one line and without HTML, links, pictures or code.

    >>> escape_markdown("<img src=x>\\n![x](http://y)")
    '&lt;img src=x> !\\\\[x](http://y)'
    """
    plain = " ".join(text.replace("\\", "\\\\").split())
    return plain.replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")


def draw_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars, line ends and HTML in cells are escaped.

    >>> print(draw_table(["a", "b"], [["1", "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\\|y |
    <BLANKLINE>
    """
    lines = ["| " + " | ".join(_clean(cell) for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]]) + "\n"


def _clean(cell: str) -> str:
    return " ".join(cell.split()).replace("<", "&lt;").replace("|", "\\|")
