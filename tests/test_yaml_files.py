"""Every YAML under models/ and pipelines/ is one that the program accepts, but for CI's; none was forgotten here."""

import hashlib
from pathlib import Path

import pytest
import yaml

from sflow_pipeline.bundle import DEFAULT_BUNDLE, load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.config.steps import load_job_file

ROOT = Path(__file__).parents[1]
FOUND = sorted(
    path
    for folder in ("models", "pipelines")
    for path in (ROOT / folder).rglob("*.y*ml")
    if path.parent.name != "ci"  # see tests/pipelines/test_schedules.py
)
COUNT = 12


def test_number_of_files() -> None:
    assert len(FOUND) == COUNT, [path.relative_to(ROOT).as_posix() for path in FOUND]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_file_loads(path: Path) -> None:
    if path.is_relative_to(ROOT / "pipelines"):
        (job,) = [step.convert for step in load_job_file(path).steps if step.convert is not None]
        assert job.sim_dir != job.out_dir
    elif path.name == "bundle.yaml":
        bundle = load_bundle(path.parent)
        assert bundle.name == get_model_name(path)
        weights = (path.parent / "weights.safetensors").read_bytes()
        assert hashlib.sha256(weights).hexdigest() == bundle.metadata.weights_sha256
    else:
        assert path.name == "recipe.yaml"
        assert Recipe.model_validate(yaml.safe_load(path.read_text())).name == get_model_name(path)


def get_model_name(path: Path) -> str:
    return path.relative_to(ROOT / "models").parts[0]


def test_default_bundle_is_found_by_name_and_small_enough_for_git() -> None:
    bundle = load_bundle()
    assert bundle.path == ROOT / "models" / DEFAULT_BUNDLE
    assert sum(path.stat().st_size for path in bundle.path.rglob("weights.safetensors")) <= 25_000_000
    assert (bundle.path / "README.md").is_file()
