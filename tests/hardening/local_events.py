"""What happens to runs on this machine: kills, full disks, a source that changes, two drivers, damaged state."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import OTHER_SEED, PATIENCE_S, Bench, Outcome, count_left, list_files, read_tree
from drivers import Driver

#: Starts after which a run that still does not end well is wrong.
MOST_STARTS = 8
_ENDS_WELL = (0, 3)


@dataclass
class Scene:
    """One run: its folder, its drivers, its format, and what is found out about it."""

    bench: Bench
    folder: Path
    draw: random.Random
    file_format: str = "parquet"
    drivers: list[Driver] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def sim(self) -> Path:
        own = self.folder / "sim"
        return own if own.exists() else self.bench.sim

    def start(self, *extra: str, seed: str = "0", **facts: Any) -> Driver:
        driver = self.bench.start(
            self.sim, self.out, self.folder, "--format", self.file_format, *extra, seed=seed, **facts
        )
        self.drivers.append(driver)
        self.outcome.starts += 1
        return driver

    def finish(self, start: Callable[[], Driver] | None = None) -> None:
        """Start again until a run ends well."""
        for _ in range(MOST_STARTS):
            code = (start or self.start)().wait(PATIENCE_S)
            if code in _ENDS_WELL:
                return
        self.outcome.faults.append(f"never ends well (exit code {code})")


def run_local(bench: Bench, folder: Path, event: str, draw: random.Random) -> Outcome:
    """One run with one event, and its comparison with the undisturbed dataset."""
    scene = Scene(bench, folder, draw, draw.choice(("parquet", "png")))
    LOCAL_EVENTS[event](scene)
    scene.finish()
    bench.compare(read_tree(scene.out), scene.file_format, scene.outcome)
    if event == "driver killed":
        scene.outcome.redone = bench.count_redone(folder / "painted")
    scene.outcome.left = count_left(scene.drivers)
    return scene.outcome


def kill_driver(scene: Scene, *extra: str) -> None:
    """One to three kills, each at any time of an undisturbed run."""
    for _ in range(scene.draw.randrange(1, 4)):
        driver = scene.start(*extra)
        time.sleep(scene.draw.uniform(0.0, 1.1 * scene.bench.seconds[scene.file_format]))
        number = scene.draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        is_running = driver.poll() is None
        driver.signal(number, group=is_running and scene.draw.random() < 0.3)
        scene.outcome.killed += is_running
        driver.wait(60)


def _fill_disk(scene: Scene) -> None:
    scene.start(limit_bytes=scene.draw.choice((512, 4096, 20_000, 60_000))).wait(PATIENCE_S)


def _change_source(scene: Scene) -> None:
    """Pictures vanish, shrink or become FIFOs while a run reads them, and come back afterwards."""
    sim = Path(shutil.copytree(scene.bench.sim, scene.folder / "sim"))
    paths = scene.draw.sample(sorted(sim.glob("*/*/*.png")), 3)
    genuine = [(path, path.read_bytes(), path.stat()) for path in paths]
    driver = scene.start()
    time.sleep(scene.draw.uniform(0.0, scene.bench.seconds[scene.file_format]))
    for path, data, _facts in genuine:
        kind = scene.draw.choice(("remove", "cut", "fifo"))
        path.unlink()
        if kind == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif kind == "fifo":
            os.mkfifo(path)
    driver.wait(PATIENCE_S)
    for path, data, facts in genuine:
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _start_two(scene: Scene) -> None:
    """Two drivers at about the same time; whoever ends well last has left its own whole dataset."""
    seeds = ("0", scene.draw.choice(("0", OTHER_SEED, OTHER_SEED)))
    locks = scene.draw.choice(("kept", "removed", "none here"))
    pair = []
    for seed in seeds:
        pair.append((scene.start(seed=seed, locks=locks != "none here"), seed))
        time.sleep(scene.draw.choice((0.0, scene.draw.uniform(0, scene.bench.seconds[scene.file_format]))))
    if locks == "removed":
        for _ in range(scene.draw.randrange(1, 4)):
            time.sleep(scene.draw.uniform(0.0, 0.5 * scene.bench.seconds[scene.file_format]))
            for name in ("lock.json", "lock"):
                (scene.out / ".sflow" / name).unlink(missing_ok=True)
    check_pair(scene, pair, lambda: read_tree(scene.out), f"lock {locks}, seeds {' and '.join(seeds)}")


def check_pair(scene: Scene, pair: list[tuple[Driver, str]], read: Callable[[], dict[str, bytes]], what: str) -> None:
    """Wait for both drivers; where the one that ends last ends well, the dataset is its own."""
    ended: list[str] = []
    waiting = list(pair)
    end = time.monotonic() + PATIENCE_S
    while waiting:
        for driver, seed in list(waiting):
            code = driver.poll()
            if code is not None:
                waiting.remove((driver, seed))
                ended.append(seed if code == 0 else "")
        if time.monotonic() > end:
            raise RuntimeError(f"two drivers do not end ({what})")
        time.sleep(0.005)
    if ended[-1]:  # where the last one ended with an error, it may have begun after the other, and be left midway
        found = Outcome()
        scene.bench.compare(read(), scene.file_format, found, ended[-1])
        scene.outcome.faults += [f"{what}, {sum(map(bool, ended))} ended well: {fault}" for fault in found.faults]


def _damage_state(scene: Scene) -> None:
    scene.start().wait(PATIENCE_S)
    files = [path for path in list_files(scene.out) if path.name not in ("README.md", "labels.json")]
    for path in scene.draw.sample(sorted(files), 3):
        data = path.read_bytes()
        kind = scene.draw.choice(("empty", "cut", "flip", "remove"))
        if kind == "remove":
            path.unlink()
        else:
            place = scene.draw.randrange(max(1, len(data)))
            flipped = data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :] if data else b"x"
            path.write_bytes({"empty": b"", "cut": data[:place], "flip": flipped}[kind])


LOCAL_EVENTS: dict[str, Callable[[Scene], None]] = {
    "driver killed": kill_driver,
    "disk full": _fill_disk,
    "source changes": _change_source,
    "two drivers": _start_two,
    "state damaged": _damage_state,
}
