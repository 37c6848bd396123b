"""``Bundle.paint``: NumPy frames in, converted images out; what it refuses and why."""

from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sflow_pipeline import LabelSpaceError, SflowError, UsageError, load_bundle, load_label_space
from sflow_pipeline.bundle import Bundle, build_random_bundle
from sflow_pipeline.bundle.array_painter import ArrayPainter
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.recipe import Recipe

CAMVID = load_label_space("camvid11")
CITYSCAPES = load_label_space("cityscapes34")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return build_random_bundle(tmp_path_factory.mktemp("bundle") / "random", seed=3)


@pytest.fixture
def frames() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Three renders and label maps in the bundle's own ids, 24x32."""
    rng = np.random.default_rng(5)
    render = rng.integers(0, 256, (3, 24, 32, 3), np.uint8)
    ids = np.array([item.id for item in CAMVID.classes], np.uint8)
    return render, rng.choice(ids, (3, 24, 32))


def paint(bundle: Bundle, render: Any, label_map: Any, **options: Any) -> NDArray[np.uint8]:
    return bundle.paint(render, label_map, **{"device": "cpu", "precision": "fp32", **options})


def test_a_frame_is_painted_as_the_translator_paints_it(bundle: Bundle, frames: tuple[Any, Any]) -> None:
    render, label_map = frames
    class_index = np.vectorize(CAMVID.channel_of)(label_map).astype(np.uint8)
    alpha = np.full((1, 5), 0.2, np.float32)
    expected = Translator(bundle, "cpu", "fp32").translate(class_index[:1], render[:1], alpha).photo[0]
    painted = paint(bundle, render[0], label_map[0])
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, expected)


def test_many_frames_are_painted_like_each_alone(bundle: Bundle, frames: tuple[Any, Any]) -> None:
    render, label_map = frames
    painted = paint(bundle, render, label_map)
    assert painted.shape == render.shape
    for frame in range(3):
        np.testing.assert_array_equal(painted[frame], paint(bundle, render[frame], label_map[frame]))


def test_labels_of_another_space_are_mapped_by_meaning(bundle: Bundle) -> None:
    ids = {name: {item.name: item.id for item in space.classes} for name, space in
           (("camvid", CAMVID), ("cityscapes", CITYSCAPES))}  # fmt: skip
    render = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    own, foreign = np.empty((24, 32), np.uint8), np.empty((24, 32), np.int64)
    for rows, name in ((slice(0, 8), "sky"), (slice(8, 16), "building"), (slice(16, 24), "road")):
        own[rows], foreign[rows] = ids["camvid"][name], ids["cityscapes"][name]
    for space in ("cityscapes34", CITYSCAPES):
        np.testing.assert_array_equal(paint(bundle, render, foreign, label_space=space), paint(bundle, render, own))


def test_views_and_read_only_arrays_are_taken(bundle: Bundle, frames: tuple[Any, Any]) -> None:
    render, label_map = frames
    bgr = np.ascontiguousarray(render[0, ..., ::-1])
    bgr.setflags(write=False)
    label_map.setflags(write=False)
    np.testing.assert_array_equal(paint(bundle, bgr[..., ::-1], label_map[0]), paint(bundle, render[0], label_map[0]))
    mirrored = paint(bundle, render[0, :, ::-1], label_map[0, :, ::-1])
    copied = paint(bundle, render[0, :, ::-1].copy(), label_map[0, :, ::-1].copy())
    np.testing.assert_array_equal(mirrored, copied)


