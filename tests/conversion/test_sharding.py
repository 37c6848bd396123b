"""Shards are cut by content: bounds hold, sequences stay together, and a change is felt only where it is."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sflow_pipeline.conversion.shard.sharding import cut_shards


def _cut(
    names: list[tuple[str, str, int]],
    max_frames: int = 16,
    frame_bytes: int = 1,
    max_bytes: int = 10**9,
    *,
    whole_sequences: bool = False,
):
    ordered = sorted(names)
    index = pa.table(
        {
            "split": [split for split, _sequence, _frame in ordered],
            "sequence_id": [sequence for _split, sequence, _frame in ordered],
            "sample_id": [f"{sequence}/{frame:05}" for _split, sequence, frame in ordered],
        }
    )
    limits = {"max_frames": max_frames, "max_bytes": max_bytes}
    spans = cut_shards(index, [frame_bytes] * len(ordered), **limits, whole_sequences=whole_sequences)
    return [(span, ordered[span.start : span.stop]) for span in spans]


def _frames(split: str = "train", sequence: str = "s", count: int = 400) -> list[tuple[str, str, int]]:
    return [(split, sequence, frame) for frame in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.sampled_from(["train", "val"]), st.integers(1, 60)), min_size=1, max_size=6),
    max_frames=st.integers(1, 40),
    max_bytes=st.integers(1, 300),
)
def test_every_frame_once_within_bounds(counts, max_frames, max_bytes):
    names = [name for i, (split, n) in enumerate(counts) for name in _frames(split, f"seq{i}", n)]
    shards = _cut(names, max_frames, frame_bytes=10, max_bytes=max_bytes)
    assert [name for _span, members in shards for name in members] == sorted(names)
    assert len({(span.split, span.shard_id) for span, _members in shards}) == len(shards)
    for span, members in shards:
        assert {split for split, _sequence, _frame in members} == {span.split}
        assert len(members) <= max_frames
        assert len(members) * 10 <= max(max_bytes, 10)


def test_shards_are_at_least_half_full_but_for_the_last():
    lengths = [len(members) for _span, members in _cut(_frames())]
    assert all(8 <= length <= 16 for length in lengths[:-1])


def test_cuts_prefer_sequence_starts():
    names = [name for i in range(10) for name in _frames(sequence=f"s{i}", count=10)]
    assert [len(members) for _span, members in _cut(names)] == [10] * 10


def _changed(before, after) -> int:
    old = {(span.shard_id, tuple(members)) for span, members in before}
    return len({(span.shard_id, tuple(members)) for span, members in after} - old)


def test_a_removed_frame_recuts_only_the_neighbourhood():
    names = _frames()
    before = _cut(names)
    for gone in range(0, 400, 7):
        after = _cut([name for name in names if name[2] != gone])
        assert 1 <= _changed(before, after) <= 8, gone
    typical = sorted(_changed(before, _cut([n for n in names if n[2] != gone])) for gone in range(400))
    assert typical[200] <= 2  # half of all removals touch two shards of some thirty at most


def test_an_added_sequence_recuts_only_the_neighbourhood():
    names = [name for i in range(0, 40, 2) for name in _frames(sequence=f"s{i:02}", count=23)]
    before = _cut(names)
    after = _cut(names + _frames(sequence="s21", count=23))
    assert _changed(before, after) <= 6


def test_names_do_not_depend_on_other_shards():
    long, short = _cut(_frames(count=400)), _cut(_frames(count=200))
    assert [span.shard_id for span, _members in short[:-2]] == [
        span.shard_id for span, _members in long[: len(short) - 2]
    ]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.sampled_from(["train", "val"]), st.integers(1, 60)), min_size=1, max_size=6),
    max_frames=st.integers(1, 80),
)
def test_whole_sequences_are_never_cut_and_share_shards_within_the_limits(counts, max_frames):
    names = [name for i, (split, n) in enumerate(counts) for name in _frames(split, f"seq{i}", n)]
    shards = [members for _span, members in _cut(names, max_frames, whole_sequences=True)]
    assert [name for members in shards for name in members] == sorted(names)
    held = [{(split, sequence) for split, sequence, _frame in members} for members in shards]
    assert sum(map(len, held)) == len({name[:2] for name in names})
    for members, sequences in zip(shards, held, strict=True):
        assert len(members) <= max_frames or len(sequences) == 1
