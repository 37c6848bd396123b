"""The wheel alone, in an empty environment away from the clone, renders, converts and verifies."""

import os
import re
import shlex
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pyarrow.dataset as ds
import pytest

ROOT = Path(__file__).parents[2]
SEQUENCES, FRAMES = 2, 3

pytestmark = pytest.mark.wheel


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that must succeed, with nothing of the clone or of this environment in reach."""
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=ROOT)
    return out


def list_install_lines() -> list[str]:
    """The commands of the README's section on installing."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Install\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```\n(.*?)^```", section, flags=re.S | re.M)
    return [line.partition(" #")[0].strip() for line in block.splitlines()]


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment in which the README's lines were run, word by word, as a stranger does."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    lines = list_install_lines()
    assert len(lines) == 3
    for line in lines:
        # pip finds the wheel as it would find it in the registry; torch and the others come from there.
        script = f"set -e; . bin/activate; export PIP_FIND_LINKS={shlex.quote(str(dist))} PIP_QUIET=2; {line}"
        run("bash", "-c", script, cwd=folder)
    assert (folder / "constraints.txt").read_bytes() == (ROOT / "constraints.txt").read_bytes()
    installed = run(folder / "bin/python", "-m", "pip", "freeze", cwd=folder)
    pinned = re.search(r"^torch==(\S+)$", (folder / "constraints.txt").read_text(), flags=re.M)
    assert pinned is not None and f"torch=={pinned[1]}" in installed
    return folder


def test_source_distribution_holds_what_the_wheel_is_built_from(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "models").rglob("*") if path.is_file()}
    assert {"pyproject.toml", "README.md", "LICENSE", "constraints.txt"} | wanted <= names


def test_installed_wheel_converts_a_dump(environment: Path, tmp_path: Path) -> None:
    program = environment / "bin/sflow-pipeline"
    where = run(environment / "bin/python", "-c", "import sflow_pipeline.errors as e; print(e.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(environment)

    assert "convert" in run(program, "--help", cwd=tmp_path)
    run(program, "simulate", "sim", f"--sequences={SEQUENCES}", f"--frames={FRAMES}", "--size=128x64", cwd=tmp_path)
    run(program, "convert", "sim", "out", cwd=tmp_path)
    run(program, "verify", "out", cwd=tmp_path)

    rows = sum(ds.dataset(path).count_rows() for path in (tmp_path / "out/data").rglob("*.parquet"))
    rejected = sum(ds.dataset(path).count_rows() for path in (tmp_path / "out/quarantine").rglob("*.parquet"))
    assert (rows, rejected) == (SEQUENCES * FRAMES, 0)
