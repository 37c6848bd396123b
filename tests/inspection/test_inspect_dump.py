"""What ``inspect`` says about a dump, against counts made by hand."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner

from sflow_pipeline.errors import DumpError
from sflow_pipeline.inspection.inspect_dump import inspect_dump


def write(root: Path, index: int, label: NDArray[np.generic], size_px: tuple[int, int] = (20, 10)) -> None:
    """A frame of the plain layout with a grey ramp as its picture."""
    ramp = np.linspace(60, 120, size_px[0]).astype(np.uint8)
    for folder, pixels in (("rgb", np.tile(ramp[None, :, None], (size_px[1], 1, 3))), ("semantic", label)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / folder / f"{index:04}.png"), pixels)


def test_counts_classes_sizes_and_what_is_lost(tmp_path: Path) -> None:
    label = np.full((10, 20), 1, np.uint8)  # road
    label[:5] = 11  # sky
    label[0, :10] = 23  # water, which CamVid lacks
    write(tmp_path, 0, label)
    write(tmp_path, 1, np.ones((6, 8), np.uint16), size_px=(8, 6))
    found = inspect_dump(str(tmp_path), label_space="carla-0.9.14")
    assert (found.simulator, found.frames, found.sampled_frames, found.sequences) == ("folder", 2, 2, 1)
    assert found.sizes == {"20x10": 1, "8x6": 1}
    assert {row.name: row.share for row in found.classes} == pytest.approx(
        {"road": 148 / 248, "sky": 90 / 248, "water": 10 / 248}
    )
    assert found.classes[0].name == "road"
    assert set(found.lost_classes) == {"static", "dynamic", "other", "water"}
    assert (found.unmapped_ids, found.problems) == ((), ())


def test_ids_outside_the_label_space_are_listed(tmp_path: Path) -> None:
    for index in range(5):
        label = np.zeros((10, 20), np.uint8)
        label[0, : index * 2] = 40
        write(tmp_path, index, label)
    found = inspect_dump(str(tmp_path), label_space="camvid11")
    (unmapped,) = found.unmapped_ids
    assert (unmapped.id, unmapped.color) == (40, None)
    assert unmapped.share == pytest.approx(20 / 1000)
    assert unmapped.first_files == ("semantic/0001.png", "semantic/0002.png", "semantic/0003.png")


def test_colours_outside_the_label_space_are_listed(tmp_path: Path) -> None:
    label = np.full((10, 20, 3), (128, 64, 128), np.uint8)  # road, the same in RGB and BGR
    label[0, :4] = (3, 2, 1)  # BGR
    write(tmp_path, 0, label)
    (tmp_path / "dataset.yaml").write_text("label_space: cityscapes19\nlabel_encoding: palette\n")
    found = inspect_dump(str(tmp_path))
    (unmapped,) = found.unmapped_ids
    assert (unmapped.id, unmapped.color) == (None, (1, 2, 3))
    assert unmapped.share == pytest.approx(4 / 200)


def test_frames_that_cannot_be_converted_are_problems(tmp_path: Path) -> None:
    good = np.zeros((10, 20), np.uint8)
    write(tmp_path, 0, good)
    write(tmp_path, 1, np.zeros((10, 21), np.uint8))
    write(tmp_path, 2, np.full((10, 20, 3), (0, 9, 0), np.uint8))
    write(tmp_path, 3, good)
    picture = tmp_path / "rgb" / "0003.png"
    picture.write_bytes(b"")
    found = inspect_dump(str(tmp_path), label_space="camvid11")
    assert {problem.kind: problem.paths for problem in found.problems} == {
        "size_mismatch": ("main/0001",),
        "truncated": ("main/0003",),
        "wrong_label_depth": ("main/0002",),
    }
    assert (
        "semantic/0001.png: 21x10 pixels, its picture rgb/0001.png has 20x10"
        in {p.kind: p.message for p in found.problems}["size_mismatch"]
    )


def test_large_dumps_are_sampled_evenly(tmp_path: Path) -> None:
    for index in range(201):
        write(tmp_path, index, np.full((2, 2), 3 if index in (0, 200) else 0, np.uint8), size_px=(2, 2))
    found = inspect_dump(str(tmp_path), label_space="camvid11", sample=5)
    assert (found.frames, found.sampled_frames) == (201, 5)
    assert {row.name: row.share for row in found.classes} == {"sky": 0.6, "road": 0.4}  # first and last are opened


def test_json_has_what_scripts_read(tmp_path: Path) -> None:
    from sflow_pipeline.cli.inspect import inspect_command

    write(tmp_path, 0, np.full((10, 20), 99, np.uint8))
    app = typer.Typer()
    app.command()(inspect_command)
    result = CliRunner().invoke(app, [str(tmp_path), "--label-space", "camvid11", "--json"])
    content = json.loads(result.stdout)
    assert {"simulator", "version", "sequences", "frames", "modalities", "sizes", "label_space", "problems"} <= set(
        content
    )
    assert content["unmapped_ids"] == [{"id": 99, "color": None, "share": 1.0, "first_files": ["semantic/0000.png"]}]
    assert content["sizes"] == {"20x10": 1}


def test_the_table_names_what_matters(tmp_path: Path) -> None:
    from sflow_pipeline.cli.inspect import inspect_command

    write(tmp_path, 0, np.full((10, 20), 23, np.uint8))
    (tmp_path / "rgb" / "0001.png").touch()
    app = typer.Typer()
    app.command()(inspect_command)
    shown = CliRunner().invoke(app, [str(tmp_path), "--label-space", "carla-0.9.14"]).stdout
    assert "void (lost)" in shown
    assert "100.00%" in shown
    assert "rgb/0001.png" in shown


def test_genuine_old_carla_shows_the_sky_it_does_not_tag(shared_data: Path) -> None:
    found = inspect_dump(str(shared_data / "carla-lyft-nikolasent"))
    shares = {row.name: row.share for row in found.classes}
    assert shares["sky"] == pytest.approx(0.279, abs=0.001)
    assert "unlabeled" not in shares
    assert (found.unmapped_ids, found.problems, found.sizes) == ((), (), {"800x600": 4})


def test_genuine_ids_under_the_wrong_name_show_up(shared_data: Path) -> None:
    found = inspect_dump(str(shared_data / "carla-scapes"), label_space="carla-0.9.13")
    assert [unmapped.id for unmapped in found.unmapped_ids] == [23, 24, 25]


def test_bytes_to_read_are_those_of_the_files_and_bytes_to_write_follow_the_pixels(tmp_path: Path) -> None:
    for index in range(4):
        write(tmp_path, index, np.full((10, 20), 3, np.uint8))
    found = inspect_dump(str(tmp_path), label_space="camvid11")
    files = [path.stat().st_size for path in tmp_path.rglob("*.png")]
    assert (len(files), found.source_bytes) == (8, sum(files))
    for index in range(4):
        write(tmp_path, index, np.full((20, 40), 3, np.uint8), size_px=(40, 20))
    larger = inspect_dump(str(tmp_path), label_space="camvid11")
    assert larger.estimate.bytes == 4 * found.estimate.bytes > 0
    assert larger.estimate.seconds is None


def test_a_measured_estimate_is_what_converting_gives(
    street_dump: Path, convert_streets: Callable[..., Path], random_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = convert_streets(format="png")
    monkeypatch.chdir(street_dump)
    found = inspect_dump(".", bundle=str(random_bundle), measure=True)
    written = sum(path.stat().st_size for path in (out / "data").rglob("*.png"))
    assert found.estimate.bytes == pytest.approx(written, rel=0.25)
    assert found.estimate.seconds is not None and found.estimate.seconds > 0
    assert "bundle random, one worker on cpu" in found.estimate.how
    assert not list(street_dump.parent.glob("**/*unwritten*"))


def test_what_cannot_be_converted_is_not_estimated(tmp_path: Path) -> None:
    write(tmp_path, 0, np.full((10, 20), 99, np.uint8))
    with pytest.raises(DumpError, match="none of 1 frames that were tried can be converted"):
        inspect_dump(str(tmp_path), label_space="camvid11", measure=True)


def test_the_page_stands_alone_and_shows_frames_in_class_colours(tmp_path: Path) -> None:
    from sflow_pipeline.cli.inspect import inspect_command

    for index in range(3):
        write(tmp_path / "sim", index, np.full((10, 20), 3, np.uint8))
    (tmp_path / "sim" / "rgb" / "0007 <b>.png").write_bytes(b"x")
    app = typer.Typer()
    app.command()(inspect_command)
    page = tmp_path / "new" / "dump.html"
    result = CliRunner().invoke(app, [str(tmp_path / "sim"), "--label-space", "camvid11", "--html", str(page)])
    assert result.exit_code == 3, result.output  # a picture without a label is left out
    text = page.read_text()
    assert "<b>" not in text and "0007 &lt;b&gt;" in text
    assert "to convert" in text and "bicyclist" in text  # what the terminal says, classes without pixels as well
    sources = re.findall(r'src="([^"]+)"', text)
    assert len(sources) == 3
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    data = base64.b64decode(sources[0].removeprefix("data:image/jpeg;base64,"))
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert picture.shape == (160, 640, 3)
    assert np.abs(picture[80, 160].astype(int) - 90).max() < 6  # the render is grey
    assert np.abs(picture[80, 480].astype(int) - [128, 64, 128]).max() < 12  # road


def test_bars_have_the_classes_colours_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sflow_pipeline.cli.inspect import inspect_command

    write(tmp_path, 0, np.full((10, 20), 3, np.uint8))
    app = typer.Typer()
    app.command()(inspect_command)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = CliRunner().invoke(app, [str(tmp_path), "--label-space", "camvid11"], color=True).output
    assert "\x1b[38;2;128;64;128m████████████████" in shown
