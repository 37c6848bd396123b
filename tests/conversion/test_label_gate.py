"""The gate compares images with labels: a wrong label is found, named, and left out where the job enforces it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, jaccard_score

from sflow_pipeline.bundle import (
    Bundle,
    SegmenterScores,
    add_gate_thresholds,
    add_segmenter,
    build_random_bundle,
    load_bundle,
)
from sflow_pipeline.bundle.gate_calibration import measure_thresholds
from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.config.network_recipes import SegmenterRecipe
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.dataset.sample_dataset import open_dataset
from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.networks.segmenters.segmenter import Segmenter
from sflow_pipeline.report.dataset_page import write_report_page

SKY, ROAD, TREE, VOID = 0, 3, 5, 11
#: Class -> colour, and the colour's channel.
COLORS = {ROAD: (255, 0, 0), TREE: (0, 255, 0), SKY: (0, 0, 255)}


class Renders:
    """A model that gives renders back."""

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Translation:  # noqa: ARG002
        return Translation(render, np.zeros(render.shape[:3], np.uint8))


def build_color_segmenter() -> Segmenter:
    """A segmenter that takes red for road, green for tree and blue for sky, in cells of 4 px."""
    network = Segmenter(12, width=6).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for channel, label in enumerate(COLORS):
            network.head.weight[channel, 4 * channel : 4 * channel + 4, 1, 1] = 0.25
            network.head.bias[channel] = 1.0  # from [-1, 1] to [0, 2]
            network.down1.weight[channel, channel, 1, 1] = 1.0
            network.verdict.weight[label, channel, 0, 0] = 4.0
        network.verdict.bias.fill_(-20.0)
        for label in COLORS:
            network.verdict.bias[label] = 0.0
    return network


def build_blank_segmenter() -> Segmenter:
    """The colour segmenter, which takes white for void."""
    network = build_color_segmenter()
    with torch.no_grad():
        network.verdict.weight[VOID, :3, 0, 0] = 3.0
        network.verdict.bias[VOID] = -6.0
    return network


def draw_scene(seed: int) -> NDArray[np.uint8]:
    """(32, 48) classes: sky above, road below, a tree on the left that reaches into the sky."""
    rng = np.random.default_rng(seed)
    label_map = np.full((32, 48), SKY, np.uint8)
    label_map[20 + rng.integers(0, 3) :] = ROAD
    left, width = 2 + rng.integers(0, 4), 8 + rng.integers(0, 4)
    label_map[4:24, left : left + width] = TREE
    return label_map


def paint(label_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = np.zeros((*label_map.shape, 3), np.uint8)
    for label, color in COLORS.items():
        picture[label_map == label] = color
    return picture


def swap(label_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = np.arange(256, dtype=np.uint8)
    table[[SKY, ROAD]] = ROAD, SKY
    return table[label_map]


def write_scenes(root: Path, wrong: int | None) -> Path:
    """Eight frames; in frame ``wrong`` the label calls the sky road and the road sky."""
    for kind in ("rgb", "semantic"):
        (root / "town" / kind).mkdir(parents=True)
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    for frame in range(8):
        label_map = draw_scene(frame)
        cv2.imwrite(str(root / f"town/rgb/{frame:04}.png"), paint(label_map)[..., ::-1])
        stored = swap(label_map) if frame == wrong else label_map
        cv2.imwrite(str(root / f"town/semantic/{frame:04}.png"), stored)
    return root


@pytest.fixture
def color_bundle(tmp_path: Path) -> Bundle:
    """Random weights, the colour segmenter, and thresholds from scenes of other seeds."""
    scores = SegmenterScores(pixel_accuracy=0, miou=0, held_out_photos=0, images_seen=0)
    bundle = build_random_bundle(tmp_path / "colors", seed=3)
    bundle = add_segmenter(bundle, SegmenterRecipe(width=6), build_color_segmenter().state_dict(), scores)
    state = bundle.read_segmenter()
    assert state is not None
    labels = [draw_scene(seed) for seed in range(100, 140)]
    pairs = [(paint(label), label) for label in labels]
    return add_gate_thresholds(bundle, measure_thresholds(bundle, state, pairs, Device("cpu")))


@pytest.fixture
def convert_scenes(tmp_path: Path, color_bundle: Bundle, make_job: Callable[..., Any]) -> Callable[..., Any]:
    """Converts eight scenes, frame 5 with a wrong label, by a model that gives renders back."""
    sim = write_scenes(tmp_path / "scenes", wrong=5)

    def run(out: str = "converted", **fields: Any) -> Any:
        places = {"sim_dir": str(sim), "out_dir": str(tmp_path / out), "bundle": str(color_bundle.path)}
        return convert(make_job(**places, **fields), build_translator=Renders)

    return run


def test_a_wrong_label_is_left_out_and_named(tmp_path, convert_scenes, read_quarantine, read_dataset):
    summary = convert_scenes(gate="enforce", gate_retries=2)
    assert (summary.rows, summary.rejected, summary.status) == (7, 1, "quarantined")
    (row,) = read_quarantine(summary.out_dir)
    assert (row["sample_id"], row["reason"]) == ("town/0005", "rejected")
    assert "town/0005: variant 0 was not accepted in 3 attempts (below the bundle's thresholds: " in row["message"]
    assert "naming" in row["message"]
    scene = draw_scene(5)
    assert row["variant"] == 0
    assert (cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR_RGB) == paint(scene)).all()
    assert row["label"]["bytes"] == (tmp_path / "scenes/town/semantic/0005.png").read_bytes()
    page = write_report_page(summary.out_dir)
    shown = Path(page).read_text().partition("Left out</h2>")[2].partition("</section>")[0]
    assert [name in shown for name in ("rendered", "converted", "label")] == [True] * 3
    assert "weakest class: sky" in row["message"] or "weakest class: road" in row["message"]
    assert verify(summary.out_dir).problems == ()
    assert {row["attempts"] for row in read_dataset(summary.out_dir)} == {1}
    assert convert_scenes(gate="enforce", gate_retries=2).shards_converted == 0


def test_scores_alone_leave_every_row(convert_scenes, color_bundle):
    summary = convert_scenes()
    assert (summary.rows, summary.rejected, summary.status) == (8, 0, "clean")
    state = color_bundle.read_segmenter()
    network = Segmenter(12, width=6)
    network.load_state_dict(state)
    for number, sample in enumerate(open_dataset(summary.out_dir)):
        scores = sample.scores
        assert ("naming" in scores.failed_checks) == (number == 5)
        assert (scores.failed_checks == "") == (number != 5)
        unit = torch.from_numpy(sample.image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.inference_mode():
            found = network(unit)[0, :11].argmax(dim=0).numpy()
        truth, found = sample.label.ravel(), found.ravel()
        assert scores.pixel_accuracy == pytest.approx(accuracy_score(truth, found), abs=1e-6)
        iou = jaccard_score(truth, found, labels=np.unique(truth), average="macro")
        assert scores.miou == pytest.approx(iou, abs=1e-6)
        assert (scores.render_pixel_accuracy, scores.render_miou) == (scores.pixel_accuracy, scores.miou)
        assert (scores.pixel_accuracy < 0.5) == (number == 5)


class TreeEraser(Renders):
    """Gives renders back, the tree of scene 3 painted over as sky."""

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Translation:  # noqa: ARG002
        photo = render.copy()
        for picture, classes in zip(photo, class_index, strict=True):
            if (classes == draw_scene(3)).all():
                picture[classes == TREE] = COLORS[SKY]
        return Translation(photo, np.zeros(render.shape[:3], np.uint8))


def build_following_bundle(
    tmp_path: Path, color_bundle: Bundle, least: dict[str, float], segmenter: Segmenter | None = None
) -> Bundle:
    """A bundle whose generator is given the render's appearance, with these thresholds."""
    generator = {"width": 9, "blocks": 1, "use_palette": True, "use_appearance": True}
    recipe = color_bundle.recipe.model_dump() | {"name": "follows", "generator": generator}
    bundle = build_random_bundle(tmp_path / "follows", recipe=Recipe.model_validate(recipe))
    scores = SegmenterScores(pixel_accuracy=0, miou=0, held_out_photos=0, images_seen=0)
    segmenter = segmenter or build_color_segmenter()
    bundle = add_segmenter(bundle, SegmenterRecipe(width=6), segmenter.state_dict(), scores)
    assert color_bundle.metadata.gate is not None
    return add_gate_thresholds(bundle, color_bundle.metadata.gate.model_copy(update={"least": least}))


