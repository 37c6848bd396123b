"""Seeded runs under fire: `make torture`. Every run ends as the undisturbed one, byte for byte, or is said to be wrong.

A run converts a small dump while something happens to it, and is started again until it ends well. What happens is
drawn from the seed: the driver killed (SIGKILL, SIGTERM, SIGINT) one to three times, its process group killed, a Ray
worker killed, a full disk, the source changed midway, reads that fail for a while, two drivers at once with the same
or with other settings, the state damaged between two starts.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

_MODES = ("in-process parquet", "in-process png")
_RAY_MODE = "Ray parquet"
_STARTS = 8
_PATIENCE_S = 120.0


class Bench:
    """A dump, a bundle and the undisturbed datasets of every mode."""

    def __init__(self, root: Path, modes: tuple[str, ...]) -> None:
        from sflow_pipeline.bundle import build_random_bundle
        from sflow_pipeline.street.write_dump import write_sample_dump

        self.root = root
        self.sim, self.bundle = root / "sim", root / "bundle"
        write_sample_dump(self.sim, sequences=2, frames=6, size=(96, 48), seed=4, workers=1)
        build_random_bundle(self.bundle, seed=3)
        self.undisturbed: dict[str, dict[str, bytes]] = {}
        for mode in modes:
            out = root / f"undisturbed {mode}"
            self.start(mode, self.sim, out).wait()
            self.undisturbed[mode] = read_tree(out)

    def start(
        self, mode: str, sim: Path, out: Path, *extra: str, limit_bytes: int | None = None
    ) -> "subprocess.Popen[bytes]":
        """A driver in a process group of its own."""
        command = [sys.executable, "-m", "sflow_pipeline", "convert", str(sim), str(out), "--bundle", str(self.bundle)]
        command += [
            "--shard-frames",
            "2",
            "--precision",
            "fp32",
            "--max-bad-fraction",
            "0.9",
            "--content-hash",
            "--json",
        ]
        command += ["--format", "png" if "png" in mode else "parquet"]
        command += ["--workers", "2" if mode == _RAY_MODE else "1", *extra]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        if limit_bytes is not None:
            command = ["sh", "-c", f'ulimit -f {limit_bytes // 512}; exec "$@"', "sh", *command]
        with (out.parent / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True, preexec_fn=_accept_interrupt
            )


def _accept_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file of a dataset, without the places that name the run's folders."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    kept = {name: data for name, data in files.items() if not name.startswith((".sflow/damaged", "report/"))}
    manifest = json.loads(kept.get("manifest.json", b"{}"))
    for place in (manifest.get("source", {}).pop("root", None), manifest.get("job", {}).pop("sim_dir", None)):
        del place
    return {**kept, "manifest.json": json.dumps(manifest, sort_keys=True).encode()}


def _count_orphans(processes: "list[subprocess.Popen[bytes]]") -> int:
    """Processes that are left of the drivers' groups after half a minute."""
    groups = {process.pid for process in processes}
    end = time.monotonic() + 30
    while True:
        left = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            left += int(fields[2]) in groups and fields[0] != "Z"
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.5)


def _finish(bench: Bench, mode: str, sim: Path, out: Path, processes: list[Any]) -> str:
    """Start again until a run ends well; what is wrong with the result."""
    for _ in range(_STARTS):
        process = bench.start(mode, sim, out)
        processes.append(process)
        try:
            code = process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "hang"
        if code in (0, 3):
            break
    else:
        return f"never ends well (exit code {code})"
    found, expected = read_tree(out), bench.undisturbed[mode]
    if found == expected:
        return ""
    names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return f"differs: {', '.join(names[:4])}"


def _kill(bench: Bench, mode: str, out: Path, draw: random.Random, processes: list[Any]) -> None:
    for _ in range(draw.randrange(1, 4)):
        process = bench.start(mode, bench.sim, out)
        processes.append(process)
        time.sleep(draw.uniform(0.3, 14.0 if mode == _RAY_MODE else 6.0))
        kind = draw.choice(("SIGKILL", "SIGTERM", "SIGINT", "group"))
        try:
            if kind == "group":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(getattr(signal, kind))
            process.wait(60)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(f"does not end within 60 s of {kind}") from None


def _fill_disk(bench: Bench, mode: str, out: Path, draw: random.Random, processes: list[Any]) -> None:
    process = bench.start(mode, bench.sim, out, limit_bytes=draw.choice((512, 4096, 20_000, 60_000)))
    processes.append(process)
    process.wait(_PATIENCE_S)


