"""Bundles with weights of their own for images from labels and edges alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from sflow_pipeline.bundle import Bundle, add_palette_bundle, build_random_bundle, load_bundle
from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import BundleError

_SMALL = {"dned": {"widths": (4, 4, 4, 4, 4)}}


def build(path: Path, seed: int, **generator: object) -> Bundle:
    fields = {"width": 18, "blocks": 1, "use_palette": True, **generator}
    return build_random_bundle(path, seed, Recipe.model_validate({"name": "random", "generator": fields, **_SMALL}))


@pytest.fixture
def alone(tmp_path: Path) -> Bundle:
    return build(tmp_path / "alone", 1, use_appearance=True)


@pytest.fixture
def other(tmp_path: Path) -> Bundle:
    return build(tmp_path / "other", 2, upsampling="bilinear")


@pytest.fixture
def whole(alone: Bundle, other: Bundle, tmp_path: Path) -> Bundle:
    shutil.copytree(alone.path, tmp_path / "whole")
    return add_palette_bundle(load_bundle(tmp_path / "whole"), other)


def paint(bundle: Bundle, *strengths: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    count = len(strengths)
    render = rng.integers(0, 256, (1, 40, 56, 3), dtype=np.uint8).repeat(count, 0)
    classes = rng.integers(0, 12, (1, 5, 7), dtype=np.uint8).repeat(8, 1).repeat(8, 2).repeat(count, 0)
    alpha = draw_alpha(0, "s", 0)[None].repeat(count, 0)
    appearance = np.array(strengths, np.float32)
    return Translator(bundle, "cpu", "fp32").translate(classes, render, alpha, appearance=appearance).photo


def test_its_weights_paint_images_from_labels_alone_and_the_others_paint_the_rest(
    whole: Bundle, alone: Bundle, other: Bundle
) -> None:
    from_labels, half, following = paint(whole, 0.0, 0.5, 1.0)
    assert np.array_equal(np.stack([half, following]), paint(alone, 0.5, 1.0))
    difference = np.abs(from_labels.astype(int) - paint(other, 0.0)[0].astype(int))
    assert difference.mean() < 1  # int8
    assert np.abs(from_labels.astype(int) - paint(alone, 0.0)[0].astype(int)).mean() > 5


def test_its_file_has_about_half_the_bytes(whole: Bundle, other: Bundle) -> None:
    sizes = [(path / "weights.safetensors").stat().st_size for path in (whole.path / "palette", other.path)]
    assert sizes[0] < 0.75 * sizes[1]


def test_the_digest_covers_it(whole: Bundle, alone: Bundle, tmp_path: Path) -> None:
    assert whole.digest != alone.digest
    again = add_palette_bundle(load_bundle(whole.path), build(tmp_path / "third", 3))
    assert again.digest != whole.digest


def test_a_bundle_that_holds_another_hands_that_one_on(whole: Bundle, tmp_path: Path) -> None:
    again = add_palette_bundle(build(tmp_path / "third", 3, use_appearance=True), whole)
    assert np.array_equal(paint(again, 0.0), paint(whole, 0.0))


def test_workers_without_the_disk_paint_with_it(whole: Bundle) -> None:
    expected = paint(whole, 0.0)
    carried = whole.with_weights()
    shutil.rmtree(whole.path)
    assert np.array_equal(paint(carried, 0.0), expected)


def test_damage_is_named(whole: Bundle, tmp_path: Path) -> None:
    folder = whole.path / "palette"
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BundleError, match=r"palette: weights\.safetensors has sha256"):
        paint(load_bundle(whole.path), 0.0)
    build(tmp_path / "third", 3)
    for file in (tmp_path / "third").iterdir():
        shutil.copy(file, folder)
    with pytest.raises(BundleError, match="the bundle around it says") as caught:
        load_bundle(whole.path)
    assert "restore the whole bundle" in caught.value.hint
    shutil.rmtree(folder)
    with pytest.raises(BundleError, match=r"palette/bundle\.yaml is missing"):
        load_bundle(whole.path)


def test_a_folder_that_contains_itself_is_refused(whole: Bundle) -> None:
    shutil.rmtree(whole.path / "palette")
    (whole.path / "palette").symlink_to(whole.path)
    with pytest.raises(BundleError, match="the bundle around it says"):
        load_bundle(whole.path)


def test_another_label_space_is_refused(alone: Bundle, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {"name": "random", "label_space": "cityscapes19", "generator": {"width": 9, "blocks": 1}, **_SMALL}
    )
    other = build_random_bundle(tmp_path / "cityscapes", recipe=recipe)
    before = yaml.safe_load((alone.path / "bundle.yaml").read_text())
    with pytest.raises(BundleError, match="its label space is cityscapes19, and camvid11"):
        add_palette_bundle(alone, other)
    assert yaml.safe_load((alone.path / "bundle.yaml").read_text()) == before