@pytest.mark.parametrize(("appearance", "failed"), [("full", [3]), (0.5, [])])
def test_an_object_of_the_render_that_the_image_lacks(tmp_path, color_bundle, make_job, appearance, failed):
    bundle = build_following_bundle(tmp_path, color_bundle, {"structure_kept": 0.5})
    job = make_job(
        sim_dir=str(write_scenes(tmp_path / "scenes", wrong=None)),
        out_dir=str(tmp_path / "out"),
        bundle=str(bundle.path),
        appearance=appearance,
    )
    summary = convert(job, build_translator=TreeEraser)
    found = [i for i, sample in enumerate(open_dataset(summary.out_dir)) if sample.scores.failed_checks]
    assert found == failed


class Repainter(Renders):
    """Gives renders back, one class of scene 3 painted over in one colour."""

    def __init__(self, label: int, color: tuple[int, int, int]) -> None:
        self._label, self._color = label, color

    def translate(self, class_index: Any, render: Any, alpha: Any, **_look: Any) -> Translation:  # noqa: ARG002
        photo = render.copy()
        for picture, classes in zip(photo, class_index, strict=True):
            if (classes == draw_scene(3)).all():
                picture[classes == self._label] = self._color
        return Translation(photo, np.zeros(render.shape[:3], np.uint8))


