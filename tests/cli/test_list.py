"""`list` has the names that other commands take."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    "simulators": {"carla", "folder", "replicator", "cityscapes"},
    "label-spaces": {path.stem for path in (ROOT / "sflow_pipeline/label_spaces/data").glob("*.yaml")},
    "bundles": {path.parent.name for path in (ROOT / "models").glob("*/bundle.yaml")},
    "columns": {"sample_id", "image", "label", "depth", "edge_f1"},
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_as_json_and_as_text(kind: str, run_here) -> None:
    done = run_here("list", kind, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    names = [row["name"] for row in json.loads(done.stdout)]
    assert NAMES[kind] <= set(names)
    lines = run_here("list", kind).stdout.splitlines()
    assert [line.split()[0] for line in lines] == names


def test_column_choices_are_those_of_include(run_here) -> None:
    rows = json.loads(run_here("list", "columns", "--json").stdout)
    chosen = {row["name"] for row in rows if row["in_a_row"] == "--include"}
    refused = run_here("convert", "a", "b", "--include", ",".join([*sorted(chosen), "image"]))
    (error,) = refused.stderr.splitlines()  # several mistakes have several lines
    assert refused.returncode == 2 and error.startswith("error: --include: must be one of ")
    assert error.endswith(", not 'image'")
