"""Fixtures and settings for all tests."""

import os
import signal
import struct
import subprocess
import uuid
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sflow_pipeline.storage.process_identity import count_cores

if TYPE_CHECKING:
    import numpy as np

# Test processes share the cores, and thread counts change the last digits of sums; child processes inherit this.
os.environ["OMP_NUM_THREADS"] = "1"

_SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"
#: Every test process loads torch, about a gigabyte.
_MOST_PROCESSES = 8


def pytest_xdist_auto_num_workers() -> int:
    """Processes of ``pytest -n auto``."""
    return min(count_cores(), _MOST_PROCESSES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")
        if item.get_closest_marker("ray"):  # each starts a cluster of its own; two at once would contend for memory
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of genuine samples beside the repository; tests that use it skip where it is missing."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"{_SHARED_DATA} is missing")
    return _SHARED_DATA


def _accept_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def start_process() -> "Callable[..., subprocess.Popen[Any]]":
    """``subprocess.Popen`` for processes that are interrupted: background jobs of a shell ignore SIGINT otherwise."""
    return partial(subprocess.Popen, preexec_fn=_accept_interrupt)


@pytest.fixture(scope="session")
def _object_store() -> Iterator[str]:
    """Endpoint of an S3 server in this process, as ``host:port``."""
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(_object_store: str) -> str:
    """URI of an empty bucket, with ``{}`` for the path."""
    boto3 = pytest.importorskip("boto3")
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    name = uuid.uuid4().hex
    boto3.client("s3", endpoint_url=f"http://{_object_store}", **keys).create_bucket(Bucket=name)
    endpoint = _object_store.replace(":", "%3A")
    return f"s3://test:test@{name}/{{}}?scheme=http&endpoint_override={endpoint}&region=us-east-1"


@pytest.fixture(scope="session")
def street_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn dump in the plain layout with every modality: two streets of four frames, 96x48."""
    from sflow_pipeline.street.write_dump import write_sample_dump

    root = tmp_path_factory.mktemp("streets") / "sim"
    write_sample_dump(root, sequences=2, frames=4, size=(96, 48), seed=4, workers=1)
    return root


@pytest.fixture(scope="session")
def encode_gray_of_4_bits() -> "Callable[[np.ndarray], bytes]":
    """A PNG of grey with 4 bits a pixel, which OpenCV does not write."""

    def encode(plane: "np.ndarray") -> bytes:
        rows = zlib.compress(b"".join(bytes([0, *(row[0::2] << 4 | row[1::2])]) for row in plane))
        header = struct.pack(">IIBBBBB", plane.shape[1], plane.shape[0], 4, 0, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )

    return encode


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with random weights (seed 3); leave it as it is."""
    from sflow_pipeline.bundle import build_random_bundle

    return build_random_bundle(tmp_path_factory.mktemp("bundle") / "random", seed=3).path


@pytest.fixture(scope="session")
def convert_streets(
    street_dump: Path, random_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Converts the drawn dump with random weights; the same job fields give the same folder, so leave it as it is."""
    from sflow_pipeline.config.job import build_job
    from sflow_pipeline.conversion.convert import convert

    made: dict[str, Path] = {}

    def run(**fields: Any) -> Path:
        key = repr(sorted(fields.items()))
        if key not in made:
            out = tmp_path_factory.mktemp("dataset") / "out"
            places = {"sim_dir": str(street_dump), "out_dir": str(out), "bundle": str(random_bundle)}
            convert(build_job({**places, "workers": 1, "shard_frames": 3, "precision": "fp32", **fields}))
            made[key] = out
        return made[key]

    return run
