"""Row filters: conditions on the values of a row, such as ``scores.miou > 0.5``, parsed and never executed as code."""

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sflow_pipeline.columns import BY_NAME
from sflow_pipeline.errors import UsageError

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
#: Values of these kinds can be compared.
_NUMBERS, _TEXTS = ("int32", "int64", "float32"), ("string",)
_TEXT = r"\"[^\"]*\"|'[^']*'"
_CONDITION = re.compile(rf"\s*(?:scores\.)?(\w+)\s*(<=|>=|==|!=|<|>)\s*({_TEXT}|[-+.\w]+)\s*(and\s|$)")
#: A float would not hold every int64.
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_EXAMPLE = "for example scores.miou > 0.5 and failed_checks == ''"


@dataclass(frozen=True)
class _Condition:
    """Comparison of a column with a value; both are rounded to float32 in columns that hold such numbers."""

    column: str
    sign: str
    value: float | str

    def holds(self, found: Any) -> bool:
        """Whether a row's value fulfils it; a missing one fulfils no condition: what was not measured is not passed."""
        if found is None:
            return False
        found = _round_float32(found) if BY_NAME[self.column].holds == "float32" else found
        return _COMPARISONS[self.sign](found, self.value)


@dataclass(frozen=True)
class RowFilter:
    """Conditions that all have to hold.

    Attributes:
        conditions: in the order given.
    """

    conditions: tuple[_Condition, ...]

    @property
    def columns(self) -> list[str]:
        """The columns that it looks at."""
        return list(dict.fromkeys(condition.column for condition in self.conditions))

    def accepts(self, values: Mapping[str, Any]) -> bool:
        """Whether a row fulfils every condition."""
        return all(condition.holds(values.get(condition.column)) for condition in self.conditions)


def parse_row_filter(text: str, known: list[str]) -> RowFilter:
    """Conditions ``COLUMN SIGN VALUE`` joined by ``and``.

    Args:
        text: signs are ``<``, ``<=``, ``>``, ``>=``, ``==`` and ``!=``; values are numbers, or text in quotes;
            ``scores.`` may stand before a column.
        known: columns of the dataset.

    Raises:
        UsageError: it is written otherwise, a column is unknown or holds neither a number nor text, or a number is
            compared with text.

    >>> found = parse_row_filter("scores.miou > 0.5 and split == 'train'", ["miou", "split"])
    >>> found.accepts({"miou": 0.6, "split": "train"}), found.accepts({"miou": None, "split": "train"})
    (True, False)
    """
    conditions = []
    position, is_followed = 0, True
    while is_followed:
        matched = _CONDITION.match(text, position)
        if matched is None:
            raise UsageError(
                f"where {text!r}: expected COLUMN SIGN VALUE at {text[position:].strip()[:40]!r}", hint=_EXAMPLE
            )
        name, sign, written, joint = matched.groups()
        conditions.append(_Condition(name, sign, _read_value(text, name, written, known)))
        position, is_followed = matched.end(), bool(joint.strip())
    return RowFilter(tuple(conditions))


def _read_value(text: str, name: str, written: str, known: list[str]) -> float | str:
    comparable = [name for name in known if name in BY_NAME and BY_NAME[name].holds in (*_NUMBERS, *_TEXTS)]
    if name not in comparable:
        near = difflib.get_close_matches(name, comparable, n=1)
        listed = f"it can be filtered by {', '.join(comparable)}"
        raise UsageError(
            f"where {text!r}: no column {name!r} that holds a number or a text",
            hint=f"did you mean {near[0]}? {listed}" if near else listed,
        )
    is_text = written[0] in "'\""
    if is_text != (BY_NAME[name].holds in _TEXTS):
        kind = "numbers" if is_text else "texts"
        hint = f"{name} > 0.5" if is_text else f"{name} == '{written}'"
        raise UsageError(f"where {text!r}: {name} holds {kind}, and {written} is none", hint=f"for example {hint}")
    if is_text:
        return written[1:-1]
    try:
        if BY_NAME[name].holds != "float32":
            return int(written) if _INTEGER.fullmatch(written) else float(written)
        return _round_float32(float(written))
    except ValueError:
        raise UsageError(f"where {text!r}: {written} is not a number", hint=_EXAMPLE) from None


def _round_float32(value: float) -> float:
    """The nearest number that a float32 column can hold, infinity for one beyond all of them.

    >>> _round_float32(0.2) == 0.20000000298023224
    True
    """
    with np.errstate(over="ignore"):
        return float(np.float32(value))
