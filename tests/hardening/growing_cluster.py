"""A conversion on a cluster that grows by need: a head without cores, nodes of one core started by Ray's autoscaler.

Run with ``python tests/hardening/growing_cluster.py``. Ray's fake provider of nodes starts raylets on this machine; the
autoscaler, the workers and the conversion are the real ones. What happened when is printed as JSON; the exit code is 0
if every shard was converted on such nodes, the dataset is sound, and the nodes went when nothing was left to do.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cluster_keeper import PATIENT_SYSTEM, find_port, have_patience, is_below, list_processes
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider

_LOG = "SFLOW_TEST_NODES_LOG"
#: What a configuration must have for machines that are reached by SSH.
_NOT_USED = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)
#: The command ``ray``, with patience.
_PATIENT_RAY = "import cluster_keeper as keeper; keeper.have_patience(); from ray.scripts.scripts import main; main()"
_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]


class PatientNodes(FakeMultiNodeProvider):  # type: ignore[misc]
    """Starts and stops raylets, waits for those that busy cores slow down, and notes when."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        have_patience()
        super().__init__(provider_config, cluster_name)

    def create_node_with_resources_and_labels(self, *arguments: Any) -> None:
        _note("start")
        super().create_node_with_resources_and_labels(*arguments)
        _note("joined")

    def terminate_node(self, node_id: str) -> None:
        super().terminate_node(node_id)
        _note("stopped")


def _note(event: str) -> None:
    with open(os.environ[_LOG], "a", encoding="ascii") as log:
        log.write(f"{time.time()} {event}\n")


def _configure(nodes: int, gcs_address: str, idle_minutes: float) -> dict[str, Any]:
    node = {"CPU": 1, "object_store_memory": 100_000_000}
    return {
        "cluster_name": "growing",
        "max_workers": nodes,
        "provider": {
            "type": "external",
            "module": "growing_cluster.PatientNodes",
            "gcs_address": gcs_address,
            "use_node_id_as_ip": True,  # all nodes have this machine's
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        **{name: [] for name in _NOT_USED},
        "file_mounts_sync_continuously": False,
        "head_node_type": "ray.head.default",
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": idle_minutes,
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "core": {"resources": node, "node_config": {}, "min_workers": 0, "max_workers": nodes},
        },
    }


def _run(folder: Path, nodes: int, frames: int, patience_s: float) -> dict[str, Any]:
    port = find_port()
    log = folder / "nodes.log"
    log.touch()
    (folder / "cluster.json").write_text(json.dumps(_configure(nodes, f"127.0.0.1:{port}", idle_minutes=0.2)))
    environment = {
        **os.environ,
        _LOG: str(log),
        "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_HERE))),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "AUTOSCALER_HEARTBEAT_TIMEOUT_S": "600",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_worker_niceness": "0",
        "OMP_NUM_THREADS": "1",
    }
    program = [sys.executable, "-m", "sflow_pipeline"]
    times: dict[str, float] = {}

    def run(name: str, *command: str) -> str:
        begun = time.time()
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        times[f"{name}_s"] = round(time.time() - begun, 1)
        return done.stdout

    size = ["--size", "128x64", "--seed", "7"]
    run("simulate", *program, "simulate", "sim", "--sequences", "2", "--frames", str(frames // 2), *size)
    head = ["start", "--head", "--num-cpus=0", f"--port={port}", "--node-ip-address=127.0.0.1"]
    head += ["--include-dashboard=false", "--disable-usage-stats", "--dashboard-agent-listen-port=0"]
    head += ["--object-store-memory=100000000", f"--system-config={json.dumps(PATIENT_SYSTEM)}"]
    run("head", sys.executable, "-c", _PATIENT_RAY, *head, "--autoscaling-config=cluster.json")
    begun = time.time()
    convert = ["convert", "sim", "out", "--address", f"127.0.0.1:{port}", "--workers", str(nodes)]
    summary = json.loads(run("convert", *program, *convert, "--gate", "score", "--shard-frames", "4", "--json"))
    verified = json.loads(run("verify", *program, "verify", "out", "--json"))
    end = time.time() + patience_s
    while log.read_text().count("stopped") < log.read_text().count("joined") and time.time() < end:
        time.sleep(1)
    events = [line.split() for line in log.read_text().splitlines()]
    return {
        **times,
        "nodes": [f"{event} after {float(at) - begun:.0f} s" for at, event in events],
        "started": sum(event == "joined" for _at, event in events),
        "stopped": sum(event == "stopped" for _at, event in events),
        **{key: summary[key] for key in ("status", "frames", "rows", "shards_converted", "workers", "warnings")},
        "problems": verified["problems"],
    }


def _end_processes() -> None:
    """End every process below this one, those that lost their parent included."""
    while below := [pid for pid in list_processes() if pid != os.getpid() and is_below(pid, os.getpid())]:
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2, help="most nodes (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=24, help="frames to convert (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=900, help="seconds for each step (default: %(default)s)")
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(36, 1)  # orphans stay below this process, which ends them
    with tempfile.TemporaryDirectory(prefix="sflow-growing-") as folder:
        try:
            result = _run(Path(folder), arguments.nodes, arguments.frames, arguments.patience)
        finally:
            _end_processes()
    print(json.dumps(result, indent=2))
    is_right = result["status"] == "clean" and not result["problems"] and 0 < result["started"] == result["stopped"]
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
