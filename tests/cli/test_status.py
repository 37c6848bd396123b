"""`status` says how a conversion ended, in words, as JSON, and by its exit code."""

import json
import subprocess
import sys
from pathlib import Path


def test_finished_failed_and_none(run_here, dump: Path, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    nothing = run_here("status", tmp_path)
    assert nothing.returncode == 1 and nothing.stderr.startswith("error: ")

    job = ("convert", dump, out, "--bundle", bundle, "--workers=1", "--gate=off", "--quiet")
    watch = (sys.executable, "-m", "sflow_pipeline", "status", str(out), "--watch")  # begins before the run
    with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None and "waiting" in watching.stderr.readline()
        assert run_here(*job).returncode == 0
        told, _ = watching.communicate()
    assert watching.returncode == 0 and "frames: 3 of 3" in told
    assert run_here("status", out).returncode == 0
    facts = json.loads(run_here("status", out, "--watch", "--json").stdout)
    assert (facts["state"], facts["frames"], facts["dataset"]["rows"]) == ("finished", 3, 3)

    for picture in (dump / "town/rgb").iterdir():
        picture.write_bytes(b"no picture")
    assert run_here(*job).returncode == 1
    failed = run_here("status", out)
    assert failed.returncode == 1
    assert "failed" in failed.stdout and "max_bad_fraction" in failed.stdout and "3 rows" in failed.stdout
