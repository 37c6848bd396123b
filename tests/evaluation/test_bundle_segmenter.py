"""A bundle's segmenter predicts photos at their own size, never as void."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from sklearn.metrics import accuracy_score

from sflow_pipeline.bundle import SegmenterScores, add_segmenter, build_random_bundle
from sflow_pipeline.config.network_recipes import SegmenterRecipe
from sflow_pipeline.errors import BundleError, UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.networks.segmenters.segmenter import Segmenter


@pytest.fixture
def segmenter() -> Segmenter:
    torch.manual_seed(3)
    network = Segmenter(12, width=6).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())  # as a bundle stores it
        network.get_parameter("verdict.bias")[11] = 100.0  # it would call everything void
    return network


def test_bundle_is_a_reference_segmenter(
    tmp_path: Path, write_photos: Callable[..., Path], segmenter: Segmenter
) -> None:
    scores = SegmenterScores(pixel_accuracy=0, miou=0, held_out_photos=0, images_seen=0)
    bundle = add_segmenter(
        build_random_bundle(tmp_path / "bundle"), SegmenterRecipe(width=6), segmenter.state_dict(), scores
    )
    photos = write_photos(tmp_path / "photos", 3)
    spec = load_network_spec(bundle.path, what="judge")
    assert load_network_spec(bundle.path / "segmenter.safetensors", what="judge") == spec
    with pytest.raises(UsageError, match="weights without a network"):
        load_network_spec(bundle.path / "weights.safetensors", what="judge")
    (oracle,) = evaluate(EvaluationSettings((), str(photos), judge=spec)).rows
    truth: list[NDArray[np.uint8]] = []
    answers: list[NDArray[np.int64]] = []
    for path in sorted(photos.rglob("rgb/*.png")):
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        photo = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None]
        with torch.inference_mode():
            answers.append(segmenter(photo.float() / 127.5 - 1)[0, :11].argmax(dim=0).numpy())
        label = cv2.imread(str(path.parents[1] / "semantic" / path.name), cv2.IMREAD_UNCHANGED)
        truth.append(np.asarray(label, np.uint8))
    expected = accuracy_score(np.stack(truth).ravel(), np.stack(answers).ravel())
    assert oracle.scores["pixel_accuracy"].value == pytest.approx(expected, abs=1e-4)
    assert 0 < expected < 1


def test_features_of_a_bundles_segmenter_give_distances(
    tmp_path: Path, write_photos: Callable[..., Path], segmenter: Segmenter
) -> None:
    """The Fréchet distance again from the network's coarsest features, by NumPy and SciPy."""
    scores = SegmenterScores(pixel_accuracy=0, miou=0, held_out_photos=0, images_seen=0)
    bundle = add_segmenter(
        build_random_bundle(tmp_path / "bundle"), SegmenterRecipe(width=6), segmenter.state_dict(), scores
    )
    folders = [write_photos(tmp_path / name, 12, seed=seed, ids=ids) for name, seed, ids in (("a", 1, 3), ("b", 2, 9))]
    spec = load_network_spec(bundle.path, what="extractor")
    row, _oracle = evaluate(EvaluationSettings((str(folders[0]),), str(folders[1]), extractor=spec)).rows
    moments: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    parts: list[torch.Tensor] = []
    segmenter.middle.register_forward_hook(lambda _module, _inputs, answer: parts.append(answer))
    for folder in folders:
        found = []
        for path in sorted(folder.rglob("rgb/*.png")):
            picture = np.asarray(cv2.imread(str(path)), np.uint8)
            photo = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            with torch.inference_mode():
                segmenter(photo)
            maps = parts.pop()[0].double().numpy()
            maps = (maps - maps.mean(axis=0)) / maps.std(axis=0)  # each position over its channels
            found.append(maps.mean(axis=(1, 2)))
        moments.append((np.mean(found, axis=0), np.cov(np.stack(found), rowvar=False)))
    (mean, cov), (other_mean, other_cov) = moments
    shift = mean - other_mean
    expected = shift @ shift + np.trace(cov + other_cov - 2 * np.real(sqrtm(cov @ other_cov)))
    assert row.scores["frechet_random_segmenter"].value == pytest.approx(expected, rel=1e-2)
    assert "kernel_random_segmenter" in row.scores


def test_bundle_without_segmenter_says_how_to_train_one(tmp_path: Path) -> None:
    bundle = build_random_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match="has no segmenter") as caught:
        load_network_spec(bundle.path, what="judge")
    assert "--only segmenter" in str(caught.value.hint)
    with pytest.raises(UsageError, match=r"--extractor .*has no segmenter"):
        load_network_spec(bundle.path, what="extractor")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError):
        load_network_spec(tmp_path / "empty", what="judge")
