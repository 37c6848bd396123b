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


#: A value of each flag that means nothing, as far as the job alone can tell.
WRONG_VALUES = {
    "--size": "7", "--split": "a/b", "--variants": "0", "--alpha": "crips", "--appearance": "3",
    "--photo-colors": "2", "--own-vehicle": "pant", "--palette": "tipical", "--shifts": "9", "--smooth": "3",
    "--max-void-fraction": "2", "--max-frame-void": "7", "--max-unknown-fraction": "-1", "--max-bad-fraction": "3",
    "--include": "depth,dept", "--image-format": "gif", "--format": "parqet", "--shard-frames": "0",
    "--shard-bytes": "0", "--batch-size": "0", "--workers": "0", "--layout": "foo", "--label-encoding": "foo",
    "--instance-encoding": "foo", "--unknown-ids": "foo", "--contradictions": "foo", "--limit": "0",
    "--device": "tpu", "--precision": "fp8", "--seed": "-1", "--gate": "foo", "--gate-retries": "99",
}  # fmt: skip


@pytest.mark.parametrize("flag", WRONG_VALUES)
def test_a_wrong_value_is_refused_by_the_name_of_its_flag(flag: str, run_here) -> None:
    done = run_here("convert", "a", "b", flag, WRONG_VALUES[flag])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {flag}: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--size 7 --batch-size 0", "error: flags:\n  --size: expected WxH"),
        ("--size 7 --batch-size 0", "\n  --batch-size: must be"),
        ("--alpha even,crisp", "--alpha names 2 looks, even, crisp, and --variants is 1: "),
        ("--split train --split-by frame 0.5/0.5", "--split train and --split-by frame 0.5/0.5: give one of them\n"),
        ("--label-encoding foo --palette bar", "palette, not 'foo'\n  --palette: must be one of typical, drawn"),
    ],
)
def test_a_rule_about_several_values_names_their_flags(arguments: str, message: str, run_here) -> None:
    assert message in run_here("convert", "a", "b", *arguments.split()).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--own-vehicle-mask none.png", "--own-vehicle-mask none.png: No such file"),
        ("--include flow", "--include flow: the dump has no such files"),
        ("--simulator nope", "--simulator 'nope' is unknown"),
        ("--layout render={frame}.png", "--layout: has no pattern for label"),
        ("--gate enforce", "--gate enforce: bundle random has no segmenter"),
        ("--max-void-fraction 0", ", over --max-void-fraction 0\n"),
        ("--backend none", "--backend none: no folder of `models export`"),
        ("--backend none --shifts 2", ", and --shifts is 2\n"),
    ],
)
def test_what_the_dump_or_the_bundle_cannot_do_is_refused_by_flag_and_by_field(
    arguments: str, message: str, run_here, dump: Path, bundle: Path, tmp_path: Path
) -> None:
    """``convert`` names flags; a job file has fields, and they are named there."""
    if "void" in arguments:
        (dump / "dataset.yaml").write_text("label_space: cityscapes34\n")
    done = run_here("convert", dump, tmp_path / "out", "--bundle", bundle, *arguments.split(), "--dry-run", "--quiet")
    assert message in done.stderr
    words = iter(arguments.split())
    fields = {flag.removeprefix("--").replace("-", "_"): value for flag, value in zip(words, words, strict=True)}
    job = tmp_path / "job.yaml"
    lines = {"sim_dir": dump, "out_dir": tmp_path / "out", "bundle": bundle, **fields}
    job.write_text("".join(f'{name}: "{value}"\n' for name, value in lines.items()))
    flag = message[message.index("--") :].split()[0].strip(":")
    of_the_job = message.replace(flag, flag.removeprefix("--").replace("-", "_"))
    assert of_the_job in run_here("run", job, "--dry-run", "--quiet").stderr


def test_inspect_names_its_flags_too(run_here, dump: Path) -> None:
    assert run_here("inspect", dump, "--max-frame-void", "7").stderr.startswith("error: --max-frame-void: must be")
    (dump / "dataset.yaml").write_text("label_space: cityscapes34\n")
    done = run_here("inspect", dump, "--max-void-fraction", "0.1")
    assert "convert would stop: " in done.stdout and ", over --max-void-fraction 0.1; convert with" in done.stdout


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
