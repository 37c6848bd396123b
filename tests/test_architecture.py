"""The documents name files that exist, and docs/modules.md lists every module as its docstring describes it."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sflow_pipeline"
MODULES_PAGE = ROOT / "docs/modules.md"
#: A first docstring line with fewer words describes nothing.
FEWEST_WORDS = 3
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
RECORDS = sorted(ROOT.glob("docs/decisions/*.md"))


def list_modules() -> list[str]:
    """Paths of all modules below the package."""
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def test_modules_page_is_up_to_date() -> None:
    tool = runpy.run_path(str(ROOT / "tools/list_modules.py"))
    assert MODULES_PAGE.read_text(encoding="utf-8") == tool["render_page"](), "docs/modules.md is stale: make modules"


def test_modules_page_lists_every_module() -> None:
    listed = re.findall(r"^- `(.+?)`: ", MODULES_PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert sorted(listed) == [path for path in list_modules() if not path.endswith("__init__.py")]


def test_every_module_is_described() -> None:
    lines = re.findall(r"^- `(.+?)`: (.*)$", MODULES_PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert [path for path, text in lines if len(re.findall(r"\w+", text)) < FEWEST_WORDS] == []


@pytest.mark.parametrize("page", [*PAGES, *RECORDS], ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|yaml))`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (PACKAGE / path).is_file() and not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", [*PAGES, *RECORDS, ROOT / "README.md", ROOT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+://", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_decision_is_linked() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [path.name for path in RECORDS if f"docs/decisions/{path.name}" not in page] == []


def test_bgr_exists_in_the_image_codec_alone() -> None:
    allowed = {"storage/image_codec.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"COLOR_\w*BGR|cv2\.im(?:read|write|encode|decode)\(", path.read_text(encoding="utf-8"))
    }
    assert found == allowed


def test_floors_are_those_that_import_linter_checks() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    floors = page.partition("## Floors")[2].split("```")[1].strip().splitlines()
    assert floors == [layer for layer in layers if layer != "__main__"]
