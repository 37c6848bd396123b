"""Realism gain and recognition in a small world, and on genuine frames."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.measures.realism_gain import cut_crops
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.results.markdown import draw_markdown
from sflow_pipeline.evaluation.results.scores import TableRow

Write = Callable[..., Path]


def run(paths: list[Path], reference: Path, **networks: object) -> TableRow:
    specs = {
        name: load_network_spec(networks.pop(name), what=name)  # type: ignore[arg-type]
        for name in ("judge", "extractor")
        if name in networks
    }
    return evaluate(EvaluationSettings(tuple(map(str, paths)), str(reference), **specs, **networks)).rows[0]  # type: ignore[arg-type]


def tint(dump: Path, gain: tuple[float, float, float]) -> None:
    """Change the colours of a dump's pictures."""
    for path in dump.rglob("rgb/*.png"):
        picture = np.asarray(cv2.imread(str(path)), np.float32) * gain
        cv2.imwrite(str(path), picture.clip(0, 255).astype(np.uint8))


def test_crops_are_pieces_of_the_resized_frame_in_reach_of_every_corner() -> None:
    ramp = np.zeros((432, 768, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(768) // 4, np.arange(432)[:, None] // 2
    crops = cut_crops(ramp, "s/000", 400)
    assert crops.shape == (400, 192, 192, 3)
    lefts, tops = crops[:, 0, 0, 0] * 4.0, crops[:, 0, 0, 1] * 2.0
    assert (lefts.min() < 30, lefts.max() > 540, tops.min() < 12, tops.max() > 225) == (True,) * 4
    assert np.array_equal(crops[:5], cut_crops(ramp, "s/000", 5))
    assert not np.array_equal(crops[:5], cut_crops(ramp, "s/001", 5))
    assert cut_crops(np.zeros((10, 400, 3), np.uint8), "wide", 1).shape == (1, 192, 192, 3)


def test_gain_follows_from_mean_colours_of_crops(
    tmp_path: Path, extractor_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    """Rendered frames are tinted, converted ones painted true; every number again from the crops by hand."""
    real, sim = write_photos(tmp_path / "real", 20, seed=1), write_photos(tmp_path / "sim", 6, seed=2)
    tint(sim, (0.4, 0.7, 1.2))
    out = write_dataset(sim, tmp_path / "out", variants=2)
    score = run([out], real, extractor=extractor_file).scores["realism_gain"]

    def mean_colors(root: Path, crops: int) -> np.ndarray:
        found = []
        for path in sorted(root.rglob("rgb/*.png")):
            picture = cv2.imread(str(path))[..., ::-1]
            found.append(cut_crops(np.ascontiguousarray(picture), f"s/{path.stem}", crops).mean(axis=(1, 2)))
        return np.concatenate(found)

    def mmd2(x: np.ndarray, y: np.ndarray) -> float:
        xx, yy = polynomial_kernel(x), polynomial_kernel(y)
        means = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
        return float(sum(means) - 2 * polynomial_kernel(x, y).mean())

    assert score.details["crops_converted"] == score.details["crops_rendered"] == 6 * 32
    assert score.details["kernel_rendered"] == pytest.approx(
        mmd2(mean_colors(sim, 32), mean_colors(real, 32)), rel=1e-3
    )
    assert score.value is not None and score.interval is not None
    assert score.value < 0.2 and score.interval[0] < score.value < score.interval[1]


def test_rendered_frames_come_from_the_column_the_dump_or_the_flag(
    tmp_path: Path, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    """Half of the rendered pixels have another class's colour, the converted ones are all right."""
    real, sim = write_photos(tmp_path / "real"), write_photos(tmp_path / "sim", 4, wrong=0.5)
    with_column = write_dataset(sim, tmp_path / "a", include="render")
    without = write_dataset(sim, tmp_path / "b", include="edge", variants=2)
    first, second = (run([out], real, judge=judge_file) for out in (with_column, without))
    spec = load_network_spec(judge_file, what="judge")
    shown = evaluate(EvaluationSettings((str(with_column),), str(real), judge=spec, renders=True)).rows
    assert [row.name for row in shown[:2]] == ["a (rendered)", "a"]
    assert "recognition_miou" not in shown[0].scores
    assert shown[1].scores["recognition_miou"] == first.scores["recognition_miou"]
    gain, accuracy = (first.scores[f"recognition_{name}"].value for name in ("miou", "pixel_accuracy"))
    assert accuracy == pytest.approx(0.5, abs=0.1) and gain is not None and gain > 0.5
    assert second.scores["recognition_miou"].value == pytest.approx(gain)
    sim.rename(tmp_path / "moved")
    lost = run([without], real, judge=judge_file).scores["recognition_miou"]
    assert lost.value is None and "--rendered" in lost.note
    found = run([without], real, judge=judge_file, rendered=str(tmp_path / "moved")).scores["recognition_miou"]
    assert found.value == pytest.approx(gain)
    other = write_photos(tmp_path / "other", 2)
    (other / "s").rename(other / "t")
    with pytest.raises(UsageError, match=r"4 of 4 frames are not in it, first s/000"):
        run([without], real, judge=judge_file, rendered=str(other))


def test_pictures_of_another_tool_are_compared_with_their_dump(
    tmp_path: Path, judge_file: Path, write_photos: Write
) -> None:
    real, sim = write_photos(tmp_path / "real"), write_photos(tmp_path / "sim", 4, wrong=0.2)
    peer = write_photos(tmp_path / "peer", 4)
    tint(peer, (0.0, 1.0, 1.0))
    assert "recognition_miou" not in run([peer], real, judge=judge_file).scores
    found = evaluate(
        EvaluationSettings(
            (str(peer),), str(real), judge=load_network_spec(judge_file, what="judge"), rendered=str(sim)
        )
    )
    score = found.rows[0].scores["recognition_miou"]
    assert score.value is not None and score.value < 0
    falling = score.details["falling_classes"]
    assert falling and all(before - after > 0.03 for before, after in falling.values())
    assert f"classes that fall by more than 0.03: {next(iter(falling))}" in draw_markdown(found)


def test_too_few_pictures_are_told_how_many_are_needed(
    tmp_path: Path, extractor_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real, sim = write_photos(tmp_path / "real", 4), write_photos(tmp_path / "sim", 1)
    score = run([write_dataset(sim, tmp_path / "out")], real, extractor=extractor_file).scores["realism_gain"]
    assert (score.value, score.note) == (None, "1 frames and 4 photos: at least 2 and 20 are needed")