def _change_source(bench: Bench, mode: str, out: Path, draw: random.Random, processes: list[Any]) -> None:
    """Pictures go missing, shrink or lose their permissions while a run reads them, and come back afterwards."""
    sim = out.parent / "sim"
    shutil.copytree(bench.sim, sim)
    paths = draw.sample(sorted(sim.glob("*/rgb/*.png")), 3)
    genuine = [(path, path.read_bytes(), path.stat()) for path in paths]
    process = bench.start(mode, sim, out)
    processes.append(process)
    time.sleep(draw.uniform(0.5, 5.0))
    for path, data, _facts in genuine:
        kind = draw.choice(("remove", "cut", "fifo"))
        path.unlink()
        if kind == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif kind == "fifo":
            os.mkfifo(path)
    process.wait(_PATIENCE_S)
    for path, data, facts in genuine:
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _start_two(bench: Bench, mode: str, out: Path, draw: random.Random, processes: list[Any]) -> None:
    others = draw.choice(((), ("--seed", "7")))
    pair = [bench.start(mode, bench.sim, out), bench.start(mode, bench.sim, out, *others)]
    processes += pair
    if draw.random() < 0.5:
        time.sleep(draw.uniform(1.0, 4.0))
        for name in ("lock.json", "lock"):
            (out / ".sflow" / name).unlink(missing_ok=True)
    codes = [process.wait(_PATIENCE_S) for process in pair]
    if others and codes == [0, 0]:
        from sflow_pipeline.conversion.verify import verify

        if verify(out).problems:
            raise RuntimeError("two runs with other settings ended well and left a mixed dataset")


def _damage_state(bench: Bench, mode: str, out: Path, draw: random.Random, processes: list[Any]) -> None:
    process = bench.start(mode, bench.sim, out)
    processes.append(process)
    process.wait(_PATIENCE_S)
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("README.md", "labels.json")]
    for path in draw.sample(sorted(files), 3):
        data = path.read_bytes()
        kind = draw.choice(("empty", "cut", "flip", "remove"))
        if kind == "remove":
            path.unlink()
        else:
            place = draw.randrange(max(1, len(data)))
            flipped = data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :] if data else b"x"
            path.write_bytes({"empty": b"", "cut": data[:place], "flip": flipped}[kind])


_EVENTS: dict[str, Callable[..., None]] = {
    "killed": _kill,
    "disk full": _fill_disk,
    "source changes": _change_source,
    "two drivers": _start_two,
    "state damaged": _damage_state,
}


def run(seeds: range, modes: tuple[str, ...], say: Callable[[str], None] = print) -> int:
    """Print a line for each seed and the table; the number of runs that went wrong."""
    ends: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="sflow-torture-") as name:
        bench = Bench(Path(name), modes)
        for seed in seeds:
            draw = random.Random(seed)
            event, mode = list(_EVENTS)[seed % len(_EVENTS)], draw.choice(modes)
            folder = bench.root / f"run-{seed}"
            folder.mkdir()
            processes: list[Any] = []
            started = time.monotonic()
            try:
                _EVENTS[event](bench, mode, folder / "out", draw, processes)
                own = folder / "sim"
                fault = _finish(bench, mode, own if own.exists() else bench.sim, folder / "out", processes)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                fault = f"{error}"
            orphans = _count_orphans(processes)
            fault += f" {orphans} processes left" if orphans else ""
            log = (folder / "log").read_text("utf-8", "replace")
            fault += " traceback" if "Traceback" in log else ""
            ends[event, "wrong" if fault else "right"] += 1
            say(
                f"seed {seed}: {mode}, {event}, {time.monotonic() - started:.0f} s: {fault.strip() or 'as undisturbed'}"
            )
            if fault:
                say(log[-1500:])
            shutil.rmtree(folder, ignore_errors=True)
    say("\n| event | runs | as undisturbed | wrong |\n| --- | ---: | ---: | ---: |")
    for event in _EVENTS:
        right, wrong = ends[event, "right"], ends[event, "wrong"]
        say(f"| {event} | {right + wrong} | {right} | {wrong} |")
    return sum(count for (_event, end), count in ends.items() if end == "wrong")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="every third run or so on Ray workers")
    options = parser.parse_args()
    chosen = (*_MODES, _RAY_MODE) if options.ray else _MODES
    sys.exit(1 if run(range(options.seed, options.seed + options.runs), chosen) else 0)
