"""Flags, job keys and the README say the same things, and a wrong word is answered with the right one."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from sflow_pipeline.cli.app import app
from sflow_pipeline.config.job import ConvertJob

ROOT = Path(__file__).parents[2]
COMMANDS = get_command(app).commands
#: What is not a job's business: asking first, and how the answer is printed.
NOT_OF_THE_JOB = {"dry_run", "quiet", "as_json", "help"}


def test_every_flag_of_convert_is_a_field_of_the_job_and_back() -> None:
    flags = {parameter.name for parameter in COMMANDS["convert"].params} - NOT_OF_THE_JOB
    assert flags == set(ConvertJob.model_fields)


def test_flags_are_spelled_as_their_fields() -> None:
    for parameter in COMMANDS["convert"].params:
        if parameter.name not in {*NOT_OF_THE_JOB, "sim_dir", "out_dir"}:
            assert parameter.opts[0] == "--" + parameter.name.replace("_", "-")


def test_defaults_are_the_jobs_alone() -> None:
    given = {
        p.name: p.default for p in COMMANDS["convert"].params if p.name not in {*NOT_OF_THE_JOB, "sim_dir", "out_dir"}
    }
    assert set(given.values()) == {None}


def test_the_help_page_states_the_defaults() -> None:
    """A default that the job has is shown as it is written; null, which means a choice, is described."""
    for parameter in COMMANDS["convert"].params:
        if parameter.name in {*NOT_OF_THE_JOB, "sim_dir", "out_dir"}:
            continue
        shown, default = parameter.show_default, ConvertJob.model_fields[parameter.name].default
        assert isinstance(shown, str) and shown, parameter.name
        if isinstance(default, bool):
            name = parameter.name.replace("_", "-")
            assert shown in ((name if default else f"no-{name}"), "yes" if default else "no")
        elif isinstance(default, tuple):
            assert shown == ",".join(default)
        elif default is not None:
            assert shown == (f"{default:g}" if isinstance(default, float) else str(default)), parameter.name


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["convert", "a", "b", "--varients", "3"], "no such option: --varients", "did you mean --variants?"),
        (["convrt", "a", "b"], "convrt", "did you mean"),
        (["list", "simulator"], "simulator", "did you mean simulators?"),
        (["inspect", "a", "--simulator", "Carle"], "Carle", "did you mean carla?"),
        (["convert", "a", "b", "--format", "parqet"], "parqet", "did you mean parquet?"),
        (["convert", "a"], "OUT_DIR", "sflow-pipeline convert --help"),
        (["convert", "a", "b", "--variants", "many"], "--variants", "sflow-pipeline convert --help"),
        (["train", "sflow", "--out", "x"], "--data", "sflow-pipeline train --help"),
        (["convert", "a", "b", "--size"], "--size", "sflow-pipeline"),
    ],
)
def test_wrong_words_get_the_right_one(arguments: list[str], message: str, hint: str, run_here) -> None:
    done = run_here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    error, suggestion = done.stderr.splitlines()
    assert error.startswith("error: ") and suggestion.startswith("hint: ")
    assert message in error
    assert hint.lower() in done.stderr.lower()


def test_an_unknown_job_key_is_answered_with_file_key_and_nearest_name(run_here, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("sim_dir: a\nout_dir: b\nvarients: 3\n")
    done = run_here("run", job)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {job}: varients: no such key\nhint: did you mean variants?\n"


def test_a_wrong_set_is_explained(run_here, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("sim_dir: a\nout_dir: b\n")
    for setting, word in (("variants", "KEY=VALUE"), ("variants=0", "variants"), ("sizes=9x9", "did you mean size?")):
        done = run_here("run", job, "--set", setting)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ") and word in done.stderr


def find_commands(page: Path) -> list[str]:
    """Lines of code blocks and code spans of a page that call the program."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.S | re.M)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    spans = re.findall(r"`(sflow-pipeline [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    return [re.split(r"\s#|[|>]", line)[0].strip() for line in [*lines, *spans] if line.startswith("sflow-pipeline ")]


PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/api.md",
    ROOT / "docs/layouts.md",
    ROOT / "docker/README.md",
    ROOT / "models/README.md",
    *sorted(ROOT.glob("models/*/README.md")),
]
DOCUMENTED = [
    pytest.param(line, id=f"{page.relative_to(ROOT)}: {line}")
    for page in PAGES
    if page.is_file()
    for line in dict.fromkeys(find_commands(page))
]


def parse(line: str) -> None:
    """Let the command read its arguments as it would, and go no further; typer raises what it does not understand."""
    program, name, *arguments = shlex.split(line)
    assert program == "sflow-pipeline"
    COMMANDS[name].make_context(name, arguments)


def test_the_readme_shows_how_to_call_the_program() -> None:
    assert len(find_commands(ROOT / "README.md")) > 5


@pytest.mark.parametrize("line", DOCUMENTED)
def test_documented_command_is_understood(line: str) -> None:
    parse(line)


def test_flags_of_the_readmes_table_exist() -> None:
    table = re.findall(r"^\| [^|]+ \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M)
    flags = [span for cell in table for span in re.findall(r"`(--[^`]+)`", cell)]
    assert flags
    for flag in flags:
        parse(f"sflow-pipeline convert SIM_DIR OUT_DIR {flag}")


@pytest.mark.parametrize("line", ["sflow-pipeline convert SIM_DIR", "sflow-pipeline convert A B --varients 3"])
def test_a_wrong_command_would_be_noticed(line: str) -> None:
    with pytest.raises(typer.BadParameter.__mro__[1]):
        parse(line)
