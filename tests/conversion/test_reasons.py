"""quarantine/reasons.txt says in plain text what the quarantine rows say, whatever happened in between."""

from pathlib import Path

import pytest

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import DumpError


def read_lines(out_dir: str) -> list[list[str]]:
    text = (Path(out_dir) / "quarantine/reasons.txt").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [line.split("\t") for line in text[:-1].split("\n")]


def spoil(dump, sequence: str, frame: int) -> None:
    dump.write(f"{sequence}/rgb/{frame:04}.png", b"no picture")


def test_it_is_renewed_and_removed(dump, make_job, read_quarantine, snapshot, tmp_path):
    spoil(dump, "town01", 1)
    dump.write("town02/rgb/0099.png", (dump.root / "town02/rgb/0000.png").read_bytes())  # without a label
    job = make_job(max_bad_fraction=0.5)
    convert(job)
    rows = {(row["sample_id"] or row["source_uri"], row["reason"]) for row in read_quarantine(job.out_dir)}
    assert len(rows) == 2
    assert {(line[0], line[1]) for line in read_lines(job.out_dir)} == rows
    assert all(len(line) == 3 and line[2] for line in read_lines(job.out_dir))
    assert verify(job.out_dir).problems == ()

    spoil(dump, "town02", 2)
    convert(job)
    assert {line[0] for line in read_lines(job.out_dir)} == {"town01/0001", "town02/0002", "town02/rgb/0099.png"}
    fresh = make_job(max_bad_fraction=0.5, out_dir=str(tmp_path / "fresh"))
    convert(fresh)
    assert snapshot(job.out_dir) == snapshot(fresh.out_dir)

    reasons = Path(job.out_dir) / "quarantine/reasons.txt"
    reasons.write_text("town01/0001\tbad_picture\tedited\n")
    assert any("reasons.txt" in problem for problem in verify(job.out_dir).problems)
    reasons.unlink()
    assert any("reasons.txt" in problem for problem in verify(job.out_dir).problems)
    convert(job)
    assert verify(job.out_dir).problems == ()

    dump.add_frame("town01", 1)
    dump.add_frame("town02", 2)
    (dump.root / "town02/rgb/0099.png").unlink()
    convert(job)
    assert not reasons.exists()
    assert verify(job.out_dir).problems == ()


def test_a_job_over_the_limit_leaves_it(dump, make_job):
    for frame in range(4):
        spoil(dump, "town01", frame)
    job = make_job(max_bad_fraction=0.1)
    with pytest.raises(DumpError) as stopped:
        convert(job)
    assert "quarantine/reasons.txt" in stopped.value.hint
    assert {line[0] for line in read_lines(job.out_dir)} <= {f"town01/000{frame}" for frame in range(4)}


def test_names_with_tabs_and_line_feeds_stay_on_their_lines(dump, make_job):
    dump.write("town01/rgb/0007\tb\nc.png", b"no picture")
    dump.write("town01/semantic/0007\tb\nc.png", (dump.root / "town01/semantic/0000.png").read_bytes())
    job = make_job(max_bad_fraction=0.5)
    convert(job)
    lines = read_lines(job.out_dir)
    assert [len(line) for line in lines] == [3, 3]
    assert lines[0][:2] == [r"town01/rgb/0007\tb\nc.png", "unsafe_name"]
