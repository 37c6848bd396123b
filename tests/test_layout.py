"""The top-level data folders hold data: a module there would overwrite other projects' packages of the same name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("folder", ["models", "pipelines", "docker"])
def test_data_folder_holds_no_code(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if path.suffix in {".py", ".pyi", ".so", ".pkl", ".pt", ".pth"}] == []
