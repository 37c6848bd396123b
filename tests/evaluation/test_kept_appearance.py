"""What is kept of rendered frames: colours, vehicles' hues and road markings, in a street of a few rectangles."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.results.scores import TableRow

Write = Callable[..., Path]
Change = Callable[[np.ndarray], np.ndarray]
#: CARLA's tags from 0.9.14.
SKY, ROAD, LINE, CAR = 11, 1, 24, 14
RED_CAR, BLUE_CAR = np.s_[80:120, 40:120], np.s_[80:120, 200:280]
MARKING = np.s_[130:150, 150:160]


def write_street(root: Path, frames: int = 3, change: Change = lambda picture: picture) -> Path:
    """Frames of 320x180 px: blue sky, grey road, a white marking, a red car, a blue one and a grey one."""
    label_map = np.full((180, 320), ROAD, np.uint8)
    label_map[:70] = SKY
    label_map[MARKING] = LINE
    picture = np.full((180, 320, 3), (90, 90, 90), np.uint8)
    picture[:70] = (120, 160, 220)
    picture[MARKING] = (230, 230, 230)
    for place, color in ((RED_CAR, (170, 30, 30)), (BLUE_CAR, (30, 40, 160)), (np.s_[80:120, 140:180], (70, 70, 70))):
        label_map[place], picture[place] = CAR, color
    for frame in range(frames):
        for kind, pixels in (("rgb", change(picture.copy())[..., ::-1]), ("semantic", label_map)):
            path = root / "s" / kind / f"{frame:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    (root / "dataset.yaml").write_text("label_space: carla-0.9.14\n")
    return root


def measure(pictures: Path, rendered: Path, real: Path, extractor: Path) -> TableRow:
    spec = load_network_spec(extractor, what="extractor")
    return evaluate(EvaluationSettings((str(pictures),), str(real), extractor=spec, rendered=str(rendered))).rows[0]


@pytest.fixture
def kept(tmp_path: Path, extractor_file: Path, write_photos: Write) -> Callable[..., TableRow]:
    def compare(change: Change) -> TableRow:
        sim = write_street(tmp_path / "sim")
        return measure(
            write_street(tmp_path / "out", change=change), sim, write_photos(tmp_path / "real"), extractor_file
        )

    return compare


def turn_hue(place: tuple[slice, slice], degrees: int) -> Change:
    def change(picture: np.ndarray) -> np.ndarray:
        hsv = cv2.cvtColor(picture[place], cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180
        picture[place] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        return picture

    return change


def test_frames_left_as_they_are_keep_everything(kept: Callable[..., TableRow]) -> None:
    scores = kept(lambda picture: picture).scores
    for name in ("chroma_correlation", "vehicle_hue", "marking_contrast"):
        assert scores[name].value == pytest.approx(1.0), name
        assert scores[name].interval == pytest.approx((1.0, 1.0)), name
    assert scores["vehicle_hue"].note == "6 coloured surfaces of vehicles"


def test_a_car_of_another_hue_counts_as_lost(kept: Callable[..., TableRow]) -> None:
    assert kept(turn_hue(RED_CAR, 120)).scores["vehicle_hue"].value == pytest.approx(0.5)


def test_a_car_of_nearly_the_same_hue_is_kept(kept: Callable[..., TableRow]) -> None:
    assert kept(turn_hue(RED_CAR, 10)).scores["vehicle_hue"].value == 1.0


def test_the_own_vehicle_does_not_count(tmp_path: Path, extractor_file: Path, write_photos: Write) -> None:
    """An orange bonnet over the whole bottom, painted blue."""

    def paint_bonnet(color: tuple[int, int, int]) -> Change:
        def change(picture: np.ndarray) -> np.ndarray:
            picture[160:] = color
            return picture

        return change

    roots = [
        write_street(tmp_path / name, change=paint_bonnet(color))
        for name, color in (("out", (30, 40, 160)), ("sim", (200, 120, 20)))
    ]
    for path in (label for root in roots for label in root.rglob("semantic/*.png")):
        label_map = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        label_map[160:] = CAR
        cv2.imwrite(str(path), label_map)
    score = measure(*roots, write_photos(tmp_path / "real"), extractor_file).scores["vehicle_hue"]
    assert (score.value, score.note) == (1.0, "6 coloured surfaces of vehicles")


def test_grey_images_keep_no_colour_but_their_markings(kept: Callable[..., TableRow]) -> None:
    scores = kept(lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)).scores
    assert scores["chroma_correlation"].value == pytest.approx(0.0, abs=1e-6)
    assert scores["vehicle_hue"].value == 0.0
    assert scores["marking_contrast"].value == pytest.approx(1.0, abs=0.01)


def test_exchanged_colours_are_worse_than_grey(kept: Callable[..., TableRow]) -> None:
    value = kept(lambda picture: picture[..., ::-1]).scores["chroma_correlation"].value
    assert value is not None and value < -0.3


def test_fainter_markings_are_measured_in_lightness(kept: Callable[..., TableRow]) -> None:
    """(L of 160 less L of 90) over (L of 230 less L of 90), by the definition of CIE L*."""

    def lightness(value: int) -> float:
        linear = ((value / 255 + 0.055) / 1.055) ** 2.4
        return float(116 * np.cbrt(linear) - 16)

    def fade(picture: np.ndarray) -> np.ndarray:
        picture[MARKING] = 160
        return picture

    expected = (lightness(160) - lightness(90)) / (lightness(230) - lightness(90))
    assert kept(fade).scores["marking_contrast"].value == pytest.approx(expected, abs=0.01)


def test_darker_markings_have_a_negative_contrast(kept: Callable[..., TableRow]) -> None:
    def darken(picture: np.ndarray) -> np.ndarray:
        picture[MARKING] = 20
        return picture

    value = kept(darken).scores["marking_contrast"].value
    assert value is not None and value < -0.3


def test_grey_rendered_frames_have_no_colours_to_keep(
    tmp_path: Path, extractor_file: Path, write_photos: Write
) -> None:
    sim = write_street(tmp_path / "sim", change=lambda picture: np.full_like(picture, 90))
    row = measure(write_street(tmp_path / "out"), sim, write_photos(tmp_path / "real"), extractor_file)
    notes = {name: row.scores[name].note for name in ("chroma_correlation", "vehicle_hue", "marking_contrast")}
    assert {row.scores[name].value for name in notes} == {None}
    assert notes == {
        "chroma_correlation": "no rendered frame has colours",
        "vehicle_hue": "no vehicle with a coloured surface",
        "marking_contrast": "no road marking is brighter than the road beside it",
    }


def test_labels_without_markings_have_no_column_for_them(
    tmp_path: Path, extractor_file: Path, write_photos: Write
) -> None:
    sim = write_photos(tmp_path / "sim")
    row = measure(write_photos(tmp_path / "out"), sim, write_photos(tmp_path / "real"), extractor_file)
    assert "marking_contrast" not in row.scores
    assert row.scores["chroma_correlation"].value == pytest.approx(1.0)
