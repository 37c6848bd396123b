"""Writes docs/modules.md: every module of the package with the first line of its docstring (`make modules`)."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sflow_pipeline"
PAGE = ROOT / "docs" / "modules.md"
_INTRODUCTION = """# Modules

Generated from the docstrings by `make modules`; edit those, not this page.
[ARCHITECTURE.md](../ARCHITECTURE.md) explains how the packages fit together.
"""


def read_first_line(path: Path) -> str:
    """The first line of a module's docstring; empty where there is none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].strip()


def render_page(package: Path = PACKAGE) -> str:
    """The page: one section per package, one line per module, in alphabetical order.

    Args:
        package: folder of the top-level package.
    """
    sections = []
    folders = [package, *sorted(path.parent for path in package.rglob("__init__.py") if path.parent != package)]
    for folder in folders:
        title = folder.relative_to(package.parent).as_posix()
        lines = [f"## {title}/", "", read_first_line(folder / "__init__.py"), ""]
        modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        lines += [f"- `{path.relative_to(package).as_posix()}`: {read_first_line(path)}" for path in modules]
        sections.append("\n".join(lines).rstrip() + "\n")
    return "\n".join([_INTRODUCTION, *sections])


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
