"""Dumps without pictures: images are made from labels alone, labels stay, and what needs pictures says so."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sflow_pipeline.config.job import ConvertJob, build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.frame.decode import decode_frame
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import DumpError, UsageError
from sflow_pipeline.evaluation.photos import DatasetPhotos, FolderPhotos
from sflow_pipeline.evaluation.rendered_frames import open_rendered
from sflow_pipeline.inspection.inspect_dump import inspect_dump
from sflow_pipeline.report.dataset_page import write_report_page
from sflow_pipeline.simulators import discover
from sflow_pipeline.storage.canonical_json import compute_digest

MakeJob = Callable[..., ConvertJob]
ReadRows = Callable[[str | Path], list[dict[str, Any]]]


@pytest.fixture
def labels(dump: Any) -> Any:
    """The dump without its pictures."""
    for path in dump.root.glob("*/rgb/*.png"):
        path.unlink()
    for folder in dump.root.glob("*/rgb"):
        folder.rmdir()
    return dump


@pytest.fixture
def make_label_job(labels: Any, make_job: MakeJob, appearance_bundle: Path) -> MakeJob:
    """A job over the dump without pictures, by a bundle that could follow them."""

    def make(**fields: Any) -> ConvertJob:
        return make_job(**{"bundle": str(appearance_bundle), **fields})

    return make


def test_every_label_becomes_a_row_with_its_bytes(
    labels: Any, make_label_job: MakeJob, read_dataset: ReadRows, tmp_path: Path
) -> None:
    summary = convert(make_label_job())
    rows = read_dataset(tmp_path / "out")
    assert len(rows) == 12 and (summary.quarantined, summary.left_out) == (0, 0)
    assert len([warning for warning in summary.warnings if "no pictures" in warning]) == 1
    for row in rows:
        data = (labels.root / row["sequence_id"] / "semantic" / f"{row['frame_index']:04}.png").read_bytes()
        assert row["label"]["bytes"] == data
        assert row["source_uri"] == row["label"]["path"] == f"{row['sequence_id']}/semantic/{row['frame_index']:04}.png"
        assert row["source_sha256"] == row["label_sha256"] == hashlib.sha256(data).hexdigest()
        assert row["appearance"] == 0 and "render" not in row and row["render_miou"] is None
        image = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (32, 48, 3)
    assert verify(str(tmp_path / "out")).problems == ()
    write_report_page(str(tmp_path / "out"))
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "<figcaption>rendered" not in page and "converted" in page


def test_the_networks_get_the_boundaries_of_labels_and_objects(labels: Any, make_label_job: MakeJob) -> None:
    plane = np.zeros((32, 48), np.uint8)
    objects = np.zeros((32, 48), np.uint16)
    objects[:, 24:] = 7
    for path in labels.root.glob("*/semantic/*.png"):
        assert cv2.imwrite(str(path), plane)
        labels.write(f"{path.parents[1].name}/instance/{path.name}", cv2.imencode(".png", objects)[1].tobytes())
    resolved = resolve_job(make_label_job(include=["edge"]))
    assert "instance" not in resolved.settings.columns
    picture = decode_frame(resolved.frames[0], resolved.settings).render
    assert np.flatnonzero(np.diff(picture[..., 0].astype(int), axis=1).any(axis=0)).tolist() == [23]


def test_images_of_another_size_are_drawn_at_that_size(
    labels: Any, make_label_job: MakeJob, read_dataset: ReadRows, tmp_path: Path
) -> None:
    job = make_label_job(size="24x16")
    frame = resolve_job(job).frames[0]
    picture = decode_frame(frame, resolve_job(job).settings).render
    label = cv2.imread(str(labels.root / frame.ref.label), cv2.IMREAD_UNCHANGED)
    small = cv2.resize(label, (24, 16), interpolation=cv2.INTER_NEAREST_EXACT)
    steps = np.diff(picture[..., 0].astype(int))
    assert np.array_equal(steps != 0, np.diff(small.astype(int)) != 0)
    convert(job)
    row = read_dataset(tmp_path / "out")[0]
    assert np.array_equal(cv2.imdecode(np.frombuffer(row["label"]["bytes"], np.uint8), cv2.IMREAD_UNCHANGED), small)


def test_an_unchanged_dump_is_not_converted_again_and_a_changed_label_is(
    labels: Any, make_label_job: MakeJob, snapshot: Callable[[str | Path], dict[str, str]], tmp_path: Path
) -> None:
    convert(make_label_job())
    before = snapshot(tmp_path / "out" / "data")
    assert convert(make_label_job()).shards_converted == 0
    assert snapshot(tmp_path / "out" / "data") == before
    label = np.zeros((32, 48), np.uint8)
    label[:, 20:] = 4
    labels.write("town01/semantic/0001.png", cv2.imencode(".png", label)[1].tobytes())
    assert convert(make_label_job()).shards_converted == 1
    assert verify(str(tmp_path / "out")).problems == ()


def test_pictures_that_come_later_are_followed(
    labels: Any, make_label_job: MakeJob, read_dataset: ReadRows, tmp_path: Path
) -> None:
    convert(make_label_job())
    first = {row["sample_id"]: row["image"]["bytes"] for row in read_dataset(tmp_path / "out")}
    for sequence in ("town01", "town02"):
        for frame in range(6):
            labels.add_frame(sequence, frame)
    convert(make_label_job())
    rows = read_dataset(tmp_path / "out")
    assert {row["appearance"] for row in rows} == {1.0} and len(rows) == 12
    assert all(first[row["sample_id"]] != row["image"]["bytes"] for row in rows)


@pytest.mark.parametrize(
    ("fields", "rule", "hint"),
    [
        ({"appearance": "full"}, "no pictures that images could follow", "leave out --appearance"),
        ({"appearance": "0.5"}, "no pictures that images could follow", "labels alone"),
        ({"smooth": 1.0}, "no pictures", "--smooth 0"),
        ({"include": ["render"]}, "include render: the dump has no such files", "it has"),
    ],
)
def test_what_needs_pictures_is_refused(make_label_job: MakeJob, fields: dict[str, Any], rule: str, hint: str) -> None:
    with pytest.raises(UsageError, match=rule) as caught:
        convert(make_label_job(**fields))
    assert hint in caught.value.hint


def test_palette_is_what_such_dumps_get_anyway(make_label_job: MakeJob, read_dataset: ReadRows, tmp_path: Path) -> None:
    images = []
    for name, fields in (("a", {}), ("b", {"appearance": "palette", "smooth": 0.0})):
        convert(make_label_job(out_dir=str(tmp_path / name), **fields))
        images.append([row["image"]["bytes"] for row in read_dataset(tmp_path / name)])
    assert images[0] == images[1]


def test_flow_does_not_smooth_without_pictures_and_says_so(labels: Any, make_label_job: MakeJob) -> None:
    for path in labels.root.glob("*/semantic/*.png"):
        flow = labels.root / path.parents[1].name / "flow" / f"{path.stem}.npy"
        flow.parent.mkdir(exist_ok=True)
        np.save(flow, np.zeros((32, 48, 2), np.float32))
    summary = convert(make_label_job())
    assert any("not smoothed" in warning and "no pictures" in warning for warning in summary.warnings)


def test_a_label_that_cannot_be_read_is_quarantined_alone(
    labels: Any, make_label_job: MakeJob, read_quarantine: ReadRows, tmp_path: Path
) -> None:
    labels.write("town01/semantic/0002.png", b"no picture")
    assert convert(make_label_job(max_bad_fraction=0.5)).quarantined == 1
    (row,) = read_quarantine(tmp_path / "out")
    assert (row["sample_id"], row["source_uri"]) == ("town01/0002", "town01/semantic/0002.png")
    assert "town01/semantic/0002.png" in row["message"]


def test_one_sequence_without_pictures_is_left_out_of_a_dump_with_pictures(dump: Any) -> None:
    for path in (dump.root / "town02" / "rgb").iterdir():
        path.unlink()
    (dump.root / "town02" / "rgb").rmdir()
    found = discover(str(dump.root))
    assert {frame.sequence_id for frame in found.frames} == {"town01"}
    assert [(problem.kind, len(problem.paths)) for problem in found.problems] == [("missing_render", 6)]


def test_an_empty_folder_of_pictures_is_not_a_dump_without_them(dump: Any) -> None:
    for path in dump.root.glob("*/rgb/*.png"):
        path.unlink()
    with pytest.raises(DumpError, match="12 labels without a picture"):
        discover(str(dump.root))


def test_pictures_in_a_folder_of_another_name_are_not_overlooked(dump: Any) -> None:
    for folder in list(dump.root.glob("*/rgb")):
        folder.rename(folder.parent / "views")
    with pytest.raises(DumpError, match="no known layout") as caught:
        discover(str(dump.root))
    assert "render={scene}/views/{frame}.png" in caught.value.hint


def test_inspection_shows_labels_alone(labels: Any, appearance_bundle: Path) -> None:
    found = inspect_dump(labels.root, bundle=str(appearance_bundle), thumbnails=2)
    assert found.modalities == ("label",) and found.sizes == {"48x32": 12}
    assert [(problem.kind, problem.severity) for problem in found.problems] == [("no_renders", "warning")]
    assert found.failure == "" and not found.leaves_out
    height, width, _ = found.thumbnails[0].picture.shape
    assert height == round(width * 32 / 48)  # the label, and no picture beside it


def test_what_compares_with_pictures_says_what_is_missing(labels: Any, make_label_job: MakeJob, tmp_path: Path) -> None:
    convert(make_label_job())
    with pytest.raises(DumpError, match="has labels and no pictures"):
        FolderPhotos(str(labels.root))
    with pytest.raises(DumpError, match="has labels and no pictures"):
        open_rendered(DatasetPhotos(str(tmp_path / "out")), split=None, dump=None)
    with pytest.raises(UsageError, match="render"):
        DatasetPhotos(str(tmp_path / "out"), None, "render")


def test_pictures_of_a_stated_layout_are_found_again(dump: Any, make_job: MakeJob, tmp_path: Path) -> None:
    (dump.root / "dataset.yaml").unlink()
    for kind, name in (("rgb", "views"), ("semantic", "ids")):
        for folder in list(dump.root.glob(f"*/{kind}")):
            folder.rename(folder.parent / name)
    layout = "render={sequence}/views/{frame}.png,label={sequence}/ids/{frame}.png"
    convert(make_job(layout=layout, label_space="camvid11", include=["edge"], contradictions="ignore"))
    rendered = open_rendered(DatasetPhotos(str(tmp_path / "out")), split=None, dump=None)
    assert rendered is not None and len(rendered) == 12


def test_fingerprints_of_dumps_with_pictures_do_not_state_that_they_have_them(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = resolve_job(make_job()).settings
    described: list[dict[str, Any]] = []

    def note(content: dict[str, Any]) -> str:
        described.append(content)
        return compute_digest(content)

    monkeypatch.setattr("sflow_pipeline.conversion.settings.compute_digest", note)
    assert isinstance(settings, ConversionSettings)
    assert replace(settings).fingerprint != replace(settings, has_renders=False).fingerprint
    assert ["has_renders" in content for content in described] == [False, True]


def test_untagged_sky_of_old_carla_is_no_void(
    make_job: MakeJob, read_quarantine: ReadRows, read_dataset: ReadRows, tmp_path: Path
) -> None:
    for number in range(8):  # more and more sky, which has tag 0
        label = np.full((32, 48), 7, np.uint8)
        label[: 2 if number < 7 else 28] = 0
        path = tmp_path / "labels" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), label)
    stated = {"layout": "label={frame}.png", "label_space": "carla-0.9.9", "max_void_fraction": 0.01}
    summary = convert(make_job(sim_dir=str(tmp_path / "labels"), **stated))
    assert len(read_dataset(tmp_path / "out")) == 8 and not read_quarantine(tmp_path / "out")
    assert not any("no class for" in warning for warning in summary.warnings)


def test_genuine_labels_of_carla(
    shared_data: Path, random_bundle: Path, tmp_path: Path, read_dataset: ReadRows
) -> None:
    root = shared_data / "carla-idrees-semantic"
    if not root.is_dir():
        pytest.skip(f"{root} is missing")
    places = {"sim_dir": str(root), "out_dir": str(tmp_path / "out"), "bundle": str(random_bundle)}
    labels = {"layout": "label=autoencoder/dataset/{split}/class1/{frame}.png", "label_space": "carla-0.9.9"}
    convert(build_job({**places, **labels, "label_encoding": "palette", "limit": 4, "workers": 1, "precision": "fp32"}))
    rows = read_dataset(tmp_path / "out")
    assert [row["split"] for row in rows] == ["test"] * 4
    for row in rows:
        assert row["label"]["bytes"] == (root / row["source_uri"]).read_bytes()