def test_networks_are_loaded_once(bundle: Bundle, frames: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    render, label_map = frames
    paint(bundle, render[0], label_map[0])
    monkeypatch.setattr(Translator, "__init__", lambda *_: pytest.fail("loaded again"))
    paint(bundle, render[0], label_map[0], alpha="crisp")


def test_a_bundle_that_has_painted_travels_to_workers_without_its_networks(
    bundle: Bundle, frames: tuple[Any, Any]
) -> None:
    before = bytes(ForkingPickler.dumps(load_bundle(bundle.path)))
    paint(bundle, frames[0][0], frames[1][0])
    assert bytes(ForkingPickler.dumps(bundle)) == before
    assert ForkingPickler.loads(before) == bundle


def test_alpha_and_palette_change_the_image(frames: tuple[Any, Any]) -> None:
    bundle, (render, label_map) = load_bundle("sflow"), frames
    looks: list[dict[str, Any]] = [
        {},
        {"alpha": "soft"},
        {"alpha": [1, 0, 0, 0, 0]},
        {"alpha": "drawn", "seed": 1},
        {"palette": 7},
        {"palette": "drawn", "seed": 1},
        {"palette": "drawn", "seed": 2},
    ]
    images = [paint(bundle, render[0], label_map[0], **look) for look in looks]
    assert len({image.tobytes() for image in images}) == len(looks)
    np.testing.assert_array_equal(images[-1], paint(bundle, render[0], label_map[0], **looks[-1]))
    np.testing.assert_array_equal(images[0], paint(bundle, render[0], label_map[0], alpha=[2] * 5, palette=0))


RENDER = np.zeros((24, 32, 3), np.uint8)
LABELS = np.full((24, 32), CAMVID.classes[0].id, np.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"render": RENDER.astype(np.float32)}, ["render", "uint8", "float32"]),
        ({"render": RENDER.tolist()}, ["render", "NumPy", "list"]),
        ({"render": np.zeros((24, 32, 4), np.uint8)}, ["render", "(24, 32, 4)", "[..., :3]"]),
        ({"render": np.zeros((24, 32), np.uint8)}, ["render", "(24, 32)"]),
        ({"render": RENDER[:0], "label_map": LABELS[:0]}, ["render", "no pixels"]),
        ({"label_map": LABELS.astype(float)}, ["label_map", "float64", "uint8"]),
        ({"label_map": LABELS[:12]}, ["label_map", "(12, 32)", "(24, 32)"]),
        ({"label_map": LABELS[None]}, ["label_map", "(1, 24, 32)"]),
        ({"label_map": LABELS.astype(np.int32) - 99}, ["label_map", "-"]),
        ({"instance_map": LABELS[:3]}, ["instance_map", "(3, 32)"]),
        ({"alpha": "sharp"}, ["alpha", "sharp", "crisp"]),
        ({"alpha": [0.5, 0.5]}, ["alpha", "(5,)"]),
        ({"alpha": [0, 0, 0, 0, float("nan")]}, ["alpha", "nan"]),
        ({"alpha": [float("inf"), 0, 0, 0, 0]}, ["alpha", "inf", "finite"]),
        ({"alpha": [[1], [0, 1]]}, ["alpha", "(5,)"]),
        ({"precision": "fp16"}, ["precision 'fp16'", "fp32, bf16"]),
        ({"palette": 3}, ["palette=3", "0 to 0"]),
        ({"palette": "warm"}, ["palette", "warm", "typical"]),
        ({"palette": "drawn", "seed": -1}, ["seed=-1"]),
        ({"previous": (RENDER, RENDER)}, ["previous", "paints every frame by itself", "leave out previous"]),
    ],
)
def test_what_cannot_be_painted_is_explained(bundle: Bundle, change: dict[str, Any], words: list[str]) -> None:
    arguments = {"render": RENDER, "label_map": LABELS, **change}
    with pytest.raises(UsageError) as caught:
        paint(bundle, **arguments)
    for word in words:
        assert word in f"{caught.value.message}\n{caught.value.hint}"
    assert caught.value.hint


def test_unknown_ids_are_listed(bundle: Bundle) -> None:
    label_map = LABELS.copy()
    label_map[:6] = 200
    with pytest.raises(LabelSpaceError) as caught:
        paint(bundle, RENDER, label_map)
    assert "200" in caught.value.message and "25.00%" in caught.value.message and "camvid11" in caught.value.message
    assert "label_space=" in caught.value.hint


def test_an_unknown_label_space_is_answered_with_the_nearest(bundle: Bundle) -> None:
    with pytest.raises(LabelSpaceError) as caught:
        paint(bundle, RENDER, LABELS, label_space="cityscape")
    assert "cityscapes" in caught.value.hint


def test_no_such_device(bundle: Bundle) -> None:
    with pytest.raises(UsageError):
        bundle.paint(RENDER, LABELS, device="tpu")


def test_default_label_space_is_the_bundles(bundle: Bundle, tmp_path: Path) -> None:
    np.testing.assert_array_equal(paint(bundle, RENDER, LABELS), paint(bundle, RENDER, LABELS, label_space="camvid11"))


