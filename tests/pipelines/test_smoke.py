"""The jobs in `pipelines/` run from start to end as the person at the terminal, cron or CI would run them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PIPELINES = Path(__file__).parents[2] / "pipelines"
SEQUENCES, FRAMES, VARIANTS = 2, 3, 2


def run(folder: Path, *arguments: str, code: int = 0, **variables: str) -> str:
    """Standard output of the program, which must end with this exit code."""
    command = [sys.executable, "-m", "sflow_pipeline", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **variables}
    )
    assert done.returncode == code, f"{arguments} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_smoke_job(tmp_path: Path) -> None:
    job = str(PIPELINES / "smoke.yaml")
    assert "does not exist yet" in run(tmp_path, "run", job, "--dry-run", code=10)
    result = json.loads(run(tmp_path, "run", job, "--json"))
    assert [step["step"] for step in result["steps"]] == ["simulate", "convert", "verify", "export"]
    assert result["steps"][2]["result"]["problems"] == []

    out = tmp_path / "smoke/out"
    shards = sorted((out / "data").rglob("*.parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard, columns=["sample_id", "variant"]).to_pylist()]
    assert len(shards) > 1
    assert len(rows) == len({(row["sample_id"], row["variant"]) for row in rows}) == SEQUENCES * FRAMES * VARIANTS
    coco = json.loads(next((tmp_path / "smoke/coco/annotations").glob("instances_*.json")).read_text())
    assert len(coco["images"]) == len(rows)

    before = {shard: shard.stat().st_mtime_ns for shard in shards}
    assert run(tmp_path, "run", job, "--quiet") == ""
    assert {shard: shard.stat().st_mtime_ns for shard in shards} == before
    run(tmp_path, "run", job, "--dry-run")


@pytest.mark.slow
def test_a_command_makes_the_dump_and_a_failure_ends_the_job(tmp_path: Path) -> None:
    """The simulator is any program; the nightly job with it in place of the built-in one."""
    text = (PIPELINES / "nightly.yaml").read_text()
    (built_in,) = [line for line in text.splitlines() if "simulate:" in line]
    program = [sys.executable, "-m", "sflow_pipeline", "simulate", "my sim", "--frames=2", "--size=64x32"]
    job = tmp_path / "job.yaml"
    job.write_text(text.replace(built_in, f"  - command: {json.dumps(program)}"))
    run(tmp_path, "run", str(job), SIM_DIR="my sim", OUT_DIR="out", EXPORT_DIR="exported")
    exported = tmp_path / "exported" / time.strftime("%Y-%m-%d")
    assert len(list((exported / "leftImg8bit").rglob("*.png"))) == 2

    job.write_text(text.replace(built_in, "  - command: [sh, -c, 'echo no licence >&2; exit 7']"))
    done = subprocess.run(
        [sys.executable, "-m", "sflow_pipeline", "run", str(job)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "no licence" in done.stderr and "exit code 7" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "nightly").exists()


@pytest.mark.slow
@pytest.mark.ray
def test_cluster_job_on_a_cluster_of_this_machine(tmp_path: Path) -> None:
    places = {"SIM_DIR": str(tmp_path / "sim"), "OUT_DIR": str(tmp_path / "out")}
    cluster = {"RAY_CLUSTER": "local", "DEVICE": "cpu", "PRECISION": "fp32"}
    run(tmp_path, "simulate", "sim", "--sequences=1", "--frames=2", "--size=64x32")
    result = json.loads(run(tmp_path, "run", str(PIPELINES / "cluster.yaml"), "--json", **places, **cluster))
    assert (result["status"], result["rows"], result["precision"]) == ("clean", 2, "fp32")
    run(tmp_path, "verify", "out")
