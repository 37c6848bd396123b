"""Sample dumps on disk: readable by anyone, whole, repeatable, and never over someone else's files."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from sflow_pipeline.errors import OutputError, UsageError
from sflow_pipeline.simulators import discover
from sflow_pipeline.street import StreetSequence
from sflow_pipeline.street.write_dump import write_sample_dump

SIZE = (96, 48)


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dump") / "streets"
    write_sample_dump(root, sequences=2, frames=3, size=SIZE, seed=4, workers=1)
    return root


def test_files_hold_what_the_simulator_drew(dump: Path) -> None:
    street = StreetSequence(seed=4, sequence_index=1, frames=3, size=SIZE, look="cg")
    for frame_index, frame in enumerate(street.render_frames()):
        folder, name = dump / "street_0001", f"{frame_index:06d}"

        def read(kind: str, folder: Path = folder, name: str = name) -> np.ndarray:
            image = cv2.imread(str(folder / kind / f"{name}.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None
            return image

        assert np.array_equal(read("rgb")[:, :, ::-1], frame.render)
        assert np.array_equal(read("semantic"), frame.label_map)
        assert np.array_equal(read("instance"), frame.instance_map)
        assert np.array_equal(read("depth"), frame.depth)
        assert np.array_equal(read("occlusion") == 255, frame.occluded)
        blue_valid, green_y, red_x = np.moveaxis(read("flow"), 2, 0)
        flow = (np.stack([red_x, green_y], axis=2).astype(float) - 32768) / 64
        valid = blue_valid == 1
        assert np.abs(flow - frame.flow)[valid].max() <= 1 / 128 + 1e-4
        assert (np.abs(frame.flow[~valid]).max(axis=1) > 511).all()
        assert json.loads((folder / "boxes" / f"{name}.json").read_text())["boxes"] == frame.boxes
        assert json.loads((folder / "camera" / f"{name}.json").read_text()) == frame.camera


def test_dataset_file_says_what_is_needed_to_read_and_to_repeat(dump: Path) -> None:
    stated = yaml.safe_load((dump / "dataset.yaml").read_text())
    assert stated["label_space"] == "cityscapes19" and stated["fps"] == 10.0
    made = stated["camera"]["rendered_by"]
    assert made["seed"] == 4 and made["look"] == "cg" and made["frames"] == 3
    assert {"depth", "flow", "occlusion", "instance", "boxes"} <= set(stated["units"])


def test_the_folder_adapter_reads_it(dump: Path) -> None:
    found = discover(str(dump))
    assert found.simulator == "folder" and found.label_space == "cityscapes19" and found.fps == 10.0
    assert [frame.sample_id for frame in found.frames] == [
        f"street_{sequence:04d}/{frame:06d}" for sequence in range(2) for frame in range(3)
    ]
    for frame in found.frames:
        assert all((frame.instance, frame.depth, frame.flow, frame.occlusion, frame.boxes, frame.camera))
    assert found.problems == ()


def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        write_sample_dump(tmp_path / str(workers), sequences=2, frames=3, size=(64, 32), look="camera", workers=workers)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_a_complete_dump_is_left_alone_and_a_broken_one_completed(dump: Path, tmp_path: Path) -> None:
    again = write_sample_dump(dump, sequences=2, frames=3, size=SIZE, seed=4)
    assert again.frames_written == 0
    half = tmp_path / "half"
    write_sample_dump(half, sequences=1, frames=2, size=SIZE)
    whole = digest(half)
    (half / "dataset.yaml").unlink()
    (half / "street_0000" / "rgb" / "000001.png").unlink()
    (half / "street_0000" / "rgb" / ".000001.png.1.tmp").write_bytes(b"half a pict")
    assert write_sample_dump(half, sequences=1, frames=2, size=SIZE).frames_written == 2
    assert digest(half) == whole


def test_other_peoples_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match="not a sample dump"):
        write_sample_dump(tmp_path, sequences=1, frames=1, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_dump_of_other_settings_is_refused_with_the_difference(dump: Path) -> None:
    before = digest(dump)
    with pytest.raises(OutputError, match=r"seed 4 \(now 5\)"):
        write_sample_dump(dump, sequences=2, frames=3, size=SIZE, seed=5)
    assert digest(dump) == before


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="out"):
        write_sample_dump(tmp_path / "out", sequences=1, frames=1, size=SIZE)


@pytest.mark.parametrize("wish", [{"sequences": 0}, {"frames": 0}, {"workers": 0}, {"size": (4, 4)}, {"seed": -1}])
def test_impossible_wishes_write_nothing(tmp_path: Path, wish: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        write_sample_dump(tmp_path / "out", **{"sequences": 1, "frames": 1, "size": SIZE, **wish})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_nothing_half_written_is_left_behind(dump: Path) -> None:
    assert not list(dump.rglob("*.tmp"))
