"""Labels are counted once: by whom and in how many runs makes no difference."""

from collections.abc import Iterator

import cv2
import numpy as np
import pyarrow as pa
import pytest

from sflow_pipeline.conversion.convert import convert, plan_conversion
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.labels import counts as label_counts
from sflow_pipeline.conversion.labels.census import take_census
from sflow_pipeline.conversion.labels.counts import count_in_threads
from sflow_pipeline.conversion.source.source_index import SourceFrames
from sflow_pipeline.errors import LabelSpaceError
from sflow_pipeline.storage.filesystem import Folder


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Paths of the labels that are read, from now on."""
    paths: list[str] = []
    genuine = label_counts.read_label

    def read_label(frame, settings):
        paths.append(frame.ref.label)
        return genuine(frame, settings)

    monkeypatch.setattr(label_counts, "read_label", read_label)
    return paths


def test_pixels_are_those_of_the_files(dump, make_job):
    resolved = resolve_job(make_job())
    census = take_census(resolved.groups, resolved.settings, None)
    pixels = np.zeros(256, np.int64)
    for path in dump.root.glob("*/semantic/*.png"):
        pixels += np.bincount(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).ravel(), minlength=256)
    assert census.pixels == {class_id: count for class_id, count in enumerate(pixels.tolist()) if count}


def test_what_is_known_is_not_read_again(dump, make_job, opened):
    job = make_job()
    convert(job)
    assert len(opened) == 12
    opened.clear()
    assert plan_conversion(job).is_up_to_date
    assert convert(job).shards_converted == 0
    assert opened == []
    dump.add_frame("town02", 5, salt="new")
    plan_conversion(job)
    assert 0 < len(opened) <= 4 and "town02/semantic/0005.png" in opened  # those of its shard


def test_a_label_that_cannot_be_read_is_tried_again_alone(dump, make_job, opened):
    whole = (dump.root / "town01/semantic/0001.png").read_bytes()
    dump.write("town01/semantic/0001.png", whole[:40])
    job = make_job(max_bad_fraction=0.5)
    convert(job)
    opened.clear()
    convert(job)
    assert opened == ["town01/semantic/0001.png"]
    dump.write("town01/semantic/0001.png", whole)
    assert convert(job).status == "clean"


def test_counts_of_a_stopped_run_are_kept(make_job, opened, tmp_path):
    resolved, out = resolve_job(make_job()), Folder(str(tmp_path / "kept"))

    def stop(groups, settings) -> Iterator[label_counts.LabelCounts]:
        yield from count_in_threads(groups[:1], settings)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_census(resolved.groups, resolved.settings, out, keep=True, count=stop)
    counted = len(opened)
    census = take_census(resolved.groups, resolved.settings, out, keep=True)
    assert 0 < counted < len(opened) == 12
    assert census.pixels == take_census(resolved.groups, resolved.settings, None).pixels


def test_strange_ids_are_named_in_the_order_of_the_dump(dump, make_job):
    for path in ("town02/semantic/0003.png", "town01/semantic/0004.png", "town01/semantic/0002.png"):
        label_map = np.full((32, 48), 77, np.uint8)
        dump.write(path, cv2.imencode(".png", label_map)[1].tobytes())
    with pytest.raises(LabelSpaceError) as refused:
        convert(make_job())
    assert (
        "label ids 77 are not in label space camvid11: in 3 files, first town01/semantic/0002.png, "
        "town01/semantic/0004.png, town02/semantic/0003.png" in refused.value.message
    )


def test_frames_travel_without_the_rest_of_the_index(make_job):
    index = pa.concat_tables([resolve_job(make_job()).index] * 1000).combine_chunks()
    frames = SourceFrames(index, 6000, 6012)
    restore, (data,) = frames.__reduce__()
    assert list(restore(data)) == list(frames) == list(SourceFrames(index))[:12]
    assert len(data) < 10_000 < index.nbytes
