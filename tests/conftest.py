"""What every test may use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of genuine samples beside the repository; tests that use it skip where it is missing."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"{_SHARED_DATA} is missing")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def street_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn dump in the plain layout with every modality: two streets of four frames, 96x48."""
    from sflow_pipeline.street.write_dump import write_sample_dump

    root = tmp_path_factory.mktemp("streets") / "sim"
    write_sample_dump(root, sequences=2, frames=4, size=(96, 48), seed=4, workers=1)
    return root


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
