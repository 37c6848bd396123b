"""What happens to runs in an object store: answers that are errors, slow or missing, kills, and two drivers."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fault_proxy
from bench import OTHER_SEED, PATIENCE_S, Bench, Outcome, count_left, keep_content
from drivers import Driver
from local_events import Scene, check_pair

STORE_EVENTS = (*(f"answers {fault}" for fault in fault_proxy.FAULTS), "driver killed", "two drivers")
_OUTAGE_S = 10.0
KEY, SECRET = "TORTUREKEY", "TORTURE/SECRET+1"


class StoreRuns:
    """A server process of an object store on the loopback device."""

    def __init__(self, root: Path) -> None:
        self._log = root / "store-log"

    def __enter__(self) -> "StoreRuns":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._place = probe.getsockname()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._place[1])]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log)
        _wait_for(self._place)
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.terminate()
        self._server.wait()

    def run(self, bench: Bench, folder: Path, event: str, draw: random.Random) -> Outcome:
        """One run with one event, and its comparison with the undisturbed dataset."""
        scene = Scene(bench, folder, draw, draw.choice(("parquet", "png")))
        bucket = f"run-{folder.name}"
        self._client().create_bucket(Bucket=bucket)
        kind = event.removeprefix("answers ")
        is_fault = kind in fault_proxy.FAULTS
        sides = draw.choice((("in",), ("out",), ("in", "out"))) if is_fault else ("out",)
        if "in" in sides:
            self._upload(bucket, bench.sim)
        with _serve(self._place, kind if is_fault else "", draw.randrange(1 << 30)) as place:
            if kind == "two drivers":
                self._start_two(scene, bucket, place)
            else:
                driver = self._start(scene, bucket, place, sides)
                if kind == "driver killed":
                    time.sleep(draw.uniform(0.0, 2 * bench.seconds[scene.file_format]))
                    scene.outcome.killed += driver.poll() is None
                    driver.signal(draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
                if kind == "outage":  # its client would go on asking for many minutes: somebody stops the run
                    _wait_at_most(driver, _OUTAGE_S)
                    driver.signal(signal.SIGTERM)
                driver.wait(PATIENCE_S)
        scene.finish(lambda: self._start(scene, bucket, self._place, sides))
        files = self._read(bucket) if "out" in sides else _read_local(scene.out)
        bench.compare(keep_content(files), scene.file_format, scene.outcome)
        if kind == "driver killed":
            scene.outcome.redone = bench.count_redone(folder / "painted")
        scene.outcome.left = count_left(scene.drivers)
        for name, data in {**files, "log": (folder / "log").read_bytes()}.items():
            if any(word.encode() in data for word in (SECRET, KEY, SECRET.replace("/", "%2F"))):
                scene.outcome.faults.append(f"a key is in {name}")
        return scene.outcome

    def _start(
        self, scene: Scene, bucket: str, place: tuple[str, int], sides: tuple[str, ...], seed: str = "0"
    ) -> Driver:
        sim = _address(bucket, "sim", place) if "in" in sides else scene.bench.sim
        out = _address(bucket, "out", place) if "out" in sides else scene.out
        scene.outcome.starts += 1
        scene.drivers.append(scene.bench.start(sim, out, scene.folder, "--format", scene.file_format, seed=seed))
        return scene.drivers[-1]

    def _start_two(self, scene: Scene, bucket: str, place: tuple[str, int]) -> None:
        pair = []
        loses_lock = scene.draw.random() < 0.5
        for seed in ("0", OTHER_SEED):
            pair.append((self._start(scene, bucket, place, ("out",), seed), seed))
            time.sleep(scene.draw.choice((0.0, scene.draw.uniform(0, scene.bench.seconds[scene.file_format]))))
        if loses_lock:
            time.sleep(scene.draw.uniform(0.0, 0.5 * scene.bench.seconds[scene.file_format]))
            self._client().delete_object(Bucket=bucket, Key="out/.sflow/lock.json")
        what = "lock removed" if loses_lock else "lock kept"
        check_pair(scene, pair, lambda: keep_content(self._read(bucket)), what)

    def _client(self):
        import boto3

        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url="http://{}:{}".format(*self._place), **keys)

    def _upload(self, bucket: str, sim: Path) -> None:
        client = self._client()
        for path in sorted(path for path in sim.rglob("*") if path.is_file()):
            client.put_object(Bucket=bucket, Key=f"sim/{path.relative_to(sim).as_posix()}", Body=path.read_bytes())

    def _read(self, bucket: str) -> dict[str, bytes]:
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="out/")
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        read = {}
        for name in names:
            if not name.endswith("/"):
                read[name.removeprefix("out/")] = client.get_object(Bucket=bucket, Key=name)["Body"].read()
        return read


def _wait_at_most(driver: Driver, seconds: float) -> None:
    end = time.monotonic() + seconds
    while driver.poll() is None and time.monotonic() < end:
        time.sleep(0.1)


def _read_local(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _address(bucket: str, path: str, place: tuple[str, int]) -> str:
    secret = SECRET.replace("/", "%2F").replace("+", "%2B")
    return f"s3://{KEY}:{secret}@{bucket}/{path}?scheme=http&endpoint_override={place[0]}%3A{place[1]}&region=us-east-1"


@contextmanager
def _serve(store: tuple[str, int], fault: str, seed: int) -> Iterator[tuple[str, int]]:
    """The place of a proxy process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        child = os.fork()
        if child == 0:
            try:
                fault_proxy.serve(listener, store, fault, seed)
            finally:
                os._exit(0)
        place = listener.getsockname()
    try:
        yield place
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _wait_for(place: tuple[str, int]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(place, 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
