"""Frames in columns are the frames, however one looks at them."""

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.frames import FrameList, FrameRef, read_column

REFS = [
    FrameRef(
        f"town/{i}", "town", i, "val", f"town/rgb/{i}.png", f"town/semantic/{i}.png", {"flow": f"f{i}"} if i else {}
    )
    for i in range(5)
]
COLUMNS = {
    "sample_id": [ref.sample_id for ref in REFS],
    "sequence_id": ["town"] * 5,
    "frame_index": list(range(5)),
    "split": ["val"] * 5,
    "render": [ref.render for ref in REFS],
    "label": [ref.label for ref in REFS],
    "flow": [ref.flow for ref in REFS],
}


def test_a_frame_list_behaves_as_a_list_of_frames() -> None:
    frames = FrameList(COLUMNS)
    assert list(frames) == REFS
    assert (frames[0], frames[-1], frames[2].depth) == (REFS[0], REFS[4], None)
    for part in (slice(1, 3), slice(None, None, -2), slice(9, None)):
        assert list(frames[part]) == REFS[part]
        assert len(frames[part]) == len(REFS[part])
    assert frames == REFS and frames == tuple(REFS) and frames != REFS[:4] and frames != [*REFS[:4], REFS[0]]
    assert not FrameList({}) and list(FrameList({})) == []


def test_columns_are_the_same_of_either_kind() -> None:
    for name in (*MODALITIES, "sample_id", "frame_index"):
        assert read_column(FrameList(COLUMNS), name) == read_column(REFS, name) == [getattr(r, name) for r in REFS]
