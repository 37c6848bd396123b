"""How a command ends: its exit code, what it prints where, and what it leaves behind when it is stopped."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ESCAPE = "\x1b"


def assert_two_line_error(done, *words: str) -> None:
    """`error:` and `hint:` close stderr, progress may stand above them, stdout is empty."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ") and hint.startswith("hint: ")
    for word in words:
        assert word in done.stderr


@pytest.fixture
def convert(run_here, dump: Path, bundle: Path, tmp_path: Path):
    """Run `convert` on the dump with one worker and some more arguments."""

    def start(*arguments: str):
        return run_here("convert", dump, tmp_path / "out", "--bundle", bundle, "--workers=1", "--gate=off", *arguments)

    return start


def test_clean(convert, run, run_here, dump: Path, bundle: Path, tmp_path: Path) -> None:
    done = run("convert", dump, tmp_path / "out", "--bundle", bundle, "--workers=1", "--gate=off", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["exit_code"], summary["rows"], summary["quarantined"]) == (0, 3, 0)
    assert Path(summary["contact_sheet"]).is_file()
    verified = run_here("verify", tmp_path / "out", "--json")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert json.loads(verified.stdout)["rows"] == 3

    again = convert()  # nothing to do; progress to stderr, the summary to stdout, no colours in either
    assert again.returncode == 0
    assert "1 unchanged" in again.stdout
    assert "reading the dump" in again.stderr and "reading the dump" not in again.stdout
    assert ESCAPE not in again.stdout + again.stderr

    shard = next((tmp_path / "out/data").rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-200])
    broken = run_here("verify", tmp_path / "out")
    assert broken.returncode == 1
    assert shard.name in broken.stderr


def test_what_verify_names_updates_a_change_that_size_and_time_hide(
    convert, run_here, dump: Path, tmp_path: Path
) -> None:
    label = dump / "town/semantic/0000.png"
    before, after = (path.read_bytes().ljust(400, b"\0") for path in (label, dump / "town/semantic/0001.png"))
    label.write_bytes(before)
    times = label.stat()
    assert convert().returncode == 0
    label.write_bytes(after)
    os.utime(label, ns=(times.st_atime_ns, times.st_mtime_ns))

    def read_labels() -> list[bytes]:
        shards = sorted((tmp_path / "out/data").rglob("*.parquet"))
        return [row["bytes"] for shard in shards for row in pq.read_table(shard)["label"].to_pylist()]

    assert "1 unchanged" in convert().stdout
    said = run_here("verify", tmp_path / "out").stdout
    assert "1 rows: the source has changed; run convert again with --content-hash" in said
    assert before in read_labels() and after not in read_labels()
    assert convert("--content-hash").returncode == 0
    assert before not in read_labels() and after in read_labels()
    assert "the source has changed" not in run_here("verify", tmp_path / "out").stdout


def test_a_dry_run_tells_ci_whether_there_is_work(convert, run_here, dump: Path, bundle: Path, tmp_path: Path) -> None:
    assert convert("--dry-run").returncode == 10
    assert convert().returncode == 0
    nothing = convert("--dry-run")
    assert (nothing.returncode, nothing.stdout.splitlines()[-1]) == (0, "up to date")
    job = tmp_path / "job.yaml"
    job.write_text(f"sim_dir: {dump}\nout_dir: {tmp_path / 'out'}\nbundle: {bundle}\nworkers: 1\ngate: off\nlimit: 2\n")
    assert run_here("run", job, "--set", "limit=null", "--dry-run").returncode == 0
    refused = run_here("run", job, "--dry-run", "--json")
    assert refused.returncode == 1
    plan = json.loads(refused.stdout)
    assert (plan["rows_before"], plan["needs_replace"], plan["losses"][0]["rows"]) == (3, True, 1)
    assert {"name": "limit", "before": None, "after": 2} in plan["settings"]
    assert run_here("run", job, "--dry-run", "--set", "replace=true").returncode == 10
    assert run_here("run", job, "--set", "replace=true").returncode == 0


def test_quarantined_frames_end_with_3(convert, dump: Path) -> None:
    picture = dump / "town/rgb/0001.png"
    picture.write_bytes(picture.read_bytes()[:40])
    done = convert("--json", "--max-bad-fraction=0.5")
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert (summary["exit_code"], summary["rows"], summary["quarantined"]) == (3, 2, 1)


