"""Job files: environment variables, the date, chains of steps, and the schema that editors check them by."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sflow_pipeline.config.job_schema import write_job_schema
from sflow_pipeline.config.placeholders import fill_in
from sflow_pipeline.config.steps import ExportStep, load_job_file
from sflow_pipeline.errors import ConfigError
from sflow_pipeline.export.formats import FORMATS

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "pipelines/job.schema.json"


@pytest.fixture
def write(tmp_path: Path):
    def to(text: str) -> Path:
        path = tmp_path / "job.yaml"
        path.write_text(text)
        return path

    return to


def test_variables_and_dollars(write, monkeypatch):
    monkeypatch.setenv("SIM_DIR", "/data/run 7")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NOT_SET", raising=False)
    job = (
        load_job_file(
            write("sim_dir: ${SIM_DIR}/a\nout_dir: cost$$5${EMPTY}\nvariants: ${NOT_SET:-3}\nsplit: ${EMPTY:-val}\n")
        )
        .steps[0]
        .convert
    )
    assert (job.sim_dir, job.out_dir, job.variants, job.split) == ("/data/run 7/a", "cost$5", 3, "val")


@pytest.mark.parametrize(
    ("value", "word"),
    [("${NOT_SET_AT_ALL}", "NOT_SET_AT_ALL"), ("${}", "must be followed"), ("${A", "must be followed")],
)
def test_a_missing_variable_is_named(value, word, write, monkeypatch):
    monkeypatch.delenv("NOT_SET_AT_ALL", raising=False)
    path = write(f"sim_dir: '{value}'\nout_dir: out\n")
    with pytest.raises(ConfigError) as caught:
        load_job_file(path)
    assert word in caught.value.message and "sim_dir" in caught.value.message and str(path) in caught.value.message


def test_the_date():
    filled = fill_in({"out_dir": "out/{date}", "layout": {"render": "rgb/{frame}.png"}}, {}, "2026-11-28", "job.yaml")
    assert filled == {"out_dir": "out/2026-11-28", "layout": {"render": "rgb/{frame}.png"}}


CHAIN = """
steps:
  - command: ./render.sh --out "my sim"
  - convert: {sim_dir: my sim, out_dir: out, variants: 2}
  - verify:
  - export: {to: coco, dest: boxes}
"""


def test_a_chain(write):
    chain = load_job_file(write(CHAIN), {"variants": "4", "export.to": "yolo"})
    assert [step.kind for step in chain.steps] == ["command", "convert", "verify", "export"]
    assert chain.steps[0].arguments == ["./render.sh", "--out", "my sim"]
    assert chain.steps[1].convert.variants == 4
    assert chain.steps[3].export.to == "yolo"


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("steps:\n- converts: {sim_dir: a, out_dir: b}\n", ["steps.0.converts"], "did you mean convert?"),
        ("steps:\n- convert: {sim_dir: a, out_dir: b, varients: 2}\n", ["steps.0.convert.varients"], "variants"),
        (
            "steps:\n- convert: {sim_dir: a, out_dir: b}\n- export: {to: cocoo, dest: c}\n",
            ["cocoo"],
            "did you mean coco?",
        ),
        ("steps:\n- verify:\n", ["step 1", "out_dir"], ""),
        ("steps:\n- {command: a, verify: {out_dir: b}}\n", ["exactly one"], ""),
        ("steps:\n- export:\n", ["steps.0", "export is empty"], ""),
        ("steps:\n- command: null\n", ["steps.0", "command is empty"], ""),
        ("steps: []\n", ["steps: must have one step or more"], ""),
        ("steps:\n- verify\n", ["steps.0: must be a mapping of keys to values, not 'verify'"], "write `verify:`"),
        ("steps:\n- convert: here\n", ["steps.0.convert: must be a mapping"], "sim_dir, out_dir"),
        ("steps:\n- command: render --out 'my sim\n", ["steps.0.command", "no closing quotation"], ""),
        ("steps:\n- command: ''\n", ["steps.0.command", "a program"], ""),
    ],
)
def test_mistakes_in_a_chain_are_named(text, words, hint, write):
    with pytest.raises(ConfigError) as caught:
        load_job_file(write(text))
    assert all(word in caught.value.message for word in words)
    assert hint in caught.value.hint


def test_a_setting_of_a_step_that_is_not_there_is_refused(write):
    with pytest.raises(ConfigError, match="no step export"):
        load_job_file(write("steps:\n- convert: {sim_dir: a, out_dir: b}\n"), {"export.to": "coco"})


def test_a_setting_of_a_step_that_is_no_mapping_names_the_step(write):
    with pytest.raises(ConfigError, match=r"steps\.0\.convert: .* not 'my sim'"):
        load_job_file(write("steps:\n- convert: my sim\n"), {"variants": "2"})


def test_export_formats_are_those_of_export():
    assert set(ExportStep.model_json_schema()["properties"]["to"]["enum"]) == set(FORMATS)


def test_the_schema_in_pipelines_is_current():
    assert SCHEMA.read_text(encoding="utf-8") == write_job_schema(), (
        "stale: sflow-pipeline schema > pipelines/job.schema.json"
    )


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("{sim_dir: a, out_dir: b}", True),
        ("{sim_dir: a, out_dir: b, size: 64x32, alpha: 'even,soft', variants: '${N}', appearance: coarse}", True),
        ("{sim_dir: a, out_dir: b, include: [edge, depth], size: [64, 32], max_bad_fraction: 2e-4, resume: no}", True),
        (CHAIN, True),
        ("{sim_dir: a}", False),
        ("{sim_dir: a, out_dir: b, varients: 2}", False),
        ("{sim_dir: a, out_dir: b, format: parqet}", False),
        ("{sim_dir: a, out_dir: b, variants: 0}", False),
        ("{steps: [{export: {to: koko, dest: c}}]}", False),
        ("{steps: []}", False),
    ],
)
def test_the_schema_says_what_the_program_says(text, is_valid, write, monkeypatch):
    monkeypatch.setenv("N", "2")
    validator = jsonschema.Draft202012Validator(json.loads(write_job_schema()))
    assert validator.is_valid(yaml.safe_load(text)) == is_valid
    if is_valid:
        assert load_job_file(write(text)).steps
    else:
        with pytest.raises(ConfigError):
            load_job_file(write(text))