@pytest.mark.parametrize(("appearance", "failed"), [("full", [3]), (0.5, [3, 6])])
@pytest.mark.parametrize(
    ("least", "label", "color"), [({"blank": -0.5}, ROAD, (255, 255, 255)), ({"objects": -5.0}, TREE, COLORS[ROAD])]
)
def test_what_the_segmenter_says_of_the_render_too(
    tmp_path, color_bundle, make_job, appearance, failed, least, label, color
):
    """Scene 6 is rendered with a blank road, or with a tree that looks like a road, which its image may follow."""
    bundle = build_following_bundle(tmp_path, color_bundle, least, build_blank_segmenter())
    sim = write_scenes(tmp_path / "scenes", wrong=None)
    scene = draw_scene(6)
    cv2.imwrite(str(sim / "town/rgb/0006.png"), np.where((scene == label)[..., None], color, paint(scene))[..., ::-1])
    out = str(tmp_path / "out")
    job = make_job(sim_dir=str(sim), out_dir=out, bundle=str(bundle.path), appearance=appearance, variants=2)
    samples = open_dataset(convert(job, build_translator=partial(Repainter, label, color)).out_dir)
    found = sorted({int(sample.sample_id[-4:]) for sample in samples if sample.scores.failed_checks})
    assert found == failed


class Follower(Renders):
    """Gives back the picture that an image is to follow: of a variant the render in its colours."""

    def translate(self, class_index: Any, render: Any, alpha: Any, **look: Any) -> Translation:
        source = look.get("color_source")
        return super().translate(class_index, render if source is None else source, alpha)


def test_a_variant_in_other_colours_is_compared_with_what_it_was_made_from(tmp_path, color_bundle, make_job):
    follows = build_following_bundle(tmp_path, color_bundle, {"structure_kept": 0.9, "structure_alike": 0.9})
    job = make_job(
        sim_dir=str(write_scenes(tmp_path / "scenes", wrong=None)),
        out_dir=str(tmp_path / "out"),
        bundle=str(follows.path),
        appearance="full",
        variants=3,
    )
    summary = convert(job, build_translator=Follower)
    images = {sample.image.tobytes() for sample in open_dataset(summary.out_dir)}
    assert len(images) > 8  # variants do differ
    assert {sample.scores.failed_checks for sample in open_dataset(summary.out_dir)} == {""}


def test_gate_off_scores_edges_alone(convert_scenes):
    sample = open_dataset(convert_scenes(gate="off").out_dir)[5]
    assert sample.scores.edge_f1 is not None
    assert sample.scores.pixel_accuracy is None and sample.scores.failed_checks is None


@pytest.mark.parametrize("gate", ["score", "enforce"])
def test_the_same_bytes_for_any_batch_size(convert_scenes, snapshot, gate):
    taken = [snapshot(convert_scenes(f"out{size}", gate=gate, batch_size=size, variants=2).out_dir) for size in (1, 3)]
    assert taken[0] == taken[1]


def test_other_thresholds_convert_again_and_other_modes_too(convert_scenes, color_bundle):
    convert_scenes(gate="score")
    assert convert_scenes(gate="score").shards_converted == 0
    gate = color_bundle.metadata.gate
    assert gate is not None
    add_gate_thresholds(color_bundle, gate.model_copy(update={"least": {"miou": 0.0}}))
    summary = convert_scenes(gate="score")
    assert summary.shards_converted == 2
    assert all(sample.scores.failed_checks == "" for sample in open_dataset(summary.out_dir))
    assert convert_scenes(gate="off").shards_converted == 2


def test_bundles_that_cannot_judge_say_so(make_job, color_bundle, read_dataset):
    with pytest.raises(UsageError, match="gate enforce: bundle random has no segmenter") as caught:
        convert(make_job(gate="enforce"))
    assert caught.value.hint == "convert with --gate score, or add it to the bundle with train --only segmenter"
    summary = convert(make_job())
    assert summary.warnings == ("bundle random has no segmenter: agreement with the labels is not scored",)
    assert {row["miou"] for row in read_dataset(summary.out_dir)} == {None}
    assert convert(make_job(gate="off")).warnings == ()
    gate = color_bundle.metadata.gate
    assert gate is not None
    before = {"least": {"place": 0.5, "miou": 0.9}, "checks": {"place": [0.2, 0.1], "mirror": [1.0, 0.5]}}
    outdated = add_gate_thresholds(color_bundle, gate.model_copy(update=before))
    summary = convert(make_job(bundle=str(outdated.path), out_dir=str(color_bundle.path.parent / "outdated")))
    (warning,) = summary.warnings
    assert "checks that are no longer made (place)" in warning
    assert {row["failed_checks"] for row in read_dataset(summary.out_dir)} <= {"", "miou"}
    add_gate_thresholds(color_bundle, None)
    with pytest.raises(UsageError, match="has no gate thresholds"):
        convert(make_job(gate="enforce", bundle=str(color_bundle.path)))
    assert load_bundle(color_bundle.path).digest == color_bundle.digest  # nothing that paints was touched
