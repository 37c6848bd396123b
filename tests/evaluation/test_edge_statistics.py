"""Edge statistics of drawings whose density and direction are known, and of genuine photos."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.measures.edge_statistics import (
    DENSITY_BOUNDS,
    ORIENTATION_BINS,
    compute_edge_statistics,
    compute_total_variation,
    count_orientations,
)
from sflow_pipeline.evaluation.results.markdown import draw_markdown
from sflow_pipeline.networks.edges.picture_edges import detect_edges

Write = Callable[..., Path]


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 60, 90, 120, 135, 165])
def test_line_is_counted_in_the_bin_of_its_direction(degrees: int) -> None:
    canvas = np.zeros((200, 200), np.uint8)
    along = np.deg2rad(degrees)
    dx, dy = 80 * np.cos(along), -80 * np.sin(along)  # rows point down
    ends = [(round(100 - dx), round(100 - dy)), (round(100 + dx), round(100 + dy))]
    cv2.line(canvas, ends[0], ends[1], 255, 1)
    counts = count_orientations(canvas > 0)
    assert counts.sum() == (canvas > 0).sum()
    assert counts.argmax() == degrees // 15
    assert counts.max() > 0.8 * counts.sum()


def test_density_counts_pixels_and_squares() -> None:
    """The left half of a picture is a tenth edges, the right half is empty."""
    edges = np.zeros((64, 128), bool)
    edges[:, :64:10] = True
    found = compute_edge_statistics([edges, edges])
    assert found.n == 2
    assert found.density == pytest.approx(edges.mean())
    shares = [edges[:32, left : left + 32].mean() for left in range(0, 128, 32)]
    assert found.density_histogram == pytest.approx(np.histogram(shares, DENSITY_BOUNDS)[0] / 4)
    assert sum(found.orientation_histogram) == pytest.approx(1.0)
    assert found.orientation_histogram[ORIENTATION_BINS // 2] == pytest.approx(1.0)


def test_picture_without_an_edge_has_no_direction() -> None:
    found = compute_edge_statistics([np.zeros((40, 40), bool)])
    assert (found.density, sum(found.orientation_histogram), found.density_histogram[0]) == (0.0, 0.0, 1.0)


def test_pictures_must_be_there_and_be_large_enough() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compute_edge_statistics([])
    with pytest.raises(ValueError, match="at least 32x32"):
        compute_edge_statistics([np.zeros((20, 40), bool)])


def test_total_variation_is_a_distance() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.dirichlet(np.ones(8), 3)
    assert compute_total_variation(a, a) == 0.0
    assert compute_total_variation(a, b) == compute_total_variation(b, a)
    assert compute_total_variation(a, c) <= compute_total_variation(a, b) + compute_total_variation(b, c)
    assert compute_total_variation((1, 0), (0, 1)) == 1.0


def test_simulator_dned_and_photos_stand_beside_the_real_ones(
    tmp_path: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real", 4, seed=9)
    out = write_dataset(write_photos(tmp_path / "sim", 4, seed=9), tmp_path / "out")
    found = evaluate(EvaluationSettings((str(out),), str(real), edges=True)).edges["sets"]
    assert list(found) == ["out: simulator's edges", "out: DNED's edges", "out", "real photos (oracle)"]
    same = found["out: simulator's edges"]  # the dump is the real photos, here
    assert (same["density_tv"], same["orientation_tv"]) == (0.0, 0.0)
    dned = found["out: DNED's edges"]  # upright lines only
    assert dned["orientation_histogram"][6] == pytest.approx(1.0, abs=0.01)
    assert dned["orientation_tv"] > 0.3


def test_dataset_without_the_edge_column_says_so(tmp_path: Path, write_photos: Write, write_dataset: Write) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out", include="render")
    found = evaluate(EvaluationSettings((str(out),), str(real), edges=True)).edges
    assert "out: DNED's edges" not in found["sets"]
    assert "no column edge" in found["notes"][0]


def test_pictures_without_an_edge_get_a_dash(tmp_path: Path, write_photos: Write, write_dataset: Write) -> None:
    real, sim = write_photos(tmp_path / "real"), write_photos(tmp_path / "sim")
    for number, path in enumerate(sorted(sim.rglob("rgb/*.png"))):
        # One colour throughout would be set aside, and so would the same picture in every frame.
        smooth = np.linspace(70 + number, 110 + number, 64).astype(np.uint8)[None, :, None]
        cv2.imwrite(str(path), np.broadcast_to(smooth, (48, 64, 3)))
    found = evaluate(EvaluationSettings((str(write_dataset(sim, tmp_path / "out")),), str(real), edges=True))
    assert found.edges["sets"]["out: simulator's edges"]["orientation_tv"] is None
    (row,) = [line for line in draw_markdown(found).splitlines() if "out: simulator's edges" in line]
    assert row.split("|")[-2].strip() == "-"


def test_small_pictures_are_named(tmp_path: Path, write_photos: Write, write_dataset: Write) -> None:
    sim = write_photos(tmp_path / "sim")
    out = write_dataset(sim, tmp_path / "out", size="32x24")
    with pytest.raises(UsageError, match=r"--edges: out: edge map .*expected at least 32x32"):
        evaluate(EvaluationSettings((str(out),), str(sim), edges=True))


def test_edges_need_a_dataset_that_names_the_threshold(tmp_path: Path, write_photos: Write) -> None:
    real = write_photos(tmp_path / "real")
    with pytest.raises(UsageError, match="no converted dataset"):
        evaluate(EvaluationSettings((), str(real), edges=True))


def test_streets_have_upright_edges(shared_data: Path) -> None:
    """Genuine photos: walls, poles and trunks make upright the commonest direction by far."""
    files = sorted((shared_data / "camvid" / "CamVid" / "val").glob("*.png"))[::25]
    photos = (np.ascontiguousarray(cv2.imread(str(file))[..., ::-1]) for file in files)
    found = compute_edge_statistics(detect_edges(photo, 0.05) for photo in photos)
    assert 0.05 < found.density < 0.25
    assert np.argmax(found.orientation_histogram) == ORIENTATION_BINS // 2
    assert max(found.orientation_histogram) > 1.4 / ORIENTATION_BINS
