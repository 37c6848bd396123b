"""Looks over the cameras of one rig."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.painting.rig import name_rig
from sflow_pipeline.dataset.contents import load_contents


@pytest.mark.parametrize(
    ("cameras", "others"),
    [
        (("d/Camera_0", "d/Camera_1"), ("e/Camera_0",)),
        (("a-1/front", "a-1/left_45", "a-1/right_stereo"), ("a-2/front",)),
        (("d/cam0", "d/cam1"), ("d/part0", "d/part1")),
        (("d/front_center", "d/back_center"), ("d/0", "d/1")),
    ],
)
def test_cameras_of_a_drive_are_one_rig_and_drives_are_not(cameras: tuple[str, ...], others: tuple[str, ...]) -> None:
    assert len({name_rig(camera) for camera in cameras}) == 1
    assert len({name_rig(name) for name in (*others, cameras[0])}) == 1 + len(others)


def test_cameras_of_a_drive_are_converted_with_one_look(random_bundle: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for sequence in ("drive1/front", "drive1/left_45", "drive2/front"):
        for kind in ("rgb", "semantic"):
            (tmp_path / "sim" / sequence / kind).mkdir(parents=True)
        picture = draw.integers(0, 255, (32, 48, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "sim" / sequence / "rgb" / "0.png"), picture)
        label = np.repeat(np.arange(32, dtype=np.uint8)[:, None] // 16, 48, axis=1)
        cv2.imwrite(str(tmp_path / "sim" / sequence / "semantic" / "0.png"), label)
    (tmp_path / "sim" / "dataset.yaml").write_text("label_space: camvid11\n")
    out = tmp_path / "out"
    job = {"sim_dir": str(tmp_path / "sim"), "out_dir": str(out), "bundle": str(random_bundle)}
    convert(
        build_job({**job, "workers": 1, "variants": 3, "gate": "off", "precision": "fp32", "contradictions": "ignore"})
    )
    rows = load_contents(str(out)).read_rows(columns=["alpha"])
    looks = {(row.sequence_id, row.variant): tuple(row.values["alpha"]) for row in rows}
    for variant in (1, 2):
        assert looks["drive1/front", variant] == looks["drive1/left_45", variant]
        assert looks["drive1/front", variant] != looks["drive2/front", variant]
