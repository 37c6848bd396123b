"""``label``: real video in, pictures with predicted labels out; what is kept, what is left out and what is refused."""

import json
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import BundleError, OutputError, UsageError
from sflow_pipeline.label_spaces import build_mapping, load_label_space
from sflow_pipeline.labelling.footage import number_by_times, open_footage
from sflow_pipeline.labelling.label_footage import label_footage
from sflow_pipeline.simulators import discover
from sflow_pipeline.street import StreetFrame, StreetSequence

VOID = 11


@pytest.fixture(scope="module")
def street() -> list[StreetFrame]:
    sequence = StreetSequence(seed=7, sequence_index=0, frames=4, size=(160, 96), look="camera")
    return list(sequence.render_frames())


@pytest.fixture
def drive(street: list[StreetFrame], tmp_path: Path) -> Path:
    """A folder of four pictures; number 2 is missing."""
    folder = tmp_path / "drive one"
    folder.mkdir()
    for number, frame in zip((0, 1, 3, 4), street, strict=True):
        cv2.imwrite(str(folder / f"cam_{number:04d}.png"), frame.render[..., ::-1])
    return folder


def write_video(path: Path, pictures: list[np.ndarray], times: list[int], rate: int = 10) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_labels(out: Path) -> list[np.ndarray]:
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(out.glob("*/semantic/*.png"))]  # type: ignore[misc]


def test_labels_are_mostly_right_and_pictures_stay_as_they_are(
    drive: Path, street: list[StreetFrame], tmp_path: Path
) -> None:
    summary = label_footage(drive, tmp_path / "out", confidence=0.5, device="cpu")
    assert (summary.frames, summary.sequences, summary.left_out) == (4, 1, {})
    for path in drive.iterdir():
        assert (tmp_path / "out" / "drive_one" / "rgb" / path.name).read_bytes() == path.read_bytes()
    to_camvid = build_mapping(load_label_space("cityscapes19"), load_label_space("camvid11"))
    labels = read_labels(tmp_path / "out")
    for label, frame in zip(labels, street, strict=True):
        truth = to_camvid.apply(frame.label_map)
        counted = (label != VOID) & (truth != VOID)
        assert counted.mean() > 0.3
        upside_down = (label[::-1] == truth)[counted].mean()
        assert (label == truth)[counted].mean() > max(0.3, 2 * upside_down)
    assert summary.void == pytest.approx(np.mean([(label == VOID).mean() for label in labels]))


def test_the_result_is_a_dump_with_its_gap(drive: Path, tmp_path: Path) -> None:
    label_footage(drive, tmp_path / "out", device="cpu")
    dump = discover(str(tmp_path / "out"))
    assert dump.label_format.space.name == "camvid11"
    assert [frame.frame_index for frame in dump.frames] == [0, 1, 3, 4]


def test_a_higher_confidence_leaves_more_void(drive: Path, tmp_path: Path) -> None:
    void = [label_footage(drive, tmp_path / str(x), confidence=x, every=4, device="cpu").void for x in (0.01, 0.7, 1.0)]
    assert void[0] == 0.0
    assert void[0] < void[1] < void[2]  # type: ignore[operator]


@pytest.mark.parametrize("name", ["{}", "{}_cam0", "take 2 frame {}a"])
def test_every_so_many_pictures_are_counted_by_their_numbers(drive: Path, tmp_path: Path, name: str) -> None:
    picture, folder = next(drive.iterdir()).read_bytes(), tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 13):
        (folder / f"{name.format(number)}.png").write_bytes(picture)
    label_footage(folder, tmp_path / "out", every=4, device="cpu")
    names = {path.stem for path in (tmp_path / "out" / "pictures" / "rgb").iterdir()}
    assert names == {name.format(number) for number in (1, 5, 9)}


