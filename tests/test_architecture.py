"""ARCHITECTURE.md names every module once more than the code does: on a line that says what it is for."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sflow_pipeline"
PAGE = ROOT / "ARCHITECTURE.md"
#: What a person writes beside a path so that the line says something.
FEWEST_WORDS = 3


def list_modules() -> list[str]:
    """Paths below the package; an ``__init__.py`` is its package, not a module of its own."""
    return sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py") if p.name != "__init__.py")


def read_first_sentence(path: Path) -> str:
    """What a module says of itself: a line to start from."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=\.)\s", " ".join(docstring.split()), maxsplit=1)[0]


def test_every_module_has_a_line() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    missing = []
    for module in list_modules():
        described = [re.sub(r"`[^`]*`", "", line) for line in lines if f"`{module}`" in line]
        if not any(len(re.findall(r"\w+", text)) >= FEWEST_WORDS for text in described):
            missing.append(f"`{module}` {read_first_sentence(PACKAGE / module)}")
    assert not missing, "add a line on each to ARCHITECTURE.md:\n" + "\n".join(missing)


def test_no_line_is_left_of_a_module_that_went() -> None:
    named = re.findall(r"`([\w./-]+\.py)`", PAGE.read_text(encoding="utf-8"))
    assert [path for path in named if not (PACKAGE / path).is_file() and not (ROOT / path).is_file()] == []
