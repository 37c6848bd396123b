"""Videos of sequences, read back with PyAV: rendered beside converted, gaps, what is made again and what stays."""

import shutil
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.cli.app import app
from sflow_pipeline.report.sequence_videos import INDEX_PATH, write_sequence_videos

VIDEOS = ("report/videos/train/street_0000.mp4", "report/videos/train/street_0001.mp4")


@pytest.fixture
def dataset(convert_streets: Callable[..., Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(convert_streets(gate="off"), tmp_path / "dataset"))


def read_video(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time or 0.0 for frame in frames]


def test_a_video_shows_rendered_beside_converted_at_the_dumps_rate(dataset: Path) -> None:
    assert write_sequence_videos(str(dataset)) == VIDEOS
    pictures, times = read_video(dataset / VIDEOS[0])
    assert times == pytest.approx([0, 0.1, 0.2, 0.3])
    rows = [row for row in open_dataset(str(dataset)) if row.sequence_id == "street_0000"]
    for picture, row in zip(pictures, rows, strict=True):
        assert picture.shape == (48, 192, 3)
        halves = (picture[:, :96].astype(float), picture[:, 96:].astype(float))
        for half, other, expected in ((halves[0], halves[1], row.render), (halves[1], halves[0], row.image)):
            assert expected is not None
            distance = np.abs(half - expected.astype(float)).mean()
            assert distance < 15
            assert distance < np.abs(other - expected.astype(float)).mean()


def test_a_frame_of_another_size_is_fitted_and_a_single_frame_is_a_video(
    street_dump: Path, random_bundle: Path, tmp_path: Path
) -> None:
    from sflow_pipeline import convert

    dump = Path(shutil.copytree(street_dump, tmp_path / "dump"))
    for path in dump.rglob("street_0000/*/000002.png"):
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        cv2.imwrite(str(path), plane[::2, ::2])
    for path in dump.rglob("street_0001/*/00000[1-9].*"):
        path.unlink()
    convert(dump, tmp_path / "out", bundle=random_bundle, workers=1, gate="off")
    assert write_sequence_videos(str(tmp_path / "out")) == VIDEOS
    pictures = [read_video(tmp_path / "out" / path)[0] for path in VIDEOS]
    assert [len(found) for found in pictures] == [4, 1]
    assert {picture.shape for found in pictures for picture in found} == {(48, 192, 3)}
    small, before = pictures[0][2].astype(float), pictures[0][1].astype(float)
    assert np.abs(small[:, :96] - before[:, :96]).mean() < 30  # the same street, at the same size


def test_a_sequence_named_like_a_variant_of_another_has_a_video_of_its_own(
    street_dump: Path, random_bundle: Path, tmp_path: Path
) -> None:
    from sflow_pipeline import convert

    dump = Path(shutil.copytree(street_dump, tmp_path / "dump"))
    (dump / "street_0001").rename(dump / "street_0000_v1")
    for path in dump.glob("street_0000_v1/*/000003.*"):
        path.unlink()
    convert(dump, tmp_path / "out", bundle=random_bundle, workers=1, gate="off", variants=2)
    lengths = {"street_0000": 4, "street_0000_v1": 4, "street_0000_v1_v0": 3, "street_0000_v1_v1": 3}
    videos = {f"report/videos/train/{name}.mp4": length for name, length in lengths.items()}
    assert write_sequence_videos(str(tmp_path / "out")) == tuple(videos)
    assert {path: len(read_video(tmp_path / "out" / path)[0]) for path in videos} == videos
    first, second = (read_video(tmp_path / "out" / path)[0][0].astype(float) for path in list(videos)[:2])
    assert np.abs(first[:, :96] - second[:, :96]).mean() < 5  # of the same rendered frame


def test_what_is_up_to_date_stays_and_what_is_damaged_or_gone_is_made_again(dataset: Path) -> None:
    write_sequence_videos(str(dataset))
    first, second = (dataset / path for path in VIDEOS)
    first.write_bytes(b"kept, because its rows have not changed")
    second.unlink()
    write_sequence_videos(str(dataset))
    assert first.read_bytes() == b"kept, because its rows have not changed"
    assert len(read_video(second)[0]) == 4
    (dataset / INDEX_PATH).write_text("{damaged")
    write_sequence_videos(str(dataset))
    assert len(read_video(first)[0]) == 4
    assert sorted(path.name for path in first.parent.iterdir()) == ["street_0000.mp4", "street_0001.mp4"]


def test_videos_are_made_again_where_the_pictures_changed(
    street_dump: Path, random_bundle: Path, tmp_path: Path
) -> None:
    from sflow_pipeline import convert

    dump = Path(shutil.copytree(street_dump, tmp_path / "dump"))
    options = {"bundle": random_bundle, "workers": 1, "gate": "off", "smooth": 0, "video": True}
    convert(dump, tmp_path / "out", **options)
    before = [read_video(tmp_path / "out" / path)[0][0][:, :96].astype(float) for path in VIDEOS]
    for path in dump.glob("street_0000/rgb/*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path)) // 2 + np.array([0, 120, 0], np.uint8))
    convert(dump, tmp_path / "out", contradictions="ignore", **options)
    after = [read_video(tmp_path / "out" / path)[0][0][:, :96].astype(float) for path in VIDEOS]
    greener = [(late - early)[..., 1].mean() for early, late in zip(before, after, strict=True)]
    assert greener[0] > 30 and greener[1] == 0


def test_videos_of_other_images_do_not_stay(street_dump: Path, random_bundle: Path, tmp_path: Path) -> None:
    from sflow_pipeline import convert

    options = {"bundle": random_bundle, "workers": 1, "gate": "off", "smooth": 0}
    convert(street_dump, tmp_path / "out", video=True, **options)
    convert(street_dump, tmp_path / "out", **options)
    assert {path for path in VIDEOS if (tmp_path / "out" / path).exists()} == set(VIDEOS)
    convert(street_dump, tmp_path / "out", seed=5, alpha="crisp", **options)
    assert not list((tmp_path / "out" / "report" / "videos").rglob("*.mp4"))


def test_videos_are_no_part_of_the_dataset(dataset: Path) -> None:
    from sflow_pipeline import verify

    write_sequence_videos(str(dataset))
    assert verify(str(dataset)).problems == ()


def list_arguments(dump: Path, out: Path, bundle: Path) -> list[str]:
    """Of a conversion of two frames."""
    return ["convert", str(dump), str(out), "--bundle", str(bundle), "--workers", "1", "--limit", "2"]


def test_convert_writes_videos_where_asked(street_dump: Path, random_bundle: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    out = tmp_path / "out"
    arguments = list_arguments(street_dump, out, random_bundle)
    result = CliRunner().invoke(app, [*arguments, "--gate", "off", "--video", "--json"])
    assert result.exit_code in (0, 3), result.output
    assert len(read_video(out / VIDEOS[0])[0]) == 2


def test_videos_are_made_again_where_the_images_were_made_in_another_way(
    street_dump: Path, random_bundle: Path, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    out = tmp_path / "out"
    arguments = list_arguments(street_dump, out, random_bundle)
    found = []
    for shifts in ("1", "2"):
        CliRunner().invoke(app, [*arguments, "--gate", "off", "--video", "--json", "--shifts", shifts])
        found.append((out / VIDEOS[0]).read_bytes())
    assert found[0] != found[1]