def test_a_broken_off_run_is_completed(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    label_footage(drive, out, device="cpu")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "dataset.yaml").unlink()
    lost = out / "drive_one" / "semantic" / "cam_0003.png"
    lost.unlink()
    summary = label_footage(drive, out, device="cpu")
    assert summary.kept == 3
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_other_settings_or_files_are_refused(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    label_footage(drive, out, every=4, device="cpu")
    with pytest.raises(OutputError, match="other settings"):
        label_footage(drive, out, every=2, device="cpu")
    with pytest.raises(OutputError, match="not from this command"):
        label_footage(drive, drive, device="cpu")


def test_other_footage_of_the_same_name_is_refused(drive: Path, tmp_path: Path) -> None:
    label_footage(drive, tmp_path / "out", device="cpu")
    other = tmp_path / "elsewhere" / drive.name
    shutil.copytree(drive, other)
    assert label_footage(other, tmp_path / "out", device="cpu").kept == 4  # a copy is the same footage
    for path in other.iterdir():
        cv2.imwrite(str(path), cv2.imread(str(path))[:, ::-1])  # type: ignore[index,arg-type]
    with pytest.raises(OutputError, match="drive_one/cam_0000 is labelled there, of another picture"):
        label_footage(other, tmp_path / "out", device="cpu")


def test_footage_that_differs_later_is_refused(drive: Path, street: list[StreetFrame], tmp_path: Path) -> None:
    """Two drives that begin in the dark, and a picture that comes between others without a number."""
    black = np.zeros_like(street[0].render)
    for turn, pictures in enumerate((street, street[::-1])):
        video = write_video(tmp_path / "drive.mp4", [black, *(frame.render for frame in pictures)], [0, 1, 2, 3, 4])
        if turn == 0:
            label_footage(video, tmp_path / "out", device="cpu")
            continue
        with pytest.raises(OutputError, match="of another picture than now"):
            label_footage(video, tmp_path / "out", device="cpu")
    named = tmp_path / "named"
    named.mkdir()
    sources = sorted(drive.iterdir())
    for name, source in zip(("alpha", "gamma"), sources, strict=False):
        shutil.copy(source, named / f"{name}.png")
    label_footage(named, tmp_path / "names", device="cpu")
    shutil.copy(sources[2], named / "beta.png")
    with pytest.raises(OutputError, match="of another picture than now"):
        label_footage(named, tmp_path / "names", device="cpu")


@pytest.mark.parametrize("rate", [15, 24, 30, 59.94, 60, 240])
def test_times_that_a_container_rounds_are_steady(rate: float) -> None:
    times_s = [round(1000 * i / rate) / 1000 for i in range(3000)]
    numbers, fps, note = number_by_times(times_s, rate)
    assert (numbers, fps, note) == (list(range(3000)), rate, "")


def test_unreadable_pictures_are_left_out_and_named(drive: Path, tmp_path: Path) -> None:
    (drive / "cam_0001.png").write_bytes(b"no picture")
    whole = (drive / "cam_0003.png").read_bytes()
    (drive / "cam_0003.png").write_bytes(whole[: len(whole) // 2])
    summary = label_footage(drive, tmp_path / "out", device="cpu")
    assert sorted(summary.left_out) == ["drive_one/cam_0001", "drive_one/cam_0003"]
    assert len(read_labels(tmp_path / "out")) == summary.frames == 2
    assert not list((tmp_path / "out").rglob("rgb/cam_0001*"))


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="none of 1 frames can be read; a/1"):
        label_footage(tmp_path / "a", tmp_path / "out", device="cpu")


def test_a_video_is_labelled_frame_by_frame(street: list[StreetFrame], tmp_path: Path) -> None:
    video = write_video(tmp_path / "dash cam.avi", [frame.render for frame in street], [0, 1, 2, 3])
    summary = label_footage(video, tmp_path / "out", device="cpu")
    assert (summary.frames, summary.notes) == (4, ())
    dump = discover(str(tmp_path / "out"))
    assert dump.fps == pytest.approx(10)
    for frame, drawn in zip(dump.frames, street, strict=True):
        picture = cv2.imread(str(tmp_path / "out" / frame.render))
        assert picture is not None
        assert np.abs(picture[..., ::-1].astype(float) - drawn.render).mean() < 12


def test_frames_keep_their_times_where_some_are_left_out(street: list[StreetFrame], tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [frame.render for frame in street], [0, 1, 2, 3])
    label_footage(video, tmp_path / "out", every=2, device="cpu")
    assert [frame.timestamp_s for frame in discover(str(tmp_path / "out")).frames] == pytest.approx([0, 0.2])


def test_missing_frames_of_a_video_are_gaps_in_the_numbers(street: list[StreetFrame], tmp_path: Path) -> None:
    pictures = [frame.render for frame in street]
    video = write_video(tmp_path / "a.mp4", [*pictures, *pictures], [0, 1, 2, 5, 6, 7, 8, 9])
    (footage,) = open_footage(video)
    assert [frame.name for frame in footage.frames] == [f"{i:06d}" for i in (0, 1, 2, 5, 6, 7, 8, 9)]
    assert "2 are missing" in footage.notes[0]


@pytest.mark.parametrize(
    ("times_ms", "numbers", "note"),
    [
        ([0, 95, 205, 300, 402, 500], [0, 1, 2, 3, 4, 5], ""),
        ([0, 100, 200, 240, 300, 400], [0, 1, 2, 3, 4], "1 are left out at 10 frames per second"),
        ([0, 100, 200, 300, 500, 700], [0, 1, 2, 3, 5, 7], "2 are missing at 10 frames per second"),
    ],
)
def test_frames_of_a_variable_rate_are_numbered_by_their_times(
    times_ms: list[int], numbers: list[int], note: str, street: list[StreetFrame], tmp_path: Path
) -> None:
    pictures = [street[i % len(street)].render for i in range(len(times_ms))]
    (footage,) = open_footage(write_video(tmp_path / "phone.mp4", pictures, times_ms, rate=1000))
    assert [frame.name for frame in footage.frames] == [f"{i:06d}" for i in numbers]
    assert bool(footage.notes) == bool(note)
    assert note in "".join(footage.notes)


def test_a_video_that_breaks_off_says_how_many_frames_are_lost(street: list[StreetFrame], tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", [frame.render for frame in street] * 3, list(range(12)))
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    (footage,) = open_footage(video)
    assert 0 < len(footage.frames) < 12
    assert f"{12 - len(footage.frames)} of its frames cannot be read" in " ".join(footage.notes)


def test_a_video_of_one_frame_is_labelled(street: list[StreetFrame], tmp_path: Path) -> None:
    summary = label_footage(write_video(tmp_path / "a.mp4", [street[0].render], [0]), tmp_path / "out", device="cpu")
    assert (summary.frames, summary.notes) == (1, ())


def test_pictures_of_several_sizes_keep_them(street: list[StreetFrame], tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number, frame in enumerate(street[:2]):
        cv2.imwrite(str(folder / f"{number}.png"), frame.render[:: 1 + number, :: 1 + number])
    label_footage(folder, tmp_path / "out", device="cpu")
    assert [label.shape for label in read_labels(tmp_path / "out")] == [(96, 160), (48, 80)]


def test_a_folder_may_hold_several_sequences(street: list[StreetFrame], tmp_path: Path) -> None:
    for name in ("b/rgb", "a"):
        (tmp_path / "drives" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "drives" / name / "1.jpg"), street[0].render)
    write_video(tmp_path / "drives" / "c.mp4", [street[0].render, street[1].render], [0, 1])
    assert [footage.name for footage in open_footage(tmp_path / "drives")] == ["c", "a", "drives_b_rgb"]


@pytest.mark.parametrize("names", [("my drive", "my_drive"), ("a_b", "a/b")])
def test_sequences_of_one_name_are_refused(names: tuple[str, str], street: list[StreetFrame], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / "drives" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "drives" / name / "1.jpg"), street[0].render)
    with pytest.raises(UsageError, match="several folders or videos, first"):
        open_footage(tmp_path / "drives")


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42" + b"\xff" * 200])
def test_an_unreadable_video_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.mp4: not a whole video") as caught:
        open_footage(tmp_path / "a.mp4")
    assert "ffmpeg" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"), [("empty", "holds no pictures"), ("missing", "does not exist"), ("a.txt", "neither a video")]
)
def test_sources_without_frames_are_refused(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=text):
        open_footage(tmp_path / name)


def test_a_bundle_without_segmenter_is_refused(random_bundle: Path, drive: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no segmenter"):
        label_footage(drive, tmp_path / "out", bundle=random_bundle, device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_summary_is_json(drive: Path, tmp_path: Path) -> None:
    from sflow_pipeline.labelling.label_footage import describe_summary

    described = json.loads(describe_summary(label_footage(drive, tmp_path / "out", every=4, device="cpu")))
    assert described["frames"] == 1
    assert described["label_space"] == "camvid11"
