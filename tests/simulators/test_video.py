"""A picture video beside a label video: frames by number in any order, labels exact or refused."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from sflow_pipeline.archives import ArchiveError, open_archive
from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.filesystem import Folder

MakeLayout = Callable[[str], Path]
LoadLayout = Callable[[str], ModuleType]


def decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_pairs_of_videos_are_sequences(make_layout: MakeLayout) -> None:
    dump = discover(str(make_layout("video")))
    assert (dump.simulator, dump.label_space, dump.label_encoding, dump.fps) == ("video", "camvid11", "ids", 5.0)
    assert dump.sequence_ids == ("a", "b")
    assert [f.sample_id for f in dump.frames[:2]] == ["a/000000", "a/000001"]
    assert dump.frames[0].label == "a_semantic.mkv/000000.png"
    assert len(dump.frames) == 12
    assert dump.problems == ()


def test_frames_are_exact_in_any_order(tmp_path: Path, load_layout: LoadLayout) -> None:
    video = load_layout("video")
    labels = [video.label(i) for i in range(60)]
    for codec, suffix in (("ffv1", "mkv"), ("png", "mov")):
        video.write_video(tmp_path / f"semantic.{suffix}", labels, codec, "gray")
        folder = Folder(str(tmp_path))
        order = [*range(60), *random.Random(1).sample(range(60), 60)]
        for number in order:
            assert np.array_equal(decode(folder.read_bytes(f"semantic.{suffix}/{number:06}.png")), labels[number])
        with pytest.raises(FileNotFoundError):
            folder.read_bytes(f"semantic.{suffix}/000060.png")


def test_pictures_come_in_order_from_a_codec_that_stores_them_in_another(
    tmp_path: Path, load_layout: LoadLayout
) -> None:
    video = load_layout("video")
    video.write_video(
        tmp_path / "rgb.mp4", [np.full((64, 64, 3), 4 * i, np.uint8) for i in range(50)], "h264", "yuv420p"
    )
    folder = Folder(str(tmp_path))
    order = random.Random(2).sample(range(50), 50)
    means = {i: float(decode(folder.read_bytes(f"rgb.mp4/{i:06}.png")).mean()) for i in order}
    assert [means[i] for i in range(50)] == pytest.approx([4 * i for i in range(50)], abs=3)


def test_a_label_video_that_changes_ids_is_refused(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, video = make_layout("video"), load_layout("video")
    (root / "a_semantic.mkv").unlink()
    frames = [video.label(i)[..., None].repeat(3, 2) for i in range(video.FRAMES)]
    video.write_video(root / "a_semantic.mp4", frames, "mpeg4", "yuv420p")
    with pytest.raises(DumpError) as caught:
        discover(str(root))
    assert "label video a_semantic.mp4 is stored as mpeg4 in yuv420p, which changes class ids" in caught.value.message
    assert "ffmpeg -c:v ffv1 -pix_fmt gray" in caught.value.hint


def test_a_label_video_of_another_length_names_the_frames(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, video = make_layout("video"), load_layout("video")
    video.write_video(root / "a_semantic.mkv", [video.label(0)] * 4, "ffv1", "gray")
    dump = discover(str(root))
    (problem,) = dump.problems
    assert (problem.kind, problem.paths) == ("missing_label", ("a_rgb.mp4/000004.png", "a_rgb.mp4/000005.png"))


def test_frames_that_either_video_lacks_part_no_others(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, video = make_layout("video"), load_layout("video")
    for path, codec, pixels, draw, lost in (
        ("a_rgb.mp4", "mpeg4", "yuv420p", video.picture, 2), ("a_semantic.mkv", "ffv1", "gray", video.label, 4)
    ):  # fmt: skip
        kept = [number for number in range(video.FRAMES) if number != lost]
        video.write_video(root / path, list(map(draw, kept)), codec, pixels, kept)
    dump = discover(str(root))
    pairs = [frame for frame in dump.frames if frame.sequence_id == "a"]
    folder = Folder(str(root))
    for frame, shown in zip(pairs, (0, 1, 3, 5), strict=True):
        assert np.array_equal(decode(folder.read_bytes(frame.label)), video.label(shown))
        assert decode(folder.read_bytes(frame.render)).mean() == pytest.approx(video.picture(shown).mean(), abs=3)
    paths = {problem.kind: problem.paths for problem in dump.problems if problem.kind.startswith("missing")}
    assert paths == {"missing_label": ("a_rgb.mp4/000003.png",), "missing_render": ("a_semantic.mkv/000002.png",)}


def test_labels_at_half_the_rate_go_with_every_other_picture(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, video = make_layout("video"), load_layout("video")
    video.write_video(root / "a_semantic.mkv", [video.label(i) for i in (0, 2, 4)], "ffv1", "gray", [0, 2, 4])
    dump = discover(str(root))
    pairs = [(frame.render, frame.label) for frame in dump.frames if frame.sequence_id == "a"]
    assert pairs == [(f"a_rgb.mp4/{2 * i:06}.png", f"a_semantic.mkv/{i:06}.png") for i in range(3)]
    assert dump.fps is None  # the other sequence has 5 pairs a second
    shutil.rmtree(root / "b")
    assert [frame.timestamp_s for frame in discover(str(root)).frames] == pytest.approx([0, 0.4, 0.8])


def test_videos_that_begin_at_different_times_are_refused(make_layout: MakeLayout, load_layout: LoadLayout) -> None:
    root, video = make_layout("video"), load_layout("video")
    video.write_video(root / "a_semantic.mkv", [video.label(i) for i in range(4)], "ffv1", "gray", [2, 3, 4, 5])
    with pytest.raises(DumpError, match=r"a_semantic.mkv begins 0.4 s after a_rgb.mp4") as caught:
        discover(str(root))
    assert "-avoid_negative_ts make_zero" in caught.value.hint


def test_a_broken_video_is_named(make_layout: MakeLayout) -> None:
    root = make_layout("video")
    (root / "a_rgb.mp4").write_bytes(b"not a video")
    dump = discover(str(root))
    kinds = {problem.kind: problem for problem in dump.problems}
    assert kinds["unreadable_archive"].paths == ("a_rgb.mp4",)
    assert "copy it again" in kinds["unreadable_archive"].message
    assert dump.sequence_ids == ("b",)


def test_codec_that_nobody_knows_is_named(tmp_path: Path, load_layout: LoadLayout) -> None:
    path = tmp_path / "rgb.mov"
    load_layout("video").write_video(path, [np.full((32, 64, 3), i, np.uint8) for i in range(3)], "png", "rgb24")
    data = path.read_bytes()
    assert data.count(b"png ") == 1
    path.write_bytes(data.replace(b"png ", b"pn\xf6 "))
    with pytest.raises(ArchiveError, match="not a whole video"):
        open_archive(str(path))


def test_genuine_dash_camera(shared_data: Path) -> None:
    path = shared_data / "video-carnd-lanelines" / "test_videos" / "solidWhiteRight.mp4"
    archive = open_archive(str(link_as(path, "rgb.mp4")))
    assert (len(archive.marks), archive.fps) == (221, 25.0)
    assert decode(archive.read("000220.png")).shape == (540, 960, 3)


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def link_as(path: Path, name: str) -> Path:
    link = Path.cwd() / name
    link.symlink_to(path)
    return link
