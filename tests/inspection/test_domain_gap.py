"""``inspect --against``: distances by hand, advice that follows from them, the same on terminal, page and in JSON."""

import json
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from sflow_pipeline.cli.app import app
from sflow_pipeline.errors import DumpError
from sflow_pipeline.inspection.domain_gap import DomainGap, compare_with_photos
from sflow_pipeline.inspection.gap_advice import advise

ROAD, SKY, CAR = 3, 0, 8
SIZE = (64, 128)


def write(root: Path, count: int, label: NDArray[np.uint8], *, seed: int = 0, blur: float = 0.0) -> Path:
    """Frames of one label; their pictures are noise on the label's grey, blurred or not."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        grey = 60 + 15 * label[..., None].astype(float)
        picture = (grey + rng.normal(0, 20, (*label.shape, 3))).clip(0, 255).astype(np.uint8)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        for folder, pixels in (("rgb", picture), ("semantic", label)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(root / folder / f"{index:03}.png"), pixels)
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    return root


def halves(top: int, bottom: int) -> NDArray[np.uint8]:
    return np.repeat(np.array([top, bottom], np.uint8), SIZE[0] // 2)[:, None].repeat(SIZE[1], axis=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write(tmp_path / "photos", 4, halves(SKY, ROAD))


def compare(sim: Path, photos: Path, bundle: Path) -> DomainGap:
    return compare_with_photos(sim, photos, bundle=str(bundle), device="cpu")


def test_distances_are_those_counted_by_hand(tmp_path: Path, photos: Path, random_bundle: Path) -> None:
    label = halves(SKY, ROAD)
    label[SIZE[0] // 2 :, : SIZE[1] // 2] = CAR
    gap = compare(write(tmp_path / "sim", 3, label, seed=1), photos, random_bundle)
    assert (gap.frames, gap.photos, gap.width_px, gap.label_space) == (3, 4, 128, "camvid11")
    shares = {item.name: (item.frames_share, item.photos_share) for item in gap.classes}
    assert shares["sky"] == pytest.approx((0.5, 0.5))
    assert shares["road"] == pytest.approx((0.25, 0.5)) and shares["car"] == pytest.approx((0.25, 0.0))
    # A quarter of the pixels is another class: of all cells a quarter, each wholly.
    assert (gap.class_distance.value, gap.layout_distance.value) == pytest.approx((0.25, 0.25))
    assert (gap.class_distance.by_chance, gap.layout_distance.by_chance) == pytest.approx((0.0, 0.0))
    assert gap.class_distance.is_large and gap.layout_distance.is_large
    assert gap.frames_miou is None and "has no segmenter" in gap.judge_note
    (risk,) = [text for text in advise(gap).risks if text.startswith("car")]
    assert "25.00% of the frames, 0.00% of the photos" in risk


def test_a_dump_like_the_photos_needs_little(tmp_path: Path, photos: Path, random_bundle: Path) -> None:
    gap = compare(write(tmp_path / "sim", 4, halves(SKY, ROAD), seed=1), photos, random_bundle)
    assert not gap.color_distance.is_large and not gap.edge_density_distance.is_large
    assert gap.sharpness[0] / gap.sharpness[1] == pytest.approx(1.0, abs=0.05)
    advice = advise(gap)
    assert advice.outlook.startswith("conversion has little to change") and advice.appearance == "full"
    assert "--appearance palette" in advice.for_training
    assert advice.risks == ()


def test_damaged_frames_are_left_out(tmp_path: Path, photos: Path, random_bundle: Path) -> None:
    sim = write(tmp_path / "sim", 3, halves(SKY, ROAD))
    (sim / "rgb" / "000.png").write_bytes(b"no picture")
    assert compare(sim, photos, random_bundle).frames == 2


def test_blurred_and_blank_frames_are_told_apart(tmp_path: Path, photos: Path, random_bundle: Path) -> None:
    soft = compare(write(tmp_path / "soft", 4, halves(SKY, ROAD), blur=2.0), photos, random_bundle)
    assert soft.sharpness[0] < 0.5 * soft.sharpness[1]
    assert advise(soft).appearance in ("fine", "coarse") and "sharpness" in advise(soft).outlook
    blank = write(tmp_path / "blank", 4, halves(SKY, ROAD))
    for path in (blank / "rgb").iterdir():
        cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint8))
    gap = compare(blank, photos, random_bundle)
    assert gap.blank_frames == 4
    assert advise(gap).appearance == "palette" and "check the dump's RGB camera" in advise(gap).outlook
    assert advise(gap).for_training.startswith("no second conversion")


def test_recognition_is_that_of_the_bundle_s_segmenter(tmp_path: Path, photos: Path) -> None:
    gap = compare_with_photos(write(tmp_path / "sim", 2, halves(SKY, ROAD), seed=1), photos, device="cpu")
    assert gap.frames_miou is not None and gap.photos_miou is not None
    assert gap.frames_miou == pytest.approx(gap.photos_miou, abs=0.1)  # noise in both
    assert all(item.frames_recall is None for item in gap.classes if item.name == "car")


def test_terminal_page_and_json_say_the_same(tmp_path: Path, photos: Path, random_bundle: Path) -> None:
    sim, page = write(tmp_path / "sim", 3, halves(CAR, ROAD), seed=1), tmp_path / "page.html"
    arguments = ["inspect", str(sim), "--against", str(photos), "--bundle", str(random_bundle)]
    wide = {"COLUMNS": "400"}
    printed = CliRunner(env=wide).invoke(app, [*arguments, "--html", str(page)])
    assert printed.exit_code == 0, printed.output
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["against"]
    text = unescape(page.read_text())
    advice = found["advice"]
    for line in (
        advice["outlook"],
        advice["why_appearance"],
        advice["for_training"],
        *advice["risks"],
        *(fact for _, fact in found["facts"]),
    ):
        assert line in text
        assert line in printed.output
    assert f"--appearance {advice['appearance']}" in text


@pytest.mark.parametrize(("photos_count", "said"), [(0, "no"), (1, "1 photo that can be read, at least 2 are needed")])
def test_photos_that_say_nothing_are_refused(tmp_path: Path, random_bundle: Path, photos_count: int, said: str) -> None:
    sim = write(tmp_path / "sim", 2, halves(SKY, ROAD))
    real = write(tmp_path / "real", photos_count, halves(SKY, ROAD)) if photos_count else tmp_path / "real"
    real.mkdir(exist_ok=True)
    with pytest.raises(DumpError) as caught:
        compare(sim, real, random_bundle)
    assert said in caught.value.message and caught.value.hint
