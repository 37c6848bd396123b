"""Bundles describe themselves, notice damage, and paint the same whoever asks."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open

from sflow_pipeline.bundle import add_gate_thresholds, build_random_bundle, load_bundle, save_bundle
from sflow_pipeline.bundle.alpha import ALPHA_PRESETS, draw_alpha
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.errors import BundleError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory):
    return build_random_bundle(tmp_path_factory.mktemp("bundle"))


def paint(bundle, precision: str = "fp32", size=(40, 56)):
    rng = np.random.default_rng(3)
    render = rng.integers(0, 256, (1, *size, 3), dtype=np.uint8)
    classes = rng.integers(0, 12, (1, *size), dtype=np.uint8)
    return Translator(bundle, "cpu", precision).translate(classes, render, draw_alpha(0, "s", 0)[None])


def test_the_weights_file_alone_says_what_it_is(bundle) -> None:
    with safe_open(bundle.path / "weights.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["sflow_pipeline"])
    assert header["format"] == "sflow-pipeline bundle 1"
    assert header["recipe"]["name"] == "random"
    assert header["recipe"]["label_space"] == "camvid11"


def test_the_digest_follows_the_weights_and_nothing_else(bundle, tmp_path: Path) -> None:
    assert build_random_bundle(tmp_path / "same").digest == bundle.digest
    assert build_random_bundle(tmp_path / "other", seed=1).digest != bundle.digest
    card = tmp_path / "same" / "bundle.yaml"
    card.write_text(card.read_text().replace("description: ''", "description: better words"))
    assert load_bundle(tmp_path / "same").digest == bundle.digest


def test_kernels_in_int8_halve_the_file_and_paint_nearly_the_same(bundle, tmp_path: Path) -> None:
    small = save_bundle(tmp_path, bundle.recipe, bundle.read_weights(), {"version": "0"}, in_int8=True)
    sizes = [(x.path / "weights.safetensors").stat().st_size for x in (small, bundle)]
    assert sizes[0] < 0.7 * sizes[1]
    assert small.digest != bundle.digest
    photos = [paint(x).photo.astype(int) for x in (small, bundle)]
    assert np.abs(photos[0] - photos[1]).mean() < 1


def test_the_default_bundle_is_small_enough_to_carry() -> None:
    folder = load_bundle().path
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 25e6


def test_damage_is_named(bundle, tmp_path: Path) -> None:
    broken = build_random_bundle(tmp_path / "broken")
    path = broken.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BundleError, match=r"weights\.safetensors has sha256"):
        load_bundle(broken.path).read_weights()
    path.unlink()
    with pytest.raises(BundleError, match=r"weights\.safetensors cannot be read"):
        load_bundle(broken.path).read_weights()
    with pytest.raises(BundleError, match=r"no bundle\.yaml in") as caught:
        load_bundle(tmp_path / "nowhere")
    assert "there are sflow; or give the path of a folder with bundle.yaml" in caught.value.hint


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    made = build_random_bundle(tmp_path / "b")
    card = made.path / "bundle.yaml"
    card.write_text(card.read_text().replace("format_version: 1", "format_version: 99\nkey_of_the_future: 1"))
    with pytest.raises(BundleError, match="format 99 is newer") as caught:
        load_bundle(made.path)
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_threads_do_not_change_a_pixel(bundle, precision: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = paint(bundle, precision, (64, 96))
        torch.set_num_threads(2)
        two = paint(bundle, precision, (64, 96))
    finally:
        torch.set_num_threads(before)
    assert (one.photo == two.photo).all()
    assert (one.edge == two.edge).all()


def test_shapes_and_types(bundle) -> None:
    made = paint(bundle)
    assert made.photo.shape == (1, 40, 56, 3)
    assert made.edge.shape == (1, 40, 56)
    assert {a.dtype for a in (made.photo, made.edge)} == {np.dtype(np.uint8)}


def test_alpha_depends_on_identities_alone() -> None:
    assert draw_alpha(0, "a", 0) == pytest.approx([0.2] * 5)
    one = draw_alpha(7, "a", 1)
    assert one.sum() == pytest.approx(1)
    assert (one == draw_alpha(7, "a", 1)).all()
    others = [draw_alpha(8, "a", 1), draw_alpha(7, "b", 1), draw_alpha(7, "a", 2)]
    assert not any((one == other).all() for other in others)


def test_the_default_bundle_is_small_and_whole() -> None:
    default = load_bundle()
    assert (default.path / "weights.safetensors").stat().st_size <= 25_000_000
    assert set(default.read_weights()) >= {"generator", "dned"}


def test_named_alphas_come_first_and_drawn_ones_spread_as_the_concentration_says() -> None:
    assert draw_alpha(0, "a", 0, presets=("crisp",)).tolist() == pytest.approx(ALPHA_PRESETS["crisp"])
    assert (draw_alpha(0, "a", 1, presets=("crisp",)) == draw_alpha(0, "a", 1)).all()
    for preset in ALPHA_PRESETS.values():
        assert sum(preset) == pytest.approx(1)
    spread = {
        concentration: np.std([draw_alpha(0, "a", k, concentration=concentration) for k in range(1, 400)])
        for concentration in (0.5, 8.0)
    }
    # The standard deviation of a Dirichlet's coordinate, (1/5 * 4/5 / (5c + 1)) ** 0.5.
    assert spread[0.5] == pytest.approx((0.16 / 3.5) ** 0.5, rel=0.1)
    assert spread[8.0] == pytest.approx((0.16 / 41) ** 0.5, rel=0.1)


def test_rewriting_a_bundle_keeps_numbers_numbers(tmp_path: Path) -> None:
    made = build_random_bundle(tmp_path / "b")
    card = made.path / "bundle.yaml"
    content = yaml.safe_load(card.read_text())
    metrics = {"camvid": {"miou": 0.499, "photos": 51, "small": 2.5e-05, "version": "0.7.0", "protocol": "as of 0.7.0"}}
    content["metrics"] = metrics
    card.write_text(yaml.safe_dump(content))
    add_gate_thresholds(load_bundle(made.path), None)
    assert yaml.safe_load(card.read_text())["metrics"]["camvid"] == metrics["camvid"]
