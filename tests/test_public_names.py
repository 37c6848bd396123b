"""The names that ``import sflow_pipeline`` offers, and the examples in docs/api.md."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sflow_pipeline
from sflow_pipeline.config.convert_options import ConvertOptions
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.errors import UsageError

ROOT = Path(__file__).parents[1]
NAMES = [name for name in sflow_pipeline.__all__ if name != "__version__"]


def read_examples(page: str) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.S | re.M)


@pytest.mark.parametrize("name", NAMES)
def test_public_name_exists_and_is_documented(name: str) -> None:
    assert (inspect.getdoc(getattr(sflow_pipeline, name)) or "").strip()


def test_type_checkers_know_every_name() -> None:
    tree = ast.parse((ROOT / "sflow_pipeline/__init__.py").read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert set(NAMES) <= set(imported)


def test_all_errors_are_public() -> None:
    from sflow_pipeline import errors

    kinds = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert set(kinds) <= set(NAMES)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'covnert'"):
        sflow_pipeline.covnert  # noqa: B018


def test_errors_and_label_spaces_load_without_torch() -> None:
    code = "import sys, sflow_pipeline as s; s.SflowError, s.list_label_spaces(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_options_of_convert_are_the_fields_of_the_job() -> None:
    assert set(ConvertOptions.__annotations__) == set(ConvertJob.model_fields) - {"sim_dir", "out_dir"}


def test_convert_takes_paths(street_dump: Path, tmp_path: Path, random_bundle: Path) -> None:
    summary = sflow_pipeline.convert(
        street_dump, tmp_path / "out", bundle=random_bundle, limit=2, workers=1, show_progress=False
    )
    assert (summary.rows, summary.out_dir) == (2, str(tmp_path / "out"))


def test_convert_takes_a_job(street_dump: Path, tmp_path: Path, random_bundle: Path) -> None:
    out = str(tmp_path / "out")
    job = ConvertJob(sim_dir=str(street_dump), out_dir=out, bundle=str(random_bundle), limit=2, workers=1)
    assert sflow_pipeline.convert(job, show_progress=False).rows == 2
    with pytest.raises(UsageError, match="further arguments were given"):
        sflow_pipeline.convert(job, out)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="no out_dir"):
        sflow_pipeline.convert(str(street_dump))  # type: ignore[call-overload]


@pytest.fixture
def api_folder(street_dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a dump under the name that the documents use."""
    (tmp_path / "SIM_DIR").symlink_to(street_dump)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "fewest"), [("docs/api.md", 5), ("README.md", 2)])
def test_examples_of_a_page_run(page: str, fewest: int, api_folder: Path) -> None:
    examples = read_examples(page)
    if page == "README.md":  # its first examples read a dataset that exists already
        sflow_pipeline.convert("SIM_DIR", "OUT_DIR", workers=1, split="train", show_progress=False)
    assert len(examples) >= fewest
    names: dict[str, Any] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"{page}, example {number + 1}", "exec"), names)  # noqa: S102
