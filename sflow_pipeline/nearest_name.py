"""The nearest right name to a misspelt one, for hints."""

import difflib
from collections.abc import Iterable


def suggest_name(name: str, known: Iterable[str], *, otherwise: str | None = None) -> str:
    """A hint: the nearest known name, or all of them.

    Args:
        name: as it was written.
        known: the names that exist.
        otherwise: the hint where none is near; the list of names if not given.

    >>> suggest_name("Carle", ["carla", "shift"]), suggest_name("x", ["carla", "shift"])
    ('did you mean carla?', 'there are carla, shift')
    """
    known = list(known)
    lowered = {item.lower(): item for item in reversed(known)}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    if near:
        return f"did you mean {lowered[near[0]]}?"
    return f"there are {', '.join(known) or 'none'}" if otherwise is None else otherwise
