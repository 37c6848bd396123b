"""Videos, read back with PyAV."""

import builtins
import shutil
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sflow_pipeline import open_dataset
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.dataset.row import Row
from sflow_pipeline.errors import MissingExtraError, UsageError
from sflow_pipeline.export.destination import open_destination
from sflow_pipeline.export.export_dataset import export_dataset
from sflow_pipeline.export.exporter import ExportTask
from sflow_pipeline.export.formats import mp4
from sflow_pipeline.storage.image_codec import encode_rgb
from sflow_pipeline.storage.video_writer import VideoWriter


def read_video(path) -> tuple[list[np.ndarray], list[float], Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        rate = stream.average_rate
    assert rate is not None
    return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time or 0.0 for frame in frames], rate


def test_a_video_for_each_sequence_and_variant(export, convert_streets):
    dest, summary = export("mp4")
    assert summary.rows == 16
    dataset = open_dataset(str(convert_streets(format="parquet", variants=2)), columns=["image"])
    for variant, suffix in ((0, ""), (1, "_v1")):
        for sequence in ("street_0000", "street_0001"):
            pictures, times, rate = read_video(dest / "train" / f"{sequence}{suffix}.mp4")
            samples = [dataset[i] for i in range(16)]
            expected = [s.image for s in samples if (s.sequence_id, s.variant) == (sequence, variant)]
            assert len(pictures) == len(expected) == 4
            assert rate == 10 and times == pytest.approx([0, 0.1, 0.2, 0.3])
            for picture, original in zip(pictures, expected, strict=True):
                assert picture.shape == original.shape
                # colour is stored at half the resolution; brightness must follow closely
                luma = [x.astype(float) @ (0.299, 0.587, 0.114) for x in (picture, original)]
                assert np.abs(luma[0] - luma[1]).mean() < 8


def test_speed_can_be_chosen(export):
    dest, _summary = export("mp4", fps=25, variants=[0])
    assert read_video(dest / "train" / "street_0000.mp4")[2] == 25


@pytest.mark.parametrize("numbers", [range(0, 20, 5), [0, 5, 10, 20]], ids=["steady", "with a gap"])
def test_every_fifth_frame_plays_at_its_speed(numbers, convert_streets, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(convert_streets(format="parquet", variants=2), out)
    for path in (out / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        renumbered = pa.array([numbers[i] for i in table["frame_index"].to_pylist()], pa.int64())
        place = table.schema.get_field_index("frame_index")
        pq.write_table(table.set_column(place, table.schema.field(place), renumbered), path)
    export_dataset(str(out), str(tmp_path / "dest"), "mp4", variants=[0])
    _pictures, times, rate = read_video(tmp_path / "dest/train/street_0000.mp4")
    assert rate == 10 and times == pytest.approx([number / 50 for number in numbers])


def test_missing_frames_leave_their_time_and_odd_sizes_fit(convert_streets, tmp_path):
    contents = load_contents(str(convert_streets(format="parquet", variants=2)))
    facts = {"sequence_id": "a", "variant": 0, "split": "val", "source_uri": "", "edge_f1": 1.0}
    gray = encode_rgb(np.full((33, 49, 3), 128, np.uint8))
    rows = [
        Row(
            {**facts, "sample_id": f"a/{i}", "frame_index": i, "image": {"bytes": gray, "path": ""}},
            contents.label_format,
        )
        for i in (7, 8, 11)
    ]
    with open_destination(str(tmp_path / "dest"), "/data/out", {}) as dest:
        mp4.export(ExportTask(iter(rows), contents, dest))
    pictures, times, _rate = read_video(tmp_path / "dest" / "val" / "a.mp4")
    assert times == pytest.approx([0, 0.1, 0.4])
    assert pictures[0].shape == (34, 50, 3)
    assert np.abs(pictures[0].astype(int) - 128).max() < 6


def test_without_pyav_the_pip_line_is_named(export, monkeypatch, tmp_path):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "av":
            raise ModuleNotFoundError("No module named 'av'", name="av")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError) as missing:
        export("mp4")
    assert missing.value.hint == "pip install 'sflow-pipeline[video]'"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0.0, -1.0, 0.0004, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(export, fps):
    with pytest.raises(UsageError, match=r"must be 0\.001 or more"):
        export("mp4", fps=fps)


@pytest.mark.parametrize("numbers", [[0, 2, 4, 5, 7, 8, 10], [0, 2, 4, 4, 6]], ids=["uneven", "twice"])
def test_uneven_numbers_lose_no_picture(numbers, tmp_path):
    """Frames 4 and 5 are both nearest to the third picture of a video with every second frame."""
    video = VideoWriter(av, tmp_path / "a.mp4", 10.0)
    for i, number in enumerate(numbers):
        video.add(np.full((32, 48, 3), 30 * i + 10, np.uint8), number // 2)
    video.close()
    pictures, times, _rate = read_video(tmp_path / "a.mp4")
    assert [round(float(picture.mean() - 10) / 30) for picture in pictures] == list(range(len(numbers)))
    assert times == sorted(set(times))
