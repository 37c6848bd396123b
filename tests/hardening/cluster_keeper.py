"""Keeps a Ray cluster of several nodes on this machine, each with a raylet of its own; commands come as lines.

``start N``, ``add``, ``kill worker|raylet|head SEED``, ``cut`` and ``mend`` answer with one line of JSON. Nodes are
started by ``ray.cluster_utils``; ``cut`` needs a node in a network namespace, which ``start`` makes where it may.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WORKER = b"ray::ShardWorker"
_SPACE = f"sflow-{os.getpid()}"
_HERE, _THERE = "10.203.77.1", "10.203.77.2"
_PATIENCE_S = 240
#: Nodes whose cores are busy start their agents and workers slowly, and answer late; none of that is a dead node.
PATIENT_SYSTEM = {
    "agent_register_timeout_ms": 1000 * _PATIENCE_S,
    "worker_register_timeout_seconds": _PATIENCE_S,
    "health_check_initial_delay_ms": 10_000,
    "health_check_period_ms": 2000,
    "health_check_failure_threshold": 10,
}


class Keeper:
    def __init__(self) -> None:
        self._cluster: Any = None
        self._has_space = False
        self._far: subprocess.Popen[bytes] | None = None

    def start(self, nodes: str) -> dict[str, Any]:
        """A head without CPUs, ``nodes`` nodes with one each, and one in a network namespace where that is allowed."""
        from ray.cluster_utils import Cluster

        self._has_space = self._has_space or _make_space()
        address = _HERE if self._has_space else "127.0.0.1"
        head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": address, "_system_config": PATIENT_SYSTEM}
        self._cluster = Cluster(initialize_head=True, head_node_args={**head, "gcs_server_port": find_port()})
        for _ in range(int(nodes)):
            self._add(address)
        if self._has_space:
            self._start_far()
        return {"address": self._cluster.address, "can_cut": self._has_space}

    def add(self) -> dict[str, Any]:
        """A further node in place of a killed one."""
        address = _HERE if self._has_space else "127.0.0.1"
        for node in list(self._cluster.worker_nodes):
            if not node.remaining_processes_alive():
                with contextlib.suppress(Exception):
                    self._cluster.remove_node(node, allow_graceful=False)
        self._add(address)
        return {}

    def kill(self, what: str, seed: str) -> dict[str, Any]:
        """SIGKILL to a worker, a raylet or the head's processes; how many workers that ends."""
        draw = random.Random(seed)
        if what == "worker":
            workers = list_workers()
            if workers:
                os.kill(draw.choice(sorted(workers)), signal.SIGKILL)
            return {"killed": min(1, len(workers))}
        nodes = (
            [self._cluster.head_node]
            if what == "head"
            else sorted(self._cluster.worker_nodes, key=lambda n: n.unique_id)
        )
        node = draw.choice(nodes)
        kinds = [ray_kind for ray_kind in ("raylet", "gcs_server") if ray_kind in node.all_processes]
        killed = 0
        for kind in kinds:
            for info in node.all_processes[kind]:
                killed += sum(_parent(pid) == info.process.pid for pid in list_workers())
                info.process.kill()
        return {"killed": len(list_workers()) if what == "head" else killed}

    def cut(self) -> dict[str, Any]:
        """Take the far node off the network; how many workers are there."""
        killed = sum(self._far is not None and is_below(pid, self._far.pid) for pid in list_workers())
        _ip("-n", _SPACE, "link", "set", "sflow1", "down")
        return {"killed": killed}

    def mend(self) -> dict[str, Any]:
        """Put it on the network again: a new node, for the cluster has given the old one up."""
        _ip("-n", _SPACE, "link", "set", "sflow1", "up")
        self._stop_far()
        self._start_far()
        return {}

    def stop(self) -> dict[str, Any]:
        self._stop_far()
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.shutdown()
            self._cluster = None
        return {}

    def close(self) -> None:
        self.stop()
        if self._has_space:
            _ip("netns", "del", _SPACE)

    def _add(self, address: str) -> None:
        node = self._cluster.add_node(wait=False, num_cpus=1, node_ip_address=address)
        self._cluster._wait_for_node(node, _PATIENCE_S)

    def _start_far(self) -> None:
        command = ["ip", "netns", "exec", _SPACE, sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        command += [f"--address={self._cluster.address}", f"--node-ip-address={_THERE}", "--num-cpus=1"]
        command += ["--object-store-memory=100000000", "--disable-usage-stats"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        self._far = subprocess.Popen(command, start_new_session=True, **quiet)
        end = time.monotonic() + _PATIENCE_S
        while len(self._cluster.global_state._live_node_ids()) < len(self._cluster.list_all_nodes()) + 1:
            if time.monotonic() > end:
                raise RuntimeError("the node in the network namespace does not join")
            time.sleep(0.2)

    def _stop_far(self) -> None:
        if self._far is None:
            return
        for pid in [pid for pid in list_processes() if is_below(pid, self._far.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._far.pid, signal.SIGKILL)
        self._far.wait()
        self._far = None


def list_workers() -> list[int]:
    """Processes of conversion workers of this keeper's cluster."""
    return [pid for pid in list_processes() if _read(pid, "cmdline").startswith(WORKER) and is_below(pid, os.getpid())]


def list_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        pid = _parent(pid)
    return pid == ancestor


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _make_space() -> bool:
    """A network namespace joined to this machine by a pair of devices; False where that is not allowed."""
    try:
        _ip("netns", "add", _SPACE)
        _ip("link", "add", "sflow0", "type", "veth", "peer", "name", "sflow1", "netns", _SPACE)
        _ip("addr", "add", f"{_HERE}/30", "dev", "sflow0")
        _ip("link", "set", "sflow0", "up")
        for device in ("lo", "sflow1"):
            _ip("-n", _SPACE, "link", "set", device, "up")
        _ip("-n", _SPACE, "addr", "add", f"{_THERE}/30", "dev", "sflow1")
    except (OSError, subprocess.CalledProcessError):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "del", _SPACE)
        return False
    return True


def _serve() -> None:
    keeper = Keeper()
    try:
        for line in sys.stdin:
            name, *arguments = line.split()
            try:
                answer = getattr(keeper, name)(*arguments)
            except Exception as error:  # noqa: BLE001  said to the other side
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.__stdout__.write(json.dumps(answer) + "\n")  # type: ignore[union-attr]
            sys.__stdout__.flush()  # type: ignore[union-attr]
    finally:
        keeper.close()


def have_patience() -> None:
    """Without dashboards, which take a process each; nodes may take their time to start where cores are busy."""
    from ray._private import node, services

    genuine = services.get_node

    def get_node(*arguments: Any) -> Any:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return genuine(*arguments)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    services.get_node = get_node
    node.Node.start_api_server = lambda *_arguments, **_options: None


if __name__ == "__main__":
    import ctypes

    ctypes.CDLL(None).prctl(36, 1)  # orphans of killed raylets stay below this process, where they are counted
    sys.stdout = sys.stderr
    have_patience()
    _serve()
