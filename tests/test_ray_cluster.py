"""A cluster that cannot be reached is one sentence within seconds, of the caller's error type."""

import socket

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
