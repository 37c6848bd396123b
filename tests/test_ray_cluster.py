"""A cluster that cannot be reached is one sentence within seconds, of the caller's error type."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("ray")

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.ray_cluster import connect


@pytest.fixture
def dead_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_dead_address_is_refused_before_ray_tries(form: str, dead_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a dead address for minutes"))
    address = form.format(dead_port)
    with (
        pytest.raises(TrainingError, match=f"^Ray at {address} cannot be reached: .*refused") as caught,
        connect(address, 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass
    assert caught.value.hint == "check --address, or train in one process"


@pytest.fixture
def open_port() -> Iterator[tuple[socket.socket, int]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener, int(listener.getsockname()[1])


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b""])
def test_another_program_is_refused_before_ray_tries(
    form: str, answer: bytes, open_port: tuple[socket.socket, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a wrong address for minutes"))
    listener, port = open_port

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(64)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with (
        pytest.raises(TrainingError, match="cannot be reached: another program than Ray answers there"),
        connect(form.format(port), 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass


def test_a_silent_port_is_refused(open_port: tuple[socket.socket, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a wrong address for minutes"))
    monkeypatch.setattr("sflow_pipeline.cluster_probe._TIMEOUT_S", 0.2)
    with (
        pytest.raises(TrainingError, match="its port is open and silent"),
        connect(f"127.0.0.1:{open_port[1]}", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass


def test_a_grpc_program_that_is_not_ray_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    grpc = pytest.importorskip("grpc")
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a wrong address for minutes"))
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with (
            pytest.raises(TrainingError, match=f"not Ray's own port: use ray://127.0.0.1:{port}"),
            connect(f"127.0.0.1:{port}", 1, error=TrainingError, without_ray="train in one process"),
        ):
            pass
    finally:
        server.stop(None)


def test_auto_with_a_dead_cluster_is_refused(dead_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a dead address for minutes"))
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{dead_port}")
    with (
        pytest.raises(TrainingError, match=r"^Ray at auto cannot be reached: .*refused"),
        connect("auto", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass


def test_auto_without_a_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda _folder: None)
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("there is nothing to join"))
    with (
        pytest.raises(TrainingError, match="Could not find any running Ray instance"),
        connect("auto", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass


def test_a_host_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray tries a dead address for minutes"))
    with (
        pytest.raises(TrainingError, match="cannot be reached"),
        connect("no-such-host.invalid:6379", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass


def test_node_that_does_not_start_in_time_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_options: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("ray.init", init)
    with (
        pytest.raises(TrainingError, match=r"Ray cannot start on this machine: .*timed out during startup") as caught,
        connect(None, 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass
    assert caught.value.hint == "train in one process"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("ray client connection timeout", "use --address HOST:6379 inside the cluster, or ray job submit"),
        ("Initialization failure from server: Starting Ray client server failed.", "or ray job submit"),
        ("HTTP 401", "RAY_AUTH_TOKEN"),
    ],
)
def test_what_ray_says_leads_to_a_way_out(message: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_options: object) -> None:
        raise ConnectionError(message)

    monkeypatch.setattr("ray.init", fail)
    monkeypatch.setattr("sflow_pipeline.ray_cluster.probe_cluster", lambda _address: None)
    with (
        pytest.raises(TrainingError, match="cannot be reached") as caught,
        connect("ray://127.0.0.1:10001", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass
    assert hint in str(caught.value.hint)


def test_the_address_of_a_dashboard_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.init", lambda **_options: pytest.fail("Ray speaks of RAY_ADDRESS"))
    with (
        pytest.raises(TrainingError, match=r"^Ray at http://head:8265 cannot be reached: .* use HOST:6379"),
        connect("http://head:8265", 1, error=TrainingError, without_ray="train in one process"),
    ):
        pass
