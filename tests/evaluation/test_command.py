"""``sflow-pipeline evaluate`` as a person or a script meets it."""

import json
from collections.abc import Callable
from pathlib import Path

Write = Callable[..., Path]


def test_one_dataset_and_the_oracle(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    judge_file: Path,
    write_photos: Write,
    write_dataset: Write,
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    code, printed, _progress = run(out, "--reference", real, "--judge", judge_file)
    assert code == 0
    assert "| out | 4 | 64x48 | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] | 100.0% |" in printed
    assert f"written: {out}/report/metrics.json" in printed
    code, printed, _progress = run(out, "--reference", real, "--judge", judge_file, "--json")
    assert json.loads(printed) == json.loads((out / "report" / "metrics.json").read_text())


def test_a_preview_does_not_take_the_place_of_the_whole(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    judge_file: Path,
    write_photos: Write,
    write_dataset: Write,
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    given = (out, "--reference", real, "--judge", judge_file)
    assert run(*given)[0] == 0
    whole = (out / "report" / "metrics.json").read_bytes()
    code, printed, _progress = run(*given, "--limit", 2)
    assert code == 0
    assert "| out | 2 |" in printed and "metrics.json" not in printed
    assert (out / "report" / "metrics.json").read_bytes() == whole


def test_comparison_goes_where_it_is_wanted(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], judge_file: Path, write_photos: Write
) -> None:
    real, sim = write_photos(tmp_path / "real"), write_photos(tmp_path / "sim", wrong=0.5)
    code, _printed, message = run(real, sim, "--reference", real, "--judge", judge_file)
    assert (code, "--compare" in message) == (2, True)
    table = tmp_path / "table"
    code, printed, _progress = run("--compare", sim, "--reference", real, "--judge", judge_file, "--out", table)
    assert code == 0
    assert {path.name for path in table.iterdir()} == {"comparison.md", "comparison.json", "comparison.svg"}
    assert (table / "comparison.md").read_text().splitlines()[:4] == printed.splitlines()[:4]


def test_flags_describe_a_network_without_yaml(
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    save_segmenter: Callable[[list[str]], Path],
    write_photos: Write,
) -> None:
    names = "sky building pole road pavement tree sign fence car pedestrian bicyclist"
    judge, real = save_segmenter(names.split()), write_photos(tmp_path / "real")
    code, _printed, message = run("--reference", real, "--judge", judge)
    assert code == 2 and "add --judge-size WxH" in message
    code, _printed, message = run("--reference", real, "--judge", judge, "--judge-size", "64x48")
    assert code == 2 and "--judge-label-space" in message
    flags = ("--judge-size", "64x48", "--judge-label-space", "camvid11")
    code, printed, _message = run("--reference", real, "--judge", judge, *flags)
    assert code == 0 and "| real photos (oracle) | 4 | 64x48 | 1.000" in printed


def test_without_flags_the_segmenter_of_a_bundle_judges_and_extracts(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], write_photos: Write
) -> None:
    real, sim = write_photos(tmp_path / "real"), write_photos(tmp_path / "sim")
    code, printed, _message = run(sim, "--reference", real, "--json")
    assert code == 0
    protocol = json.loads(printed)["protocol"]
    assert protocol["extractor"]["name"] == "sflow_segmenter"
    assert protocol["extractor"]["sha256"] == protocol["judge"]["sha256"]
    code, printed, _message = run(sim, "--reference", real, "--extractor", "none", "--json")
    assert code == 0 and "extractor" not in json.loads(printed)["protocol"]
