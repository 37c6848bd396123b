"""Whole evaluations in a world where the right numbers are known."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.errors import ConfigError, FrameError, UsageError
from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
from sflow_pipeline.evaluation.reference_networks.kinds import load_network_spec
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.evaluation.results.files import write_comparison, write_metrics
from sflow_pipeline.evaluation.results.markdown import draw_markdown
from sflow_pipeline.evaluation.results.scores import TableRow
from sflow_pipeline.metrics import compute_frechet

Write = Callable[..., Path]


def run(paths: list[Path], reference: Path, judge: Path | None = None, **more: object) -> tuple[TableRow, ...]:
    spec = load_network_spec(judge, what="judge") if judge else None
    return evaluate(EvaluationSettings(tuple(map(str, paths)), str(reference), judge=spec, **more)).rows  # type: ignore[arg-type]


def test_true_colours_score_one_and_wrong_ones_what_they_deserve(
    tmp_path: Path, judge_file: Path, write_photos: Write
) -> None:
    real = write_photos(tmp_path / "real", 3)
    poor = write_photos(tmp_path / "poor", 30, wrong=0.4, seed=5)
    row, oracle = run([poor], real, judge_file)
    assert (oracle.role, oracle.n, oracle.scores["miou"].value, oracle.scores["pixel_accuracy"].value) == (
        "oracle",
        3,
        1,
        1,
    )
    accuracy = row.scores["pixel_accuracy"]
    assert (row.role, row.n, row.sizes_px) == ("photos", 30, {"64x48": 30})
    assert accuracy.value == pytest.approx(0.6, abs=0.05)
    assert accuracy.interval is not None and accuracy.interval[0] < 0.6 < accuracy.interval[1]
    # 0.6 of a class is found, and as many pixels of its neighbour are taken for it: 0.6 / 1.4.
    assert row.scores["miou"].value == pytest.approx(0.6 / 1.4, abs=0.05)


def test_dataset_is_scored_beside_the_simulators_pictures(
    tmp_path: Path, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    dump = write_photos(tmp_path / "sim", 6, wrong=0.5)
    out = write_dataset(dump, tmp_path / "out", variants=2)
    renders, row, _oracle = run([out], write_photos(tmp_path / "real"), judge_file, renders=True)
    assert (row.role, row.n, row.scores["miou"].value) == ("dataset", 12, 1.0)
    assert renders.name == "out (rendered)"
    assert renders.scores["pixel_accuracy"].value == pytest.approx(0.5, abs=0.1)


def test_frames_of_another_dump_are_not_taken_for_those_converted(
    tmp_path: Path, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    dump, real = write_photos(tmp_path / "sim", 4), write_photos(tmp_path / "real")
    out = write_dataset(dump, tmp_path / "out", include=["edge"])
    assert run([out], real, judge_file)[0].scores["recognition_miou"].value is not None
    other = write_photos(tmp_path / "other", 4, wrong=0.4, seed=9)
    with pytest.raises(UsageError, match=r"4 of 4 frames are not those that .*out was made from"):
        run([out], real, judge_file, rendered=str(other))
    shutil.rmtree(dump)
    other.rename(dump)
    score = run([out], real, judge_file)[0].scores["recognition_miou"]
    assert score.value is None
    assert "4 of 4 frames are not those" in score.note


@pytest.mark.parametrize("format", ["parquet", "png"])
def test_dataset_of_either_format_reads_the_same(
    tmp_path: Path, judge_file: Path, write_photos: Write, write_dataset: Write, format: str
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim", 3), tmp_path / "out", format=format)
    spec = load_network_spec(judge_file, what="judge")
    found = evaluate(EvaluationSettings((str(out),), str(real), judge=spec, edges=True))
    assert found.rows[0].scores["pixel_accuracy"].value == 1.0
    assert found.edges["sets"]["out: DNED's edges"]["density"] == pytest.approx(1 / 8)


def test_absent_class_is_left_out_and_said(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    few = write_photos(tmp_path / "few", 3, ids=3, wrong=0.3)
    row, oracle = run([few], write_photos(tmp_path / "real"), judge_file)
    assert [item.name for item in row.classes if not item.is_absent] == ["sky", "building", "pole"]
    assert all(item.iou is None for item in row.classes[3:])
    present = [item.iou for item in row.classes[:3]]
    assert row.scores["miou"].value == pytest.approx(np.mean(present))
    assert "left out: road, pavement" in row.scores["miou"].note
    assert oracle.scores["miou_common"].note == "over 3 classes"
    assert oracle.scores["miou_common"].value == pytest.approx(1.0)


def test_segmenter_of_another_label_space_is_mapped_by_concept(
    tmp_path: Path, write_photos: Write, save_segmenter: Callable[[list[str]], Path]
) -> None:
    """A segmenter with the classes of Cityscapes that recognises each by the colour of its CamVid counterpart."""
    counterparts = (
        "road pavement building building fence pole sign sign tree tree sky pedestrian bicyclist car car car car "
        "bicyclist bicyclist"
    )
    file = save_segmenter(counterparts.split())
    spec = NetworkSpec(file=str(file), size_px=(64, 48), label_space="cityscapes19")
    real = write_photos(tmp_path / "real")
    found = evaluate(EvaluationSettings((), str(real), judge=spec))
    assert found.protocol["score_space"]["excluded"] == []
    assert found.oracle.scores["pixel_accuracy"].value == 1.0
    back = evaluate(EvaluationSettings((), str(real), judge=spec, score_space="cityscapes34"))
    excluded = back.protocol["score_space"]["excluded"]
    assert {"parking", "tunnel", "caravan"} <= set(excluded)
    assert not {"road", "sky", "car"} & set(excluded)
    assert not {"ego_vehicle", "rectification_border", "out_of_roi"} & set(back.protocol["score_space"]["scored"])


def test_classes_that_the_segmenter_cannot_predict_are_not_scored(
    tmp_path: Path, write_photos: Write, save_segmenter: Callable[[list[str]], Path]
) -> None:
    """A segmenter of road and sky: other classes do not change the scores."""
    file, space = save_segmenter(["road", "sky"]), tmp_path / "two.yaml"
    space.write_text(
        "{name: two, version: 1, source: test, void: 255, classes: [{id: 0, name: road, concepts: [flat.road], color: "
        "[1, 1, 1]}, {id: 1, name: sky, concepts: [sky], color: [2, 2, 2]}, {id: 255, name: void, concepts: [void], "
        "color: [0, 0, 0]}]}"
    )
    spec = NetworkSpec(file=str(file), size_px=(64, 48), label_space=str(space))
    real = write_photos(tmp_path / "real")
    found = evaluate(EvaluationSettings((), str(real), judge=spec))
    assert found.protocol["score_space"]["scored"] == ["sky", "road"]
    assert "building" in found.protocol["score_space"]["excluded"]
    assert found.oracle.scores["pixel_accuracy"].value == 1.0
    labels = np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(real.rglob("semantic/*.png"))])
    unscored = np.isin(labels, [0, 3, 11], invert=True)  # neither sky nor road nor void
    note = next(line for line in draw_markdown(found).splitlines() if "the judge cannot predict" in line)
    assert f": {unscored.mean():.2%} of the label pixels are not scored" in note
    assert ("building" in note, "fence" in note) == (bool((labels == 1).any()), bool((labels == 7).any()))


def test_unknown_ids_are_not_scored_and_counted(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    import cv2

    real = write_photos(tmp_path / "real", 1)
    label_file = str(real / "s/semantic/000.png")
    label_map = cv2.imread(label_file, cv2.IMREAD_UNCHANGED)
    label_map[:12] = 77
    cv2.imwrite(label_file, label_map)
    oracle = run([], real, judge_file)[0]
    assert oracle.scores["pixel_accuracy"].value == 1.0
    assert oracle.notes == ("25.00% of the label pixels hold ids outside camvid11: not scored",)


def test_class_that_labels_do_not_distinguish_is_named(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    """Old CARLA tags have no cyclists: a prediction of one is always wrong."""
    sim = write_photos(tmp_path / "sim")
    (sim / "dataset.yaml").write_text("label_space: carla-0.9.9\n")
    row, _oracle = run([sim], write_photos(tmp_path / "real"), judge_file)
    assert any("do not distinguish bicyclist" in note for note in row.notes)
    assert next(item for item in row.classes if item.name == "bicyclist").is_absent


def test_features_are_compared_and_called_by_their_extractor(
    tmp_path: Path, extractor_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real", 12, seed=1)
    out = write_dataset(write_photos(tmp_path / "sim", 6, seed=2), tmp_path / "out", variants=2)
    spec = load_network_spec(extractor_file, what="extractor")
    found = evaluate(EvaluationSettings((str(out),), str(real), extractor=spec))
    row, oracle = found.rows
    whole = {"frechet_rgb3", "kernel_rgb3", "diversity_rgb3", "variant_diversity_rgb3"}
    assert set(row.scores) == {"realism_gain", "chroma_correlation", "vehicle_hue", *whole}
    assert set(oracle.scores) == {"diversity_rgb3"}
    assert row.scores["variant_diversity_rgb3"].value == 0.0
    assert "fid" not in draw_markdown(found).lower()

    def features(root: Path) -> np.ndarray:
        import cv2

        files = sorted(root.rglob("rgb/*.png"))
        return np.array([cv2.imread(str(file))[..., ::-1].mean(axis=(0, 1)) for file in files])

    twice = np.repeat(features(tmp_path / "sim"), 2, axis=0)
    assert row.scores["frechet_rgb3"].value == pytest.approx(compute_frechet(twice, features(real)), rel=1e-4)


def test_splits_choose_and_wrong_ones_are_named(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    real = tmp_path / "real"
    write_photos(real, 2, split="train")
    write_photos(real, 3, split="val")
    assert run([], real, judge_file)[0].n == 5
    assert run([], real, judge_file, reference_split="val")[0].n == 3
    with pytest.raises(UsageError, match=r"split 'test': .* has no such split, only train, val"):
        run([], real, judge_file, reference_split="test")


def test_same_evaluation_twice_gives_the_same_files(
    tmp_path: Path, judge_file: Path, extractor_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim", 3), tmp_path / "out")
    settings = EvaluationSettings(
        (str(out), str(tmp_path / "sim")),
        str(real),
        judge=load_network_spec(judge_file, what="judge"),
        extractor=load_network_spec(extractor_file, what="extractor"),
        edges=True,
    )
    files = [write_comparison(evaluate(settings), tmp_path / name) for name in ("a", "b")]
    assert [Path(path).name for path in files[0]] == ["comparison.md", "comparison.json", "comparison.svg"]
    assert [Path(path).read_bytes() for path in files[0]] == [Path(path).read_bytes() for path in files[1]]
    assert write_metrics(evaluate(settings)) == [str(out / "report" / "metrics.json")]
    content = json.loads((out / "report" / "metrics.json").read_text())
    assert [row["role"] for row in content["rows"]] == ["dataset", "oracle"]
    assert content["rows"][0]["share_of_oracle"]["miou"] == 1.0
    assert len(content["protocol"]["judge"]["sha256"]) == 64


def test_nothing_to_measure_is_said(tmp_path: Path, write_photos: Write) -> None:
    with pytest.raises(UsageError, match="nothing to measure"):
        run([], write_photos(tmp_path / "real"))


def test_label_of_another_size_stops_it(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    import cv2

    real = write_photos(tmp_path / "real")
    cv2.imwrite(str(real / "s/semantic/001.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(FrameError, match=r"001.png: 8x8 pixels, its picture has 64x48"):
        run([], real, judge_file)


def test_segmenter_with_other_channels_than_its_label_space_is_refused(
    tmp_path: Path, judge_file: Path, write_photos: Write
) -> None:
    spec = load_network_spec(judge_file, {"label_space": "cityscapes19"}, what="judge")
    with pytest.raises(UsageError, match=r"output \(1, 11, 48, 64\), expected \(1, 19, h, w\)"):
        evaluate(EvaluationSettings((), str(write_photos(tmp_path / "real")), judge=spec))


def test_network_that_cannot_take_its_input_is_refused(tmp_path: Path, write_photos: Write) -> None:
    narrow = torch.jit.trace(torch.nn.Linear(8, 2), torch.rand(1, 3, 4, 8))
    narrow.save(str(tmp_path / "narrow.pt"))
    spec = NetworkSpec(file=str(tmp_path / "narrow.pt"), size_px=(64, 48), label_space="camvid11")
    with pytest.raises(UsageError, match="fails on a 64x48 picture"):
        evaluate(EvaluationSettings((), str(write_photos(tmp_path / "real")), judge=spec))


def test_network_file_that_is_none_or_another_is_refused(tmp_path: Path, judge_file: Path, write_photos: Write) -> None:
    real = write_photos(tmp_path / "real")
    pickled = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(3)}, pickled)
    flags = {"size_px": "64x48", "label_space": "camvid11"}
    with pytest.raises(UsageError, match="not a TorchScript file"):
        evaluate(EvaluationSettings((), str(real), judge=load_network_spec(pickled, flags, what="judge")))
    spec = load_network_spec(judge_file, {"sha256": "0" * 64}, what="judge")
    with pytest.raises(UsageError, match="expected 000000000000"):
        evaluate(EvaluationSettings((), str(real), judge=spec))


def test_description_must_say_what_cannot_be_guessed(tmp_path: Path, judge_file: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_network_spec(tmp_path / "none.pt", what="judge")
    (tmp_path / "bare.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="its input size is not known"):
        load_network_spec(tmp_path / "bare.pt", what="judge")
    with pytest.raises(ConfigError, match="expected WxH"):
        load_network_spec(tmp_path / "bare.pt", {"size_px": "big"}, what="judge")
    (tmp_path / "judge.yaml").write_text("file: bare.pt\nsize_px: 8x4\nlabelspace: camvid11\n")
    with pytest.raises(ConfigError) as caught:
        load_network_spec(tmp_path / "judge.yaml", what="judge")
    assert "label_space" in caught.value.hint


def test_other_features_may_not_be_called_inception(tmp_path: Path, extractor_file: Path, write_photos: Write) -> None:
    spec = load_network_spec(extractor_file, {"name": "inception2048"}, what="extractor")
    with pytest.raises(UsageError, match="kept for Inception"):
        evaluate(EvaluationSettings((), str(write_photos(tmp_path / "real")), extractor=spec))


@pytest.mark.parametrize(
    ("classes", "name", "metrics"),
    [
        (1008, "inception2048", {"fid_inception2048", "kid_inception2048"}),
        (1000, "inception2048_torchvision", {"frechet_inception2048_torchvision", "kernel_inception2048_torchvision"}),
    ],
)
def test_only_inception_weights_of_fid_make_a_fid(tmp_path: Path, classes: int, name: str, metrics: set[str]) -> None:
    """Weights of FID's network, of torchvision's, and the names of distances over their features."""
    from safetensors.torch import save_file

    from sflow_pipeline.evaluation.measures.whole_features import WholeFeatures
    from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
    from sflow_pipeline.networks.features.inception import InceptionFeatures

    torch.manual_seed(0)
    state = InceptionFeatures(is_fid=True).state_dict()
    file = tmp_path / "inception.safetensors"
    save_file(state | {"fc.weight": torch.zeros(classes, 2048)}, file)
    spec = load_network_spec(file, {"name": "inception2048"}, what="extractor")  # a claim that changes nothing
    assert (spec.size_px, spec.input_range, spec.filter) == ((299, 299), "-1..1", "bilinear")
    extractor = Extractor(spec, "cpu")
    assert extractor.name == name
    assert extractor.extract(np.zeros((48, 64, 3), np.uint8)).shape == (2048,)
    assert metrics <= {metric.name for metric in WholeFeatures(extractor).metrics}


def test_perceptual_weights_give_their_own_name_to_distances(shared_data: Path, write_photos: Write) -> None:
    weights = shared_data / "perceptual/squeezenet1_0_imagenet.safetensors"
    spec = load_network_spec(weights, what="extractor")
    assert (spec.name, spec.size_px) == ("squeezenet1.0", None)
    (oracle,) = evaluate(
        EvaluationSettings((), str(shared_data / "camvid"), reference_split="val", extractor=spec, limit=3)
    ).rows
    assert oracle.scores["diversity_squeezenet1.0"].value > 0  # type: ignore[operator]


def test_genuine_segmenter_on_genuine_photos(shared_data: Path) -> None:
    """ESPNetv2 on four Cityscapes photos: 0.54 mean IoU over the classes that are there, 0.95 of the pixels."""
    file = shared_data / "judges" / "espnetv2_s1.0_cityscapes19_512x1024.torchscript.pt"
    spec = NetworkSpec(file=str(file), size_px=(1024, 512), label_space="cityscapes19")
    settings = EvaluationSettings((), str(shared_data / "cityscapes-sample"), judge=spec, score_space="cityscapes19")
    scores = evaluate(settings).oracle.scores
    assert scores["miou"].value == pytest.approx(0.54, abs=0.005)
    assert scores["pixel_accuracy"].value == pytest.approx(0.95, abs=0.005)
