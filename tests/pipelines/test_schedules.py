"""Schedules and CI examples: what they run, in which order, and what becomes of a failure."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sflow_pipeline.cli.app import app
from sflow_pipeline.config.steps import load_job_file
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.run_lock import RunLock
from sflow_pipeline.street.write_dump import write_sample_dump

ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / "pipelines"
SCHEDULES = PIPELINES / "schedules"
FILES = [
    *(path for path in SCHEDULES.iterdir() if path.suffix not in (".md", ".timer")),
    *(PIPELINES / "ci").iterdir(),
    *(ROOT / "docker").glob("ray*.yaml"),
]


def run(command: str | list[str], folder: Path, bin_folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command as a scheduler starts it, with ``bin_folder`` first on the path."""
    words = ["bash", "-eo", "pipefail", "-c", command] if isinstance(command, str) else command
    path = f"{bin_folder}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def put(bin_folder: Path, name: str, script: str) -> None:
    bin_folder.mkdir(exist_ok=True)
    (bin_folder / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
    (bin_folder / name).chmod(0o755)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_schedule_runs_a_job_of_this_repository(path: Path) -> None:
    jobs = re.findall(r"sflow-pipeline run (\S+?\.yaml)", path.read_text())
    assert jobs
    for job in jobs:
        load_job_file(ROOT / job)


@pytest.mark.parametrize("path", sorted(SCHEDULES.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_pass_shellcheck(path: Path) -> None:
    checker = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if checker is None:
        pytest.skip("no shellcheck")
    done = subprocess.run([checker, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize(("name", "schema"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")])
def test_ci_examples_fit_the_published_schema(name: str, schema: str) -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    if not checker.is_file():
        pytest.skip("no check-jsonschema")
    command = [str(checker), "--builtin-schema", f"vendor.{schema}", str(PIPELINES / "ci" / f"{name}.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def slurm(tmp_path: Path) -> Path:
    """Slurm and Ray as far as the script uses them; commands go to ``log``. Ray starts unless ``no-ray`` exists."""
    put(tmp_path / "bin", "scontrol", "printf 'node1\\nnode2\\n'")
    put(tmp_path / "bin", "srun", 'exec "$@"')
    entrypoint = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
    starts = f'echo "ray $*" >> log; [ -e no-ray ] && exit 0; {entrypoint}'
    put(tmp_path / "bin", "ray", starts)
    put(tmp_path / "bin", "sflow-pipeline", 'echo "$*" >> log; [ ! -e "$1-fails" ] || exit "$(cat "$1-fails")"')
    return tmp_path


def sbatch(folder: Path) -> subprocess.CompletedProcess[str]:
    script = ["bash", str(SCHEDULES / "slurm.sh"), "/data/out"]
    return run(script, folder, folder / "bin", SLURM_JOB_NODELIST="node[1-2]", SLURM_CPUS_PER_TASK="8")


def test_slurm_runs_the_job_and_verifies(slurm: Path) -> None:
    done = sbatch(slurm)
    assert done.returncode == 0, done.stderr
    start, *commands = (slurm / "log").read_text().splitlines()
    assert start.split(" -- ")[0] == "ray symmetric-run --address node1:6379 --min-nodes 2 --num-cpus 8"
    assert commands == ["run pipelines/cluster.yaml", "verify /data/out"]


@pytest.mark.parametrize(("files", "code"), [({"run-fails": "3"}, 3), ({"no-ray": "", "verify-fails": "1"}, 1)])
def test_slurm_hands_on_failures(slurm: Path, files: dict[str, str], code: int) -> None:
    for name, content in files.items():
        (slurm / name).write_text(content)
    assert sbatch(slurm).returncode == code
    assert (slurm / "log").read_text().splitlines()[-1] == "verify /data/out"


def test_a_job_is_submitted_to_the_cluster_that_is_named(tmp_path: Path) -> None:
    put(tmp_path / "bin", "ray", 'printf "%s\\n" "$@"')
    script = ["bash", str(SCHEDULES / "ray_job_submit.sh")]
    done = run(script, tmp_path, tmp_path / "bin", RAY_API_SERVER_ADDRESS="http://head:8265")
    words = done.stdout.split()
    assert words[:2] == ["job", "submit"]
    assert words[words.index("--") + 1 :] == ["sflow-pipeline", "run", "pipelines/cluster.yaml"]
    refused = run(script, tmp_path, tmp_path / "bin", RAY_API_SERVER_ADDRESS="")
    assert refused.returncode != 0 and "http://head:8265" in refused.stderr


def test_systemd_units() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd")
    done = subprocess.run(
        [analyze, "verify", str(SCHEDULES / "sflow-nightly.timer")], capture_output=True, text=True, check=False
    )
    faults = [line for line in done.stderr.splitlines() if "sflow-nightly" in line and "/srv/sflow" not in line]
    assert faults == []


def test_cron_line() -> None:
    lines = [line for line in (SCHEDULES / "crontab").read_text().splitlines() if line and line[0].isdigit()]
    assert len(lines) == 1 and re.match(r"[0-9]+ [0-9]+ \* \* \* \S", lines[0])
    assert "%" not in lines[0]  # cron turns it into a line break
    assert subprocess.run(["bash", "-n", "-c", lines[0].split(maxsplit=5)[5]], check=False).returncode == 0


def steps() -> dict[str, str]:
    workflow: dict[str, Any] = yaml.safe_load((PIPELINES / "ci" / "github.yml").read_text())
    return {step["name"]: step["run"] for step in workflow["jobs"]["regenerate"]["steps"] if "run" in step}


def test_both_ci_examples_run_the_same_commands() -> None:
    wanted = set(re.findall(r"^.*(sflow-pipeline .+)$", "\n".join(steps().values()), re.MULTILINE))
    assert len(wanted) == 6
    gitlab = (PIPELINES / "ci" / "gitlab.yml").read_text()
    assert wanted == set(re.findall(r"(sflow-pipeline .+)$", gitlab, re.MULTILINE))


@pytest.mark.slow
def test_commands_of_the_ci_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository of its own: nothing is converted twice, a drop in quality and an overlapping run are told."""
    put(tmp_path / "bin", "sflow-pipeline", f'exec "{sys.executable}" -m sflow_pipeline "$@"')
    repository = tmp_path / "repository"
    (repository / "pipelines").mkdir(parents=True)
    # The small drawn streets of the example do not pass the gate, which is made for the frames of simulators.
    job = (PIPELINES / "regenerate.yaml").read_text().replace("gate: enforce", "gate: score")
    (repository / "pipelines" / "regenerate.yaml").write_text(job)

    def step(command: str, code: int = 0) -> str:
        done = run(command, repository, tmp_path / "bin", GITHUB_OUTPUT=str(tmp_path / "output"))
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    monkeypatch.chdir(repository)
    write_sample_dump(repository / "photos", sequences=1, frames=2, size=(128, 64), seed=9, look="camera", workers=1)
    commands = steps()
    for name in ("Dump", "Inspect", "Fingerprint", "Regenerate", "Verify"):
        step(commands[name])
    assert CliRunner().invoke(app, ["evaluate", "dataset", "--reference", "photos"]).exit_code == 0
    shutil.copy(repository / "dataset" / "report" / "metrics.json", repository / "baseline.json")
    step(commands["Quality"])
    for name in ("Fingerprint", "Regenerate"):
        said = step(commands[name])
    assert "0 converted, 1 unchanged" in said
    first, second = (tmp_path / "output").read_text().splitlines()
    assert first == second and re.fullmatch(r"fingerprint=[0-9a-f]{16}", first)

    baseline = json.loads((repository / "baseline.json").read_text())
    baseline["rows"][0]["scores"]["pixel_accuracy"]["value"] += 0.5
    (repository / "baseline.json").write_text(json.dumps(baseline))
    assert "pixel_accuracy" in step(commands["Quality"], code=1)

    with RunLock(Folder(str(repository / "dataset"))):
        second_run = CliRunner().invoke(app, ["run", "pipelines/regenerate.yaml"])
    assert second_run.exit_code == 1 and "being written by another run" in str(second_run.exception)
