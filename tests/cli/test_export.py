"""`export` on the command line: a summary for people, JSON for programs, exit codes for scripts."""

import json
from pathlib import Path


def test_summary_says_what_became_of_labels(run_here, convert_streets, tmp_path: Path) -> None:
    out = convert_streets(format="parquet", variants=2)
    done = run_here("export", out, tmp_path / "cs", "--to", "cityscapes", "--variant", "1")
    assert done.returncode == 0
    assert "8 rows" in done.stdout and "labels: remapped from cityscapes19" in done.stdout
    assert len(list((tmp_path / "cs").rglob("*_leftImg8bit.png"))) == 8


def test_json_is_one_document(run_here, convert_streets, tmp_path: Path) -> None:
    out = convert_streets(format="parquet", variants=2)
    done = run_here("export", out, tmp_path / "tars", "--to", "webdataset", "--split", "train", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (summary["rows"], summary["to"], summary["dest"]) == (16, "webdataset", str(tmp_path / "tars"))
    assert summary["size_bytes"] == sum(path.stat().st_size for path in (tmp_path / "tars").rglob("*"))


def test_wrong_words_and_taken_folders(run_here, convert_streets, tmp_path: Path) -> None:
    out = convert_streets(format="parquet", variants=2)
    done = run_here("export", out, tmp_path / "dest", "--to", "pascal")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --to pascal: no such format, expected one of cityscapes, png")
    (tmp_path / "mine.txt").write_text("mine")
    done = run_here("export", out, tmp_path, "--to", "png")
    assert done.returncode == 1 and "mine.txt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
