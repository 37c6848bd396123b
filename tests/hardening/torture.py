"""Seeded runs under fire: `make torture`. Every run ends as the undisturbed one, byte for byte, or is said to be wrong.

A run converts a small dump while something happens to it, and is started again until it ends well. Its seed decides
what happens and when. Places: this machine (``local``), a Ray cluster of several nodes (``cluster``), an object store
behind a proxy that answers badly (``store``).
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
from bench import Bench, Outcome  # noqa: E402
from drivers import preload  # noqa: E402
from local_events import LOCAL_EVENTS, run_local  # noqa: E402

_RunEvent = Callable[[Bench, Path, str, random.Random], Outcome]


def _open_places(places: Sequence[str], root: Path, stack: ExitStack) -> list[tuple[str, tuple[str, ...], _RunEvent]]:
    """(place, its events, how one is run) of each place."""
    opened: list[tuple[str, tuple[str, ...], _RunEvent]] = []
    for place in places:
        if place == "local":
            opened.append((place, tuple(LOCAL_EVENTS), run_local))
        elif place == "cluster":
            from cluster_events import CLUSTER_EVENTS, ClusterRuns

            opened.append((place, CLUSTER_EVENTS, stack.enter_context(ClusterRuns(root)).run))
        else:
            from store_events import STORE_EVENTS, StoreRuns

            opened.append((place, STORE_EVENTS, stack.enter_context(StoreRuns(root)).run))
    return opened


def run(
    seeds: range, places: Sequence[str], only: str | None, results: Path | None, say: Callable[[str], None] = print
) -> int:
    """Print a line for each seed and the table; the number of runs that went wrong."""
    preload()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sflow-torture-") as name, ExitStack() as stack:
        root = Path(name)
        bench = Bench(root)
        pairs = [
            (place, event, run_event)
            for place, events, run_event in _open_places(places, root, stack)
            for event in events
            if only in (None, event)
        ]
        for seed in seeds:
            place, event, run_event = pairs[seed % len(pairs)]
            folder = root / f"run-{seed}"
            folder.mkdir()
            started = time.monotonic()
            try:
                outcome = run_event(bench, folder, event, random.Random(seed))
            except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as error:
                outcome = Outcome(faults=[f"{type(error).__name__}: {error}"])
            log = (folder / "log").read_text("utf-8", "replace") if (folder / "log").exists() else ""
            _judge(outcome, log)
            facts = {"seed": seed, "place": place, "event": event, "seconds": round(time.monotonic() - started)}
            found.append({**facts, **asdict(outcome)})
            if results:
                with results.open("a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
            said = "; ".join(outcome.faults) or "as undisturbed"
            say(f"seed {seed}: {place}, {event}, {facts['seconds']} s, {outcome.starts} starts: {said}")
            if outcome.faults:
                say(log[-2500:])
    say(draw_table(found))
    return sum(bool(row["faults"]) for row in found)


def _judge(outcome: Outcome, log: str) -> None:
    for count, what in (
        (outcome.lost, "frames lost"),
        (outcome.doubled, "frames doubled"),
        (outcome.labels_changed, "labels changed"),
        (outcome.left, "processes left"),
        (log.count("Traceback"), "tracebacks"),
    ):
        if count:
            outcome.faults.append(f"{count} {what}")
    if outcome.redone > outcome.killed:
        outcome.faults.append(f"{outcome.redone} shards painted again for {outcome.killed} killed workers")


def draw_table(found: Sequence[dict[str, Any]]) -> str:
    """The runs by place and event: frames lost, …, workers killed, shards painted again, processes left."""
    lines = [
        "\n| place | event | runs | as undisturbed | lost | doubled | labels changed | killed | redone | left |",
        "| --- | --- |" + " ---: |" * 8,
    ]
    keys = list(dict.fromkeys((row["place"], row["event"]) for row in found))
    for key in [*sorted(keys), None]:
        rows = [row for row in found if key in (None, (row["place"], row["event"]))]
        cells: list[Any] = [*(key or ("all", "")), len(rows), sum(not row["faults"] for row in rows)]
        counts = ("lost", "doubled", "labels_changed", "killed", "redone", "left")
        cells += [sum(row[name] for row in rows) for name in counts]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", default="local,store", help="of local, store and cluster")
    parser.add_argument("--event", help="this one only")
    parser.add_argument("--results", type=Path, help="a line of JSON for each run is added to this file")
    options = parser.parse_args()
    chosen = range(options.seed, options.seed + options.runs)
    sys.exit(1 if run(chosen, options.places.split(","), options.event, options.results) else 0)
