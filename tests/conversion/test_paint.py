"""Painting: the same bytes in any batch, one bad frame costs itself, and what the gate refuses is tried again."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translation, Translator
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.gate.gate import Judgement
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.painting.look import draw_look
from sflow_pipeline.conversion.painting.paint import Painted, Painter
from sflow_pipeline.conversion.verify import verify


class Echo:
    """A model that gives renders back, edges nowhere, and remembers the shapes that it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Translation:
        assert len(class_index) == len(render) == len(alpha)
        self.shapes.append(render.shape)
        if (render[:, 0, 0] == 0).all(axis=1).any():
            raise RuntimeError("a black corner")
        return Translation(render, np.zeros(render.shape[:3], np.uint8))


class Refusal:
    """A gate that refuses images of some frames in their first attempts."""

    retries = 2

    def __init__(self, refused: dict[str, int]) -> None:
        self._left = dict(refused)

    def judge(self, frames: Any, translation: Translation, _followed: Any = None) -> list[Judgement]:
        assert len(frames) == len(translation.photo)
        judgements = []
        for frame in frames:
            left = self._left.get(frame.ref.sample_id, 0)
            self._left[frame.ref.sample_id] = left - 1
            judgements.append(Judgement({"edge_f1": 0.25}, is_accepted=left <= 0))
        return judgements


def make_frame(sample_id: str, corner: int = 9) -> Any:
    render = np.full((16, 24, 3), 9, np.uint8)
    render[0, 0] = corner
    ref = SimpleNamespace(sample_id=sample_id, sequence_id=sample_id.partition("/")[0])
    return SimpleNamespace(ref=ref, render=render, class_index=np.zeros((16, 24), np.uint8), instance_map=None)


def test_the_same_bytes_for_any_batch_size(dump, make_job, snapshot, tmp_path):
    dump.add_frame("town02", 3, size_px=(64, 40))
    dump.write("town01/rgb/0002.png", b"broken")
    taken = {}
    for batch_size in (1, 2, 5):
        job = make_job(
            out_dir=str(tmp_path / f"out{batch_size}"), batch_size=batch_size, variants=2, shard_frames=12,
            max_bad_fraction=0.5,
        )  # fmt: skip
        assert convert(job).rows == 22
        taken[batch_size] = snapshot(job.out_dir)
    assert taken[1] == taken[2] == taken[5]


def test_on_a_cpu_an_image_does_not_depend_on_its_batch():
    translator = Translator(load_bundle("sflow"), "cpu", "fp32")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, translator.classes, (5, 16, 32)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    renders = rng.integers(0, 256, (5, 128, 256, 3), np.uint8)  # smaller ones have the same kernels in any batch
    alphas = rng.dirichlet(np.ones(5), 5).astype(np.float32)
    whole = translator.translate(classes, renders, alphas, palette=np.arange(5))
    for i in range(5):
        one = slice(i, i + 1)
        alone = translator.translate(classes[one], renders[one], alphas[one], palette=np.arange(5)[one])
        np.testing.assert_array_equal(whole.photo[i], alone.photo[0])
        np.testing.assert_array_equal(whole.edge[i], alone.edge[0])


def test_on_a_gpu_the_batch_size_counts_and_every_batch_has_the_same_shape(make_job):
    settings = replace(resolve_job(make_job()).settings, device="cuda", batch_size=4)
    fingerprints = {replace(settings, batch_size=size).fingerprint for size in (4, 8)}
    assert len(fingerprints) == 2
    assert len({replace(settings, device="cpu", batch_size=size).fingerprint for size in (4, 8)}) == 1
    echo = Echo()
    painter = Painter(echo, Refusal({"a/2": 1}), settings)
    painted = painter.paint([make_frame(f"a/{i}", corner=20 + i) for i in range(3)], 0)
    assert echo.shapes == [(4, 16, 24, 3)] * 2
    assert [image.photo[0, 0, 0] for image in painted if isinstance(image, Painted)] == [20, 21, 22]


def test_one_bad_frame_in_a_batch_costs_itself(make_job):
    settings = replace(resolve_job(make_job()).settings, batch_size=3)
    painted = Painter(Echo(), Refusal({}), settings).paint(
        [make_frame("a/0"), make_frame("a/1", 0), make_frame("a/2")], 0
    )
    assert [type(result) for result in painted] == [Painted, RuntimeError, Painted]


def test_refused_images_are_painted_again_and_then_left_out(make_job, read_dataset, read_quarantine):
    refused = {"town01/0001": 1, "town01/0002": 3, "town02/0004": 9}
    job = make_job(variants=2, batch_size=4)
    summary = convert(job, build_gate=lambda: Refusal(refused))
    rows = {(row["sample_id"], row["variant"]): row for row in read_dataset(job.out_dir)}
    missing = {("town01/0002", 0), ("town02/0004", 0), ("town02/0004", 1)}
    assert {(f"town0{s}/{i:04}", v) for s in (1, 2) for i in range(6) for v in (0, 1)} - rows.keys() == missing
    assert (summary.rows, summary.rejected, summary.quarantined, summary.status) == (21, 3, 0, "quarantined")
    # A second attempt has another look than its neighbours; everything else has theirs.
    settings = resolve_job(job).settings
    looks = {key: row["alpha"] for key, row in rows.items()}
    assert looks["town01/0000", 0] == pytest.approx(draw_look("town01", 0, 0, settings).alpha.tolist())
    assert looks["town01/0001", 0] == pytest.approx(draw_look("town01", 0, 1, settings).alpha.tolist())
    assert looks["town01/0001", 1] == looks["town01/0000", 1]
    assert [rows["town01/0001", variant]["attempts"] for variant in (0, 1)] == [2, 1]
    left_out = read_quarantine(job.out_dir)
    assert {row["reason"] for row in left_out} == {"rejected"}
    assert sorted(row["sample_id"] for row in left_out) == ["town01/0002", "town02/0004", "town02/0004"]
    assert "variant 0 was not accepted in 3 attempts (edge_f1 0.250)" in left_out[0]["message"]
    assert verify(job.out_dir).problems == ()
    assert convert(job, build_gate=lambda: Refusal(refused)).shards_converted == 0


def test_no_two_attempts_of_a_frame_share_a_look(make_job):
    settings = replace(resolve_job(make_job(variants=3, alpha="crisp,soft")).settings, palettes=64)
    looks = [draw_look("town01", variant, attempt, settings) for variant in range(3) for attempt in range(4)]
    assert len({(tuple(look.alpha), look.palette) for look in looks}) == len({look.palette for look in looks}) == 12
    again = draw_look("town01", 2, 3, settings)
    assert (again.alpha == looks[-1].alpha).all() and again.palette == looks[-1].palette
