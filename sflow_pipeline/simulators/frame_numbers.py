"""Frame numbers of a sequence, from the names of its frames, and the natural order of names."""

import operator
import re
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile

_NUMBER = re.compile(r"([0-9]+)")
#: A time as programs print it.
_TIME = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_OF_NUMBERS = "0123456789."
#: Digits of the longest number that is taken for a frame number: any of so many fits 64 bits.
MAX_DIGITS = 18


def sort_naturally(names: Iterable[str]) -> list[str]:
    """Names in the order in which people count: numbers within them by value, not digit by digit.

    >>> sort_naturally(["t10", "t2", "t1"])
    ['t1', 't2', 't10']
    """
    return sorted(names, key=lambda name: (_split_numbers(name), name))


def number_frames(names: Sequence[str]) -> dict[str, int]:
    """Frame numbers of a sequence, by name; see ``list_frame_numbers``.

    >>> number_frames(["cam0_f00930", "cam0_f00960"])
    {'cam0_f00930': 930, 'cam0_f00960': 960}
    """
    return dict(zip(names, list_frame_numbers(names), strict=True))


def list_frame_numbers(names: Sequence[str]) -> list[int]:
    """The frame number of each name: the last number that differs between the names.

    Where that one does not tell frames apart, is too long, or would put frames in another order than all numbers of the
    names do, it is the name's position in natural order. Where the names are times with differently many decimals, it
    is the position in time.

    >>> list_frame_numbers(["10_cam0", "9_cam0"]), list_frame_numbers(["left", "right"])
    ([10, 9], [0, 1])
    >>> list_frame_numbers(["10-00-59", "10-01-00", "10-01-01"])
    [0, 1, 2]
    >>> list_frame_numbers(["t0.5s", "t0.75s", "t1.25s", "t1s"]), list_frame_numbers(["v1.9", "v1.10", "v1.11"])
    ([0, 1, 3, 2], [9, 10, 11])
    """
    together = "".join(names)
    if together.isascii() and together.isdigit() and len(set(map(len, names))) == 1 and len(names[0]) <= MAX_DIGITS:
        return list(map(int, names))  # the usual case, and much quicker
    numbers = _order_times(names) or _find_numbers(names)
    if numbers is not None:
        return numbers
    places = {name: place for place, name in enumerate(sort_naturally(names))}
    return [places[name] for name in names]


def is_ascending(numbers: Sequence[int]) -> bool:
    """Whether each number is above the one before it."""
    return all(map(operator.lt, numbers, islice(numbers, 1, None)))


def _order_times(names: Sequence[str]) -> list[int] | None:
    """Positions of names in time, if they are times printed without their last zeros; None where they are not."""
    before = _find_shared_start(names).rstrip(_OF_NUMBERS)
    after = _find_shared_start([name[::-1] for name in names]).rstrip(_OF_NUMBERS)
    times = [_TIME.fullmatch(name[len(before) : len(name) - len(after)]) for name in names]
    if not times or not all(times):
        return None
    wholes, decimals = zip(*(time.groups(default="") for time in times if time), strict=True)
    is_printed = all(len(digits) < 2 or digits[-1] != "0" for digits in decimals)
    if not is_printed or len(set(map(len, decimals))) == 1:
        return None
    longest = max(map(len, decimals))
    values = [int(whole + digits.ljust(longest, "0")) for whole, digits in zip(wholes, decimals, strict=True)]
    places = {value: place for place, value in enumerate(sorted(values))}
    return [places[value] for value in values] if len(places) == len(names) else None


def _find_shared_start(names: Sequence[str]) -> str:
    first, last = (choose(names, default="") for choose in (min, max))
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _find_numbers(names: Sequence[str]) -> list[int] | None:
    """The last number of each name that differs between the names; None where it does not serve as a frame number."""
    rows = [_NUMBER.findall(name) for name in names]
    if not rows or not all(rows):
        return None
    are_alike = len(set(map(len, rows))) == 1
    varying = [i for i, column in enumerate(zip(*rows, strict=True)) if len(set(column)) > 1] if are_alike else []
    chosen = varying[-1] if varying else -1
    digits = [row[chosen] for row in rows]
    if max(map(len, digits)) > MAX_DIGITS:
        return None
    numbers = list(map(int, digits))
    if len(set(numbers)) < len(numbers):
        return None
    if len(varying) > 1 or not are_alike:
        ordered = [name for _, name in sorted(zip(numbers, names, strict=True))]
        by_numbers = sorted(names, key=lambda name: _split_numbers(name)[1::2]) if are_alike else None
        if ordered not in (by_numbers, sort_naturally(names)):
            return None
    return numbers


def _split_numbers(name: str) -> list[str | tuple[int, str]]:
    """Text and numbers of a name in turn; numbers compare by value, however many digits they have."""
    parts: list[str | tuple[int, str]] = list(_NUMBER.split(name))
    for i in range(1, len(parts), 2):
        digits = str(parts[i]).lstrip("0")
        parts[i] = len(digits), digits
    return parts