def test_a_bare_panel_of_a_vehicle_stays_bare() -> None:
    """The side of a white van: no lamps, no lettering; the window in it stays a window."""
    render, label = np.full((192, 256, 3), 120, np.uint8), np.full((192, 256), 3, np.uint8)
    render[:60], label[:60] = (150, 180, 210), 0
    render[60:150, 60:220], label[60:150, 60:220] = 205, 8
    render[75:105, 150:200] = 40
    image = paint(load_bundle("sflow"), render, label).astype(float)
    detail = image - cv2.GaussianBlur(image, (0, 0), 4.0)
    assert detail[112:140, 80:200].std() < 6
    assert image[112:140, 160:190].mean() - image[82:98, 160:190].mean() > 80


def test_a_scene_by_night_stays_dark(street_dump: Path) -> None:
    """The shipped bundle's palettes are of photos by day; colours are moved to them as far as they go."""
    picture, label_path = sorted(street_dump.rglob("rgb/*.png"))[0], sorted(street_dump.rglob("semantic/*.png"))[0]
    label = cv2.imread(str(label_path), cv2.IMREAD_UNCHANGED)
    night = (cv2.imread(str(picture))[..., ::-1] * 0.12).astype(np.uint8)
    shown = load_bundle("sflow")
    as_rendered, moved = (
        paint(shown, night, label, label_space="cityscapes34", photo_colors=share).mean() for share in (0.0, 1.0)
    )
    assert night.mean() < 25
    assert moved < 1.3 * as_rendered


@pytest.mark.parametrize(
    "previous", [(RENDER,), (RENDER, RENDER[:12]), (RENDER, RENDER.astype(np.float32)), (RENDER, 3)]
)
def test_an_image_before_that_does_not_fit_is_refused(previous: Any, tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"name": "r", "generator": {"width": 9, "blocks": 1, "use_previous": True}})
    with pytest.raises(UsageError, match=r"previous: expected two uint8 arrays of shape \(24, 32, 3\), not uint8"):
        paint(build_random_bundle(tmp_path / "b", 0, recipe), RENDER, LABELS, previous=previous)


def test_the_image_before_may_be_a_pair_in_one_array(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"name": "r", "generator": {"width": 9, "blocks": 1, "use_previous": True}})
    made = build_random_bundle(tmp_path / "b", 0, recipe)
    images = [paint(made, RENDER, LABELS, previous=pair) for pair in ((RENDER, RENDER), np.stack([RENDER, RENDER]))]
    np.testing.assert_array_equal(*images)
    with pytest.raises(UsageError, match="previous: expected two uint8 arrays"):
        paint(made, RENDER, LABELS, previous=5)


def test_a_gpu_with_little_memory_gets_fewer_frames_at_once(
    bundle: Bundle, frames: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    render, label_map = frames
    expected = bundle.paint(render, label_map, device="cpu", precision="fp32")
    painter = ArrayPainter(bundle, "cpu", "fp32")
    painter._batch_size = 8  # as on a GPU
    translate, sizes = painter._translator.translate, []

    def translate_three(class_index: Any, *arguments: Any, **options: Any) -> Any:
        sizes.append(len(class_index))
        if len(class_index) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return translate(class_index, *arguments, **options)

    monkeypatch.setattr(painter._translator, "translate", translate_three)
    options = {"label_space": None, "instance_map": None, "appearance": 1.0, "photo_colors": 0.2, "seed": 0}
    options |= {"palette": "typical", "alpha": "even", "previous": None}
    many = (np.concatenate([render] * 3)[:7], np.concatenate([label_map] * 3)[:7])
    found = painter.paint(*many, **options)
    assert sizes[0] == 7 and max(sizes[2:]) <= 3
    np.testing.assert_array_equal(found, np.concatenate([expected] * 3)[:7])
    sizes.clear()
    painter.paint(*many, **options)
    assert max(sizes) <= 3  # it stays with what fits


def test_one_frame_too_large_for_the_memory_is_explained(
    bundle: Bundle, frames: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Translator, "translate", fail)
    with pytest.raises(SflowError, match="too little free memory for a frame of 32x24") as caught:
        bundle.paint(*frames, device="cpu", precision="fp32")
    assert "smaller frames" in (caught.value.hint or "")
