"""What happens to runs on a Ray cluster of several nodes: processes of every kind killed, a node cut off."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import PATIENCE_S, Bench, Outcome, count_left, read_tree
from drivers import ROOT, Driver
from local_events import Scene

CLUSTER_EVENTS = ("driver killed", "worker killed", "raylet killed", "head killed", "node cut off")
_NODES = 2


class ClusterRuns:
    """A cluster of two or three nodes with one CPU each, and a head without."""

    def __init__(self, root: Path) -> None:
        self._log = root / "cluster-log"
        self._address = ""
        self._can_cut = False

    def __enter__(self) -> "ClusterRuns":
        here = Path(__file__).parent
        paths = os.pathsep.join((str(ROOT), str(here)))
        with self._log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, str(here / "cluster_keeper.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "RAY_DEDUP_LOGS": "0"},
                start_new_session=True,
                text=True,
            )
        self._start()
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(60)

    def run(self, bench: Bench, folder: Path, event: str, draw: random.Random) -> Outcome:
        """One run with one event, and its comparison with the undisturbed dataset."""
        scene = Scene(bench, folder, draw)
        if event == "node cut off" and not self._can_cut:
            event = "raylet killed"  # network namespaces are not allowed here
        driver = self._start_driver(scene)
        self._wait_until_it_paints(folder / "painted", driver)
        time.sleep(draw.uniform(0.0, 1.5))
        if event == "driver killed":
            scene.outcome.killed += _NODES if driver.poll() is None else 0
            driver.signal(draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
        elif event == "node cut off":
            scene.outcome.killed += self._ask("cut")["killed"]
        else:
            scene.outcome.killed += self._ask(f"kill {event.split()[0]} {draw.random()}")["killed"]
        code = driver.wait(PATIENCE_S)
        if event in ("worker killed", "raylet killed", "node cut off") and code:
            scene.outcome.faults.append(f"the driver does not survive it (exit code {code})")
        self._mend(event)
        scene.finish(lambda: self._start_driver(scene))
        bench.compare(read_tree(scene.out), scene.file_format, scene.outcome)
        scene.outcome.redone = bench.count_redone(folder / "painted")
        scene.outcome.left = count_left(scene.drivers, "ray::ShardWorker")
        return scene.outcome

    def _start_driver(self, scene: Scene) -> Driver:
        return scene.start("--address", self._address, "--workers", str(_NODES))

    def _wait_until_it_paints(self, painted: Path, driver: Driver) -> None:
        end = time.monotonic() + PATIENCE_S
        while not painted.exists() and driver.poll() is None:
            if time.monotonic() > end:
                driver.signal(signal.SIGKILL, group=True)
                raise RuntimeError("no worker begins")
            time.sleep(0.02)

    def _mend(self, event: str) -> None:
        if event == "raylet killed":
            self._ask("add")
        elif event == "node cut off":
            self._ask("mend")
        elif event == "head killed":
            self._ask("stop")
            self._start()

    def _start(self) -> None:
        facts = self._ask(f"start {_NODES}")
        self._address, self._can_cut = facts["address"], facts["can_cut"]

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(command + "\n")
        self._keeper.stdin.flush()
        line = self._keeper.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the keeper has ended"}
        if "error" in answer:
            raise RuntimeError(
                f"cluster: {command}: {answer['error']}: {self._log.read_text('utf-8', 'replace')[-500:]}"
            )
        return answer
