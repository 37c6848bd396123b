"""A bundle's digest follows what paints: how it was trained, and what only looks at photos, is not part of it."""

from pathlib import Path

import pytest
import yaml

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.errors import BundleError


def change_recipe(path: Path, section: str, **values: object) -> str:
    file = path / "recipe.yaml"
    content = yaml.safe_load(file.read_text())
    content[section] |= values
    file.write_text(yaml.safe_dump(content))
    return load_bundle(path).digest


@pytest.mark.parametrize(
    ("section", "values", "paints"),
    [
        ("edges", {"threshold": 0.08}, True),
        ("generator", {"use_edges": False}, True),
        ("generator", {"use_previous": True}, True),
        ("edges", {"jitter": 2.0}, False),
        ("schedule", {"joint_images": 7}, False),
        ("loss", {"l1": 3.0}, False),
        ("segmenter", {"images": 7, "width": 12}, False),
    ],
)
def test_digest_follows_what_paints(section: str, values: dict[str, object], paints: bool, tmp_path: Path) -> None:
    before = build_random_bundle(tmp_path / "b")
    assert (change_recipe(before.path, section, **values) != before.digest) == paints


def test_a_recipe_without_weights_is_no_bundle() -> None:
    with pytest.raises(BundleError, match=r"no bundle\.yaml in") as caught:
        load_bundle("pix2pix")
    assert "pix2pix" not in caught.value.hint


def test_a_folder_that_is_no_bundle_does_not_hide_the_one_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sflow" / "bundle").mkdir(parents=True)  # a training run, such as `train sflow --out sflow`
    assert load_bundle().name == "sflow"
    assert load_bundle().path.parent != Path()
    with pytest.raises(BundleError, match=r"no bundle\.yaml in sflow$"):
        load_bundle("./sflow")
