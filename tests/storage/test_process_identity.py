"""Cores that a process may use."""

import os
from pathlib import Path

import pytest

from sflow_pipeline.storage.process_identity import count_cores


@pytest.mark.parametrize(
    ("content", "cores"),
    [("100000 100000\n", 1), ("150000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", 64), ("", 64)],
)
def test_a_container_quota_limits_the_cores(
    content: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    (tmp_path / "cpu.max").write_text(content)
    assert count_cores(tmp_path / "cpu.max") == cores


def test_without_a_quota_affinity_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7}, raising=False)
    assert count_cores(tmp_path / "missing") == 3
