"""What every test may use."""

from pathlib import Path

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
