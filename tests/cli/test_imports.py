"""Printing the version and reading YAML load none of the libraries that take seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "ray", "cv2", "pyarrow", "numpy")
PRINT_VERSION = """
import sys
sys.argv = ["sflow-pipeline", "--version"]
from sflow_pipeline.__main__ import main
try:
    main()
except SystemExit as stop:
    assert stop.code in (0, None), stop.code
"""
READ_YAML = """
from pathlib import Path
from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.config.recipe import load_recipe
from sflow_pipeline.label_spaces import list_label_spaces, load_label_space
for path in Path("pipelines").glob("*.yaml"):
    load_job_file(path)
for path in Path("models").glob("*/recipe.yaml"):
    load_recipe(path)
for name in list_label_spaces():
    load_label_space(name)
"""
PRINT_LOADED = """
import json, sys
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def list_loaded(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after running some code."""
    done = subprocess.run([sys.executable, "-c", code + PRINT_LOADED], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import sflow_pipeline; sflow_pipeline.__version__", PRINT_VERSION])
def test_version_loads_nothing_heavy(code: str) -> None:
    assert list_loaded(code) & {*HEAVY, "rich"} == set()


def test_reading_yaml_loads_none_of_torch_ray_cv2() -> None:
    assert list_loaded(READ_YAML) & {"torch", "ray", "cv2"} == set()


@pytest.mark.parametrize(
    "module",
    ["conversion.verify", "conversion.status.run_status", "report.dataset_page", "inspection.inspect_dump"],
)
def test_commands_that_run_no_network_load_no_torch(module: str) -> None:
    assert list_loaded(f"import sflow_pipeline.{module}") & {"torch", "ray"} == set()
