"""``sflow-pipeline list``: the names that other commands take."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from sflow_pipeline.errors import UsageError
from sflow_pipeline.nearest_name import suggest_name

#: Name and facts of one thing, in the order of a table's columns.
Row = dict[str, Any]


def list_command(
    kind: Annotated[
        str, typer.Argument(help="simulators, label-spaces, bundles or columns.", metavar="KIND", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the names that other commands take.

    simulators are for --simulator, label-spaces for --label-space, bundles for --bundle; columns are those of a
    dataset's rows, the optional ones for --include.

    Examples:

      sflow-pipeline list simulators
      sflow-pipeline list label-spaces --json
    """
    if kind not in _KINDS:
        raise UsageError(f"list {kind}: no such kind", hint=suggest_name(kind, _KINDS))
    rows = _KINDS[kind]()
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for line in _align([[str(value) for value in row.values() if value != ""] for row in rows]):
        typer.echo(line)


def _list_simulators() -> list[Row]:
    from sflow_pipeline.simulators import SIMULATORS

    return [{"name": name, "layout": adapter.LAYOUT} for name, adapter in SIMULATORS.items()]


def _list_label_spaces() -> list[Row]:
    from sflow_pipeline.label_spaces import list_label_spaces, load_label_space

    spaces = [load_label_space(name) for name in list_label_spaces()]
    return [
        {"name": space.name, "classes": len(space.classes), "version": space.version, "source": space.source}
        for space in spaces
    ]


def _list_bundles() -> list[Row]:
    from sflow_pipeline.bundle import DEFAULT_BUNDLE, list_bundles, load_bundle

    bundles = [load_bundle(name) for name in list_bundles()]
    return [
        {
            "name": bundle.name,
            "version": bundle.metadata.version,
            "label_space": bundle.metadata.label_space,
            "default": "default" if bundle.name == DEFAULT_BUNDLE else "",
            "path": str(bundle.path),
        }
        for bundle in bundles
    ]


def _list_columns() -> list[Row]:
    from sflow_pipeline.columns import CHOSEN_COLUMNS, COLUMNS

    return [
        {
            "name": column.name,
            "holds": column.holds,
            "group": column.group,
            "in_a_row": "always"
            if column.required
            else "--include"
            if column.name in CHOSEN_COLUMNS
            else "where known",
        }
        for column in COLUMNS
    ]


_KINDS: dict[str, Callable[[], list[Row]]] = {
    "simulators": _list_simulators,
    "label-spaces": _list_label_spaces,
    "bundles": _list_bundles,
    "columns": _list_columns,
}


def _align(rows: list[list[str]]) -> list[str]:
    """Rows as lines with their values below each other.

    >>> _align([["a", "long", "x"], ["bcd", "y"]])
    ['a    long  x', 'bcd  y']
    """
    widths: dict[int, int] = {}
    for row in rows:
        for place, value in enumerate(row):
            widths[place] = max(widths.get(place, 0), len(value))
    return ["  ".join(value.ljust(widths[place]) for place, value in enumerate(row)).rstrip() for row in rows]
