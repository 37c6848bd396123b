"""The tested versions of every dependency, for pip; loads nothing but the standard library, so that it runs first."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
#: In an installed wheel, and in a clone.
_PLACES = (_PACKAGE / "_constraints.txt", _PACKAGE.parent / "constraints.txt")


def read_constraints() -> str:
    """The constraints file of this version.

    Raises:
        FileNotFoundError: the installation lacks it.

    >>> "torch==" in read_constraints()
    True
    """
    for path in _PLACES:
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"no constraints file at {' or '.join(map(str, _PLACES))}")
