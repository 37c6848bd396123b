"""`pipelines/smoke.yaml` runs from start to end as the person at the terminal, cron or CI would run it."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

JOB = Path(__file__).parents[2] / "pipelines" / "smoke.yaml"
SEQUENCES, FRAMES, VARIANTS = 2, 3, 2


def run(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "sflow_pipeline", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{arguments} exited {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_smoke_job(tmp_path: Path) -> None:
    run(
        tmp_path, "simulate", "smoke/sim", f"--sequences={SEQUENCES}", f"--frames={FRAMES}", "--size=128x64", "--seed=7"
    )
    run(tmp_path, "run", str(JOB))
    run(tmp_path, "verify", "smoke/out")

    out = tmp_path / "smoke/out"
    shards = sorted((out / "data").rglob("*.parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard, columns=["sample_id", "variant"]).to_pylist()]
    assert len(shards) > 1
    assert len(rows) == len({(row["sample_id"], row["variant"]) for row in rows}) == SEQUENCES * FRAMES * VARIANTS

    before = {shard: shard.stat().st_mtime_ns for shard in shards}
    run(tmp_path, "run", str(JOB))
    assert {shard: shard.stat().st_mtime_ns for shard in shards} == before
    assert json.loads((out / "manifest.json").read_text())
