"""Connection to Ray, on this machine or a cluster; the one place that starts it."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray

from sflow_pipeline.cluster_probe import probe_cluster
from sflow_pipeline.errors import SflowError

_HINTS = (
    ("401", "the cluster requires a token: set RAY_AUTH_MODE and RAY_AUTH_TOKEN as it was started with"),
    ("auth", "the cluster requires a token: set RAY_AUTH_MODE and RAY_AUTH_TOKEN as it was started with"),
    ("version", "use the same versions of ray and Python here and on the cluster"),
    ("ray client", "its server for clients fails: use --address HOST:6379 inside the cluster, or ray job submit"),
)


@dataclass(frozen=True)
class ClusterFacts:
    """Resources of a Ray cluster."""

    cpus: int
    gpus: int


@contextmanager
def connect(
    address: str | None, cpus: int, *, error: type[SflowError] = SflowError, without_ray: str
) -> Iterator[ClusterFacts]:
    """Start Ray on this machine, or join a cluster; undone at the end unless Ray already ran.

    Args:
        address: of the cluster, such as ``10.0.0.1:6379``, ``ray://host:10001`` or ``auto``; None starts Ray here.
        cpus: that Ray may use, if it is started here.
        error: type of the error.
        without_ray: hint that names the flags with which no Ray is needed.

    Raises:
        SflowError: of type ``error``; Ray cannot be reached within some seconds, or cannot start.
    """
    if ray.is_initialized():
        yield _read_facts()
        return
    where = f"at {address} cannot be reached" if address else "cannot start on this machine"
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            probe_cluster(_find_running(address))
        ray.init(
            # Without "local", the address file of a dead cluster breaks the next start.
            address=address or "local",
            num_cpus=None if address else cpus,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            namespace="sflow",
        )
    except Exception as failure:
        text = " ".join(str(failure).split())[:300]
        hints = [hint for word, hint in _HINTS if word in text.lower()]
        fallback = f"check --address, or {without_ray}" if address else without_ray
        raise error(f"Ray {where}: {text}", hint=hints[0] if hints else fallback) from failure
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # ray.init installs its own, which ends without a message
        with _without_messages():
            yield _read_facts()
    finally:
        ray.shutdown()


@contextmanager
def _without_messages() -> Iterator[None]:
    """Whatever ``log_to_driver`` says, Ray prints to stdout that a worker died, where ``--json`` has its result.

    What is done about it is for those who use the cluster to say.
    """
    from ray._private import worker

    printer = getattr(worker, "print_to_stdstream", None)
    if printer is None:
        yield
        return
    worker.print_to_stdstream = lambda *_args, **_options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = printer


def _find_running(address: str) -> str:
    """The address that ``auto`` stands for: that of the environment, or of a cluster that ran on this machine.

    Raises:
        ConnectionError: there is none.
    """
    if address != "auto":
        return address
    try:
        from ray._private.services import get_ray_address_from_environment
    except ImportError:  # Ray looks for it then, and tries a dead one for minutes
        return address
    return str(get_ray_address_from_environment("auto", None))


def _read_facts() -> ClusterFacts:
    resources = ray.cluster_resources()
    return ClusterFacts(int(resources.get("CPU", 1)), int(resources.get("GPU", 0)))
