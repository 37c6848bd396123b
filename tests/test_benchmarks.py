"""`make bench` works: its table and its file say the same, and every benchmark is in the registry and in its README."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"


def run_benchmarks(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(FOLDER / "run.py"), *arguments], capture_output=True, text=True)


def test_table_and_file_agree(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    done = run_benchmarks("--only=startup", "--only=discovery", "--frames=40", "--repeats=1", f"--out={out}")
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())["results"]
    assert set(results) == {"startup", "discovery"}
    rows = re.findall(r"^\| (\w+) \| (.+?) \| ([\d.e+]+) ", done.stdout, flags=re.M)
    measured = [(name, item["name"], f"{item['value']:.3g}") for name, items in results.items() for item in items]
    assert rows == measured
    assert all(item["value"] > 0 for items in results.values() for item in items)


def test_every_benchmark_is_registered_and_explained() -> None:
    with_measure = {path.stem for path in FOLDER.glob("*.py") if "\ndef measure(" in path.read_text(encoding="utf-8")}
    refused = run_benchmarks("--only=nothing").stderr
    registered = set(re.findall(r"\w+", refused.rpartition("choose from")[2]))
    explained = set(re.findall(r"^\| `(\w+)\.py`", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.M))
    assert with_measure == registered == explained


def test_a_ratio_well_above_the_kept_one_is_slower() -> None:
    list_slower = runpy.run_path(str(FOLDER / "check.py"))["list_slower"]
    kept = json.loads((FOLDER / "ratios.json").read_text(encoding="utf-8"))
    assert kept
    for ratios in kept.values():
        assert list_slower({name: 1.1 * value for name, value in ratios.items()}, ratios) == []
        assert list_slower({**ratios, "model / convolutions": 1.2 * ratios["model / convolutions"]}, ratios) == [
            "model / convolutions"
        ]


def test_the_gpu_script_runs_on_a_cpu(tmp_path: Path) -> None:
    options = ["--device=cpu", "--frames=2", "--size=64x32", "--batch-size=1", "--convert-batch-size=2", "--no-compile"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(FOLDER / "gpu.py"), *options, f"--out={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    conversions = json.loads((tmp_path / "conversions.json").read_text())
    assert [(row["graphs"], row["rows"], row["batch_size"]) for row in conversions] == [("on", 2, "2"), ("off", 2, "2")]
    assert all(row["same_bytes"] for row in conversions)
    assert {row["stage"] for row in json.loads((tmp_path / "stages.json").read_text())["rows"]} >= {"model", "pipeline"}
    (network,) = json.loads((tmp_path / "networks.json").read_text())
    assert network["way"] == "as it is" and network["frames_per_s"] > 0


def test_other_runtimes_are_compared_with_torch() -> None:
    command = [sys.executable, str(FOLDER / "runtimes.py"), "--size=64x32", "--rounds=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows][:4] == ["torch fp32", "torch bf16", "OpenVINO f32", "OpenVINO bf16"]
    assert all(float(row[1]) > 0 and float(row[4]) < 1 for row in rows[:4])
