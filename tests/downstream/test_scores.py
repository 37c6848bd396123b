"""Scores of a run against scikit-learn's, on predictions made outside the package's scoring."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, jaccard_score

from sflow_pipeline.config.downstream_job import DownstreamJob, load_downstream_job
from sflow_pipeline.downstream.compare import Comparer
from sflow_pipeline.downstream.results import ArmResult, ArmScores, Comparison, SeedScore
from sflow_pipeline.downstream.segmentation import Segmentation
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.segmenters.segmenter import Segmenter
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.photo_set import PhotoEntry, PhotoFacts, pack_photo_set

Write = Callable[..., Path]


def test_scores_are_those_of_scikit_learn(write_job: Write, write_pictures: Write, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", seed=2)
    held_out = write_pictures(tmp_path / "half_void", count=4, seed=5, void=0.3)
    tests = {"held-out": str(held_out)}
    job = load_downstream_job(write_job(arms=["real"], seeds=[0], steps=25, tests=tests, test_width_px=64))
    comparer = Comparer(job, tmp_path / "out")
    result = comparer.finish().arms[0].tests["held-out"]

    network = Segmenter(classes=12, width=8)
    network.load_state_dict(load_file(comparer.list_runs()[0].folder / "weights.safetensors"))
    truth, predicted = [], []
    for path in sorted(held_out.glob("s/rgb/*.png")):
        rgb = cv2.imread(str(path))[..., ::-1].astype(np.float32) / 127.5 - 1
        with torch.no_grad():
            logits = network(torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None])
        label = cv2.imread(str(path).replace("rgb", "semantic"), cv2.IMREAD_UNCHANGED)
        truth.append(label[label != 11])
        predicted.append(logits.argmax(dim=1)[0].numpy()[label != 11])
    true, found = np.concatenate(truth), np.concatenate(predicted)
    ids = sorted(set(true.tolist()))
    ious = jaccard_score(true, found, labels=ids, average=None)
    assert [score.mean for score in result.classes.values()] == pytest.approx(ious.tolist())
    assert result.measures["miou"].mean == pytest.approx(ious.mean())
    assert result.measures["pixel_accuracy"].mean == pytest.approx(accuracy_score(true, found))


def build_arm(name: str, by_seed: dict[int, float]) -> ArmResult:
    return ArmResult(name, 1, 1, {"t": ArmScores({"miou": SeedScore(by_seed)}, {})})


def test_the_gap_is_measured_on_common_seeds() -> None:
    low, high = build_arm("rendered", {0: 0.1, 1: 0.2}), build_arm("real", {0: 0.5, 1: 0.4, 2: 0.9})
    arm = build_arm("converted", {1: 0.25})
    comparison = Comparison({}, {}, "rendered", "real", (low, high, arm), Segmentation.measures)
    assert comparison.share_of_gap(arm, "t") == pytest.approx(0.25)  # (0.25 - 0.2) / (0.4 - 0.2)
    assert comparison.share_of_gap(high, "t") == pytest.approx(1)
    assert comparison.share_of_gap(build_arm("other", {7: 0.3}), "t") is None
    worse = Comparison({}, {}, "real", "rendered", (low, high, arm), Segmentation.measures)
    assert worse.share_of_gap(arm, "t") is None
    assert Comparison({}, {}, "rendered", "missing", (low, arm), Segmentation.measures).share_of_gap(arm, "t") is None


def test_kinds_of_void_are_neither_learnt_nor_scored(tmp_path: Path) -> None:
    job = DownstreamJob(sources={"real": "x"}, tests={"t": "y"}, arms=["real"], label_space="cityscapes34")
    space = load_label_space("cityscapes34")
    task = Segmentation(job, space)
    assert not {"unlabeled", "ego_vehicle", "rectification_border", "out_of_roi"} & set(task.class_names)
    truth = np.full((4, 4), space.names.index("ego_vehicle"), np.uint8)
    truth[:2] = space.names.index("road")
    photo = PhotoEntry(PhotoFacts("a", "s", 0), np.zeros((4, 4, 3), np.uint8), truth)
    weights = compute_class_weights(pack_photo_set([photo], tmp_path), space)
    assert {space.names[i] for i in weights.nonzero()[:, 0].tolist()} == {"road"}
