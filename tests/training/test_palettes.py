"""Palettes: measured on photos, carried by the bundle, and what conversion paints variants with."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.bundle.alpha import draw_alpha
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import build_job
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.networks.appearance.palette import fill_palettes, measure_palette
from sflow_pipeline.training.train import train


@pytest.fixture
def bundle(camvid: Path, tiny_recipe: Recipe, tmp_path: Path) -> Bundle:
    fields = tiny_recipe.model_dump()
    fields["generator"]["use_palette"] = True
    return train(Recipe.model_validate(fields), str(camvid), tmp_path / "run").bundle


def test_a_palette_is_the_mean_colour_of_every_class() -> None:
    rng = np.random.default_rng(0)
    photo = rng.uniform(-1, 1, (2, 3, 5, 7)).astype(np.float32)
    classes = rng.integers(0, 3, (2, 5, 7)).astype(np.uint8)
    palette, shares = measure_palette(torch.from_numpy(photo), torch.from_numpy(classes), 4)
    for b in range(2):
        for c in range(3):
            inside = classes[b] == c
            np.testing.assert_allclose(palette[b, c].numpy(), photo[b][:, inside].mean(axis=1), atol=1e-6)
            assert shares[b, c].item() == pytest.approx(inside.mean())
        assert (palette[b, 3] == 0).all() and shares[b, 3] == 0


def test_gaps_are_filled_and_the_typical_palette_comes_first() -> None:
    grey = torch.tensor([0.0, 0.1, 0.9])[:, None, None].expand(3, 2, 3).clone()
    shares = torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]])
    grey[1, 1] = 0
    filled = fill_palettes(grey, shares)
    assert filled[0, 0, 0].item() == pytest.approx(0.1)  # between the other two
    assert filled[0, 1, 0].item() == pytest.approx(0.45)  # the mean of those that show the class
    assert filled[1:, 0, 0].tolist() == pytest.approx([0.0, 0.9])


def test_a_bundle_paints_with_its_photos_palettes(bundle: Bundle) -> None:
    assert bundle.metadata.palettes == 7  # of eight photos one is held out
    palettes = bundle.read_weights()["palettes"]["rgb"]
    sky, road = palettes[:, 0].mean(dim=0), palettes[:, 3].mean(dim=0)
    # The fixture's sky is about (180, 190, 200) in RGB, its road (95, 90, 90).
    assert ((sky + 1) * 127.5).tolist() == pytest.approx([180, 190, 200], abs=3)
    assert ((road + 1) * 127.5).tolist() == pytest.approx([95, 90, 90], abs=3)
    translator = Translator(bundle, "cpu", "fp32")
    render = np.random.default_rng(3).integers(0, 256, (1, 32, 48, 3), dtype=np.uint8)
    classes, alpha = np.full((1, 32, 48), 3, np.uint8), draw_alpha(0, "s", 0)[None]
    first, other, unsaid = (
        translator.translate(classes, render, alpha, palette=palette).photo
        for palette in (np.array([0]), np.array([6]), None)
    )
    assert (first != other).any()
    np.testing.assert_array_equal(first, unsaid)


def test_variants_have_palettes_of_their_own_and_sequences_keep_them(
    bundle: Bundle, camvid: Path, tmp_path: Path
) -> None:
    fields = {"sim_dir": str(camvid), "out_dir": str(tmp_path / "out"), "bundle": str(bundle.path), "workers": 1}
    assert convert(build_job({**fields, "variants": 4, "device": "cpu"})).status == "clean"
    rows = [row for path in (tmp_path / "out/data").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    chosen = {(row["sequence_id"], row["variant"]): row["palette"] for row in rows}
    assert len(rows) == 32 and len(chosen) == 4
    assert all(chosen[row["sequence_id"], row["variant"]] == row["palette"] for row in rows)
    assert chosen[rows[0]["sequence_id"], 0] == 0
    assert len(set(chosen.values())) == 4
    assert convert(build_job({**fields, "palette": "drawn", "replace": True})).status == "clean"
    rows = [row for path in (tmp_path / "out/data").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {row["palette"] for row in rows} == {chosen[rows[0]["sequence_id"], 1]}
