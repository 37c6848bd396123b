"""A seeded fuzz over every reader: `make fuzz`. The corpus is made here; a case is its target and its seed.

Each case damages one file of a small good input and reads it. Good ends: the reader succeeds, or raises an error of
the error tree (an OSError where single files are read). Bad ends: any other exception, more than ``--limit-s`` seconds
of processor time or ten times as long a wait, a process that dies, a file written outside the case's folder, a label
with another value than the undamaged one.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
from corpus import DAMAGED, TARGETS, Target  # noqa: E402
from mutation import mutate  # noqa: E402

GOOD = ("read", "refused")
_MEMORY_BYTES = 24 << 30
#: A case is also slow where it waits so many times the limit without using the processor.
_MOST_WALL = 10


class _TooSlow(BaseException):
    pass


def _run_case(target: Target, corpus: Path, folder: Path, seed: int) -> tuple[str, str]:
    draw = random.Random(f"{target.name} {seed}")
    case = folder / "case"
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(corpus, case)
    files = sorted(path for path in case.rglob("*") if path.is_file() and target.wants(path))
    path = draw.choice(files)
    path.write_bytes(mutate(path.read_bytes(), draw))
    target.after(case, path)
    if target.name == "layouts":
        (case / DAMAGED).write_text(path.relative_to(case).as_posix())
    try:
        target.read(case)
    except target.refusals as error:
        return "refused", f"{type(error).__name__}: {error}"
    except AssertionError as error:
        return "wrong label", f"{path.relative_to(case)}: {error}"
    except _TooSlow:
        return "hang", traceback.format_exc(limit=-3)
    except BaseException:  # noqa: BLE001  this is what the fuzz looks for
        return "traceback", f"{path.relative_to(case)}: {traceback.format_exc(limit=-4)}"
    return "read", ""


def _work(target: Target, corpus: Path, folder: Path, seeds: list[int], pipe: int, limit_s: float) -> None:
    """Runs cases in a process of its own, a line of JSON for each, so that a crash costs one case."""

    began = [0.0, 0.0]

    def stop(_number: int, _frame: object) -> None:
        wall_s, cpu_s = time.monotonic() - began[0], time.process_time() - began[1]
        if cpu_s < limit_s and wall_s < _MOST_WALL * limit_s:  # the cores are busy with something else
            signal.setitimer(signal.ITIMER_REAL, limit_s)
            return
        raise _TooSlow

    signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)  # decoders write lines of their own
    for seed in seeds:
        os.write(pipe, json.dumps({"seed": seed}).encode() + b"\n")
        began[:] = time.monotonic(), time.process_time()
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        end, detail = _run_case(target, corpus, folder, seed)
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(pipe, json.dumps({"seed": seed, "end": end, "detail": detail[-2500:]}).encode() + b"\n")


def run_target(target: Target, corpus: Path, folder: Path, seeds: list[int], limit_s: float) -> list[dict]:
    """Every case of a target: ``seed``, ``end`` and ``detail``."""
    results: list[dict] = []
    while seeds:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                _work(target, corpus, folder, seeds, writer, limit_s)
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as lines:
            messages = [json.loads(line) for line in lines if line.endswith("\n")]
        os.waitpid(child, 0)
        ended = [message for message in messages if "end" in message]
        results += ended
        seeds = seeds[len(ended) :]
        if seeds and messages and "end" not in messages[-1]:
            results.append({"seed": seeds[0], "end": "crash", "detail": "the process died"})
            seeds = seeds[1:]
        elif seeds and not messages:
            raise RuntimeError(f"{target.name}: the worker cannot start")
    return results


def run(cases: int, seed: int, only: Sequence[str] | None, limit_s: float, say: Callable[[str], None] = print) -> int:
    """Print the table; the number of bad ends."""
    chosen = [target for target in TARGETS if not only or target.name in only]
    share = sum(target.weight for target in chosen)
    bad = 0
    say(f"seed {seed}, {cases} cases\n")
    say("| target | cases | read | refused | bad | s |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="sflow-fuzz-") as name:
        root = Path(name)
        for target in chosen:
            started = time.monotonic()
            corpus, folder = root / f"corpus-{target.name}", root / f"run-{target.name}"
            corpus.mkdir()
            folder.mkdir()
            target.make(corpus)
            count = max(1, cases * target.weight // share)
            results = run_target(target, corpus, folder, [seed * 1_000_000 + i for i in range(count)], limit_s)
            strays = sorted(path.name for path in folder.iterdir() if path.name != "case")
            ends = Counter(result["end"] for result in results)
            wrong = [result for result in results if result["end"] not in GOOD]
            wrong += [{"seed": "any", "end": "outside", "detail": stray} for stray in strays]
            bad += len(wrong)
            seconds = time.monotonic() - started
            good = f"{ends['read']} | {ends['refused']}"
            say(f"| {target.name} | {len(results)} | {good} | {len(wrong)} | {seconds:.0f} |")
            for result in wrong[:10]:
                print(f"{target.name}, seed {result['seed']}: {result['end']}\n{result['detail']}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=[target.name for target in TARGETS])
    parser.add_argument("--limit-s", type=float, default=30.0)
    options = parser.parse_args()
    sys.exit(1 if run(options.cases, options.seed, options.only, options.limit_s) else 0)
