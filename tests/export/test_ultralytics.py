"""YOLO exports as Ultralytics' trainers read them; skipped where it is not installed (`make readers` installs it)."""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path, Path, int], Any]:
    """Ultralytics' reader of one picture and its labels, for a number of classes."""
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("no ultralytics")
    version = importlib.metadata.version
    # It asks for the version of torchvision, which its reader does not use.
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0" if name == "torchvision" else version(name))
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_AUTOINSTALL", "false")
    from ultralytics.data.utils import verify_image_label

    return lambda image, label, classes: verify_image_label((str(image), str(label), "", False, classes, 0, 0, False))


@pytest.mark.parametrize("to", ["yolo", "yolo-seg"])
def test_every_object_is_read(to: str, export: Callable[..., Any], check: Callable[..., Any]) -> None:
    dest, summary = export(to, split_by=("frame", "0.6/0.2/0.2"))
    stated = yaml.safe_load((dest / "data.yaml").read_text())
    objects = 0
    for split in ("train", "val", "test"):
        images = sorted((dest / stated[split]).iterdir())
        assert images
        for image in images:
            label = dest / "labels" / split / f"{image.stem}.txt"
            _, found, shape, segments, _, missing, _, _, corrupt, message = check(image, label, len(stated["names"]))
            assert (missing, corrupt, message, shape) == (0, 0, "", (48, 96))
            assert len(segments) == (len(found) if to == "yolo-seg" else 0)
            objects += len(found)
    assert objects == summary.objects > 0
