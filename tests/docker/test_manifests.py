"""The images and manifests agree with each other and with the versions this project is tested with."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / "docker" / name).read_text())


def validator(name: str) -> Draft202012Validator:
    parts = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    registry = Registry().with_resources((key, Resource.from_contents(part)) for key, part in parts.items())
    return Draft202012Validator(parts[name], registry=registry)


def pinned(package: str) -> str:
    found = re.search(rf"^{package}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found, package
    return found[1]


@pytest.mark.parametrize("kind", ["rayjob", "raycronjob"])
def test_manifest_fits_the_published_resource(kind: str) -> None:
    manifest = load(f"{kind}.yaml")
    assert list(validator(f"{kind}.json").iter_errors(manifest)) == []
    text = (ROOT / "docker" / f"{kind}.yaml").read_text()
    for wrong in (text.replace("claimName", "claimname"), text.replace("rayClusterSpec", "rayCluster")):
        assert list(validator(f"{kind}.json").iter_errors(yaml.safe_load(wrong)))


def test_nightly_job_is_the_job() -> None:
    assert load("raycronjob.yaml")["spec"]["jobTemplate"] == load("rayjob.yaml")["spec"]


def test_as_many_workers_wait_for_a_place_as_the_cluster_may_grow_to() -> None:
    cluster = load("rayjob.yaml")["spec"]["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] is True
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (workers,) = [int(item["value"]) for item in head["env"] if item["name"] == "WORKERS"]
    assert workers == sum(group["maxReplicas"] for group in cluster["workerGroupSpecs"])
    job = (ROOT / "pipelines/cluster.yaml").read_text()
    assert "\nworkers: ${WORKERS:-}\n" in job


def test_manifest_names_the_ray_of_the_images() -> None:
    assert load("rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == pinned("ray")


def test_job_of_the_manifest_is_in_the_image() -> None:
    command, verb, job = load("rayjob.yaml")["spec"]["entrypoint"].split()
    assert (command, verb) == ("sflow-pipeline", "run")
    assert (ROOT / job).is_file()


def test_image_tags_name_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    for path in [*(ROOT / "docker").glob("*.yaml"), *(ROOT / "docker").glob("Dockerfile.*"), ROOT / "docker/README.md"]:
        for tag in re.findall(r"sflow-pipeline:(\S+?)-(?:cpu|cuda)\b", path.read_text()):
            assert tag == version[1], path


@pytest.mark.parametrize("name", ["Dockerfile.cpu", "Dockerfile.cuda"])
def test_image_is_pinned_and_unprivileged(name: str) -> None:
    text = (ROOT / "docker" / name).read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"\S+:\d+\.\d+\.\d+-\S+", base) for base in bases)
    assert all("-c constraints.txt" in line for line in re.findall(r"^RUN (pip install .*)$", text, re.MULTILINE))
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["1000:1000"]
    assert len(re.findall(r"^HEALTHCHECK .*CMD ", text, re.MULTILINE)) == 1


def test_health_of_a_container_is_that_of_its_conversion(convert_streets: Callable[..., Path], tmp_path: Path) -> None:
    services = load("compose.yaml")["services"].values()
    (check,) = {tuple(service["healthcheck"]["test"]) for service in services}
    assert check[0] == "CMD-SHELL"
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    for folder, is_healthy in ((convert_streets(format="parquet", variants=2), True), (unfinished, False)):
        command = check[1].replace("$$", "$").replace("/data/out", str(folder))
        command = command.replace("sflow-pipeline", f"{sys.executable} -m sflow_pipeline")
        done = subprocess.run(["sh", "-c", command], capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert (done.returncode == 0) is is_healthy


def test_dockerignore_lets_in_what_the_images_copy() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "sflow_pipeline", "models", "pipelines"}
    assert needed <= allowed
