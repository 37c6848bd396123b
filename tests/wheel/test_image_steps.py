"""The install steps of the CPU image, run in an empty environment from the files that .dockerignore lets in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.wheel


def run(command: str, cwd: Path, **variables: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(["bash", "-ec", command], cwd=cwd, env={**clean, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_context(to: Path) -> None:
    """What ``COPY . .`` copies: the folders and files that .dockerignore names with ``!``."""
    to.mkdir()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        source = ROOT / line[1:]
        if not line.startswith("!"):
            continue
        if source.is_dir():
            shutil.copytree(source, to / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, to)


def test_the_steps_of_the_image_install_a_program_that_converts(tmp_path: Path) -> None:
    build = (ROOT / "docker" / "Dockerfile.cpu").read_text().split("\nFROM ")[1].replace("\\\n", "")
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)$", build, re.MULTILINE)
    steps = re.findall(r"^RUN (.*)$", build, re.MULTILINE)
    assert [step.split()[0] for step in steps] == ["python", "pip", "pip"]
    source, prefix, home = tmp_path / "src", tmp_path / "opt", tmp_path / "home"
    copy_context(source)
    shutil.copytree(ROOT / "pipelines", home / "pipelines")
    path = f"{prefix}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    for step in steps:
        # An empty index is the one that pip is configured for, as docker/README.md says.
        run(
            step.replace("/opt/sflow", str(prefix)), source, PATH=path, EXTRAS=extras, TORCH_INDEX_URL="", PIP_QUIET="2"
        )
    shutil.rmtree(source)
    run("python -c 'import ray.dashboard, s3fs, gcsfs, av'", home, PATH=path)
    assert run("command -v sflow-pipeline", home, PATH=path).strip() == f"{prefix}/bin/sflow-pipeline"
    run("sflow-pipeline --version", home, PATH=path)
    result = json.loads(run("sflow-pipeline run pipelines/smoke.yaml --json", home, PATH=path))
    assert [step["step"] for step in result["steps"]] == ["simulate", "convert", "verify", "export"]
