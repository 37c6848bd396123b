"""A bundle that was trained with instances paints from the dump's; without them it says so before it starts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sflow_pipeline.bundle import build_random_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.errors import DumpError


@pytest.fixture(scope="session")
def instance_bundle(tmp_path_factory) -> str:
    fields = {"generator": {"width": 9, "blocks": 1, "use_instances": True}, "dned": {"widths": (4, 4, 4, 4, 4)}}
    path = tmp_path_factory.mktemp("bundles") / "instances"
    build_random_bundle(path, seed=3, recipe=Recipe.model_validate({"name": "instances", **fields}))
    return str(path)


def write_instances(dump, value: int, skip: str = "") -> None:
    for render in sorted(dump.root.glob("*/rgb/*.png")):
        plane = np.zeros(cv2.imread(str(render)).shape[:2], np.uint16)
        plane[8:20, 10:30] = value
        name = f"{render.parent.parent.name}/instance/{render.name}"
        if name != skip:
            dump.write(name, cv2.imencode(".png", plane)[1].tobytes())


def read_photos(rows) -> list[bytes]:
    return [row["image"]["bytes"] for row in rows]


def test_instances_shape_the_photo_whether_or_not_they_are_a_column(
    dump, make_job, instance_bundle, read_dataset, tmp_path
):
    outs = {}
    for name, value, include in (("with", 5, None), ("without", 5, ["edge"]), ("none", 0, None)):
        write_instances(dump, value)
        job = make_job(bundle=instance_bundle, contradictions="ignore", out_dir=str(tmp_path / name), include=include)
        assert convert(job).status == "clean"
        outs[name] = read_dataset(job.out_dir)
    assert "instance" in outs["with"][0]
    assert "instance" not in outs["without"][0]
    assert read_photos(outs["with"]) == read_photos(outs["without"])
    assert all(a != b for a, b in zip(read_photos(outs["with"]), read_photos(outs["none"]), strict=True))


def test_a_changed_instance_file_is_converted_again(dump, make_job, instance_bundle, read_dataset):
    write_instances(dump, 5)
    job = make_job(bundle=instance_bundle, contradictions="ignore", include=["edge"])
    convert(job)
    before = read_photos(read_dataset(job.out_dir))
    plane = np.zeros((32, 48), np.uint16)
    plane[2:30, 2:20] = 9
    dump.write("town01/instance/0002.png", cv2.imencode(".png", plane)[1].tobytes())
    convert(job)
    after = read_photos(read_dataset(job.out_dir))
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [2]


def test_a_dump_without_instances_is_refused(make_job, instance_bundle):
    job = make_job(bundle=instance_bundle)
    with pytest.raises(DumpError, match="no instance files, and bundle instances paints from instance boundaries") as e:
        convert(job)
    assert "use_instances: false" in e.value.hint
    assert not list(Path(job.out_dir).glob("data"))


def test_a_frame_without_instances_is_quarantined(dump, make_job, instance_bundle, read_quarantine):
    write_instances(dump, 5, skip="town02/instance/0003.png")
    job = make_job(bundle=instance_bundle, contradictions="ignore", max_bad_fraction=0.2)
    assert convert(job).status == "quarantined"
    (row,) = read_quarantine(job.out_dir)
    assert (row["sample_id"], row["reason"]) == ("town02/0003", "no_instance")


def test_another_size_takes_the_nearest_instance(dump, make_job, instance_bundle, read_dataset):
    write_instances(dump, 5)
    job = make_job(bundle=instance_bundle, contradictions="ignore", size=(24, 16))
    assert convert(job).status == "clean"
    assert len(read_dataset(job.out_dir)) == 12