@pytest.mark.parametrize("name", ["my out", "dol$lar", "it's", "-out"])
def test_the_command_that_follows_can_be_pasted(
    run_here, dump: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here("convert", "--bundle", bundle, "--workers=1", "--gate=off", "--", dump, name)
    following = done.stdout.splitlines()[-1].removeprefix("next: ")
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {following}"], capture_output=True, text=True, check=True)
    assert run_here(*words.stdout.splitlines()[1:]).returncode == 0


def test_a_page_is_not_written_in_place_of_a_folder(run_here, dump: Path) -> None:
    done = run_here("inspect", dump, "--html", dump)
    assert done.returncode == 2
    assert_two_line_error(done, f"--html {dump}: a folder", f"{dump}/dump.html")


def test_too_many_bad_frames_end_with_1(convert, dump: Path) -> None:
    for picture in (dump / "town/rgb").iterdir():
        picture.write_bytes(b"no picture")
    done = convert()
    assert done.returncode == 1
    assert_two_line_error(done, "--max-bad-fraction")


def test_what_cannot_start_ends_with_1(run_here, bundle: Path, dump: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    cases = [
        (["convert", tmp_path / "gone", tmp_path / "out", "--bundle", bundle], ["gone", "does not exist"]),
        (["convert", dump, tmp_path / "mine", "--bundle", bundle], ["mine", "thesis.tex"]),
        (["convert", dump, tmp_path / "out", "--bundle", tmp_path / "empty"], ["bundle.yaml"]),
        (["inspect", tmp_path / "empty"], ["empty"]),
        (["verify", tmp_path / "empty"], ["empty"]),
    ]
    for arguments, words in cases:
        done = run_here(*arguments)
        assert done.returncode == 1, arguments
        assert_two_line_error(done, *words)
    assert not (tmp_path / "out").exists()


def test_usage_errors_end_with_2(run_here, dump: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (["convert", dump, dump / "out"], ["inside"]),
        (["simulate", tmp_path / "streets", "--size", "big"], ["--size big", "512x256"]),
        (["inspect", dump, "--simulator", "carle"], ["carle", "did you mean carla?"]),
        (["run", tmp_path / "gone.yaml"], ["gone.yaml"]),
    ):
        done = run_here(*arguments)
        assert done.returncode == 2, arguments
        assert_two_line_error(done, *words)


def test_no_command_shows_the_help_page(run) -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage: sflow-pipeline" in done.stdout + done.stderr
    assert "error:" not in done.stderr


def test_version(run) -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sflow-pipeline ") and done.stdout.split()[1][0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "exit_code"), [(["inspect", "{dump}"], 0), (["convert", "{dump}", "{dump}-out", "--dry-run"], 10)]
)
def test_json_is_one_document(arguments: list[str], exit_code: int, run_here, dump: Path, bundle: Path) -> None:
    more = ["--bundle", bundle, "--gate=off"] if arguments[0] == "convert" else []
    done = run_here(*(word.format(dump=dump) for word in arguments), *more, "--json")
    assert (done.returncode, done.stderr) == (exit_code, "")
    assert json.loads(done.stdout)["frames"] == 3


def test_a_reader_that_leaves_is_no_error(command: list[str], environment, dump: Path) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    try:
        for arguments in (["inspect", str(dump), "--json"], ["inspect", str(dump)], ["--help"], ["--version"]):
            done = subprocess.run(
                [*command, *arguments],
                stdout=writable,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
                timeout=60,
            )
            assert (done.returncode, done.stderr) == (1, ""), arguments
    finally:
        os.close(writable)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped(
    number: signal.Signals, code: int, start_process, command: list[str], environment, dump: Path, bundle: Path
) -> None:
    out = Path(f"{dump}-out")
    arguments = ["convert", str(dump), str(out), "--bundle", str(bundle), "--workers=1", "--variants=500"]
    process = start_process(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        deadline = time.monotonic() + 120
        while (
            not (out / ".sflow/label_counts.parquet").exists()
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        process.send_signal(number)
        printed, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, printed) == (code, "")
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert not list(out.rglob("*lock*"))
