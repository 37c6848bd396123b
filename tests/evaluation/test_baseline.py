"""``evaluate --against``: an earlier evaluation as a limit, as a pipeline meets it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
Write = Callable[..., Path]


def test_a_drop_ends_with_exit_code_1(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    options = ("--reference", real, "--judge", judge_file)
    assert run(out, *options)[0] == 0
    metrics = out / "report" / "metrics.json"
    code, printed, _ = run(out, *options, "--against", metrics)
    assert code == 0 and "no score is worse" in printed
    content = json.loads(metrics.read_text())
    content["rows"][0]["name"] = "last week's"  # a single dataset may have any name
    content["rows"][0]["scores"]["miou"]["value"] = 1.25  # it is 1 now, a fifth less
    (tmp_path / "baseline.json").write_text(json.dumps(content))
    options = (*options, "--against", tmp_path / "baseline.json", "--max-drop")
    code, _, said = run(out, *options, "0.19")
    assert code == 1 and "worse: out: miou was 1.25 and is 1, 20.0% worse" in said
    assert run(out, *options, "0.21")[0] == 0
    content["rows"][0]["scores"]["miou"]["value"] = 0.5  # better than it was
    (tmp_path / "baseline.json").write_text(json.dumps(content))
    assert run(out, *options, "0")[0] == 0


@pytest.mark.parametrize(("distances", "code"), [(2, 0), (-2, 0), (0.5, 1), (-0.5, 1)])
def test_a_score_that_should_be_close_to_that_of_photos_is_worse_where_it_is_farther(
    tmp_path: Path,
    run: Run,
    extractor_file: Path,
    write_photos: Write,
    write_dataset: Write,
    distances: float,
    code: int,
) -> None:
    """Diversity was so many times as far from that of the photos as it is."""
    real = write_photos(tmp_path / "real", seed=1)
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    options = ("--reference", real, "--judge", "none", "--extractor", extractor_file)
    assert run(out, *options)[0] == 0
    content = json.loads((out / "report" / "metrics.json").read_text())
    own, photos = content["rows"]
    (metric,) = (name for name in own["scores"] if name.startswith("diversity"))
    target = photos["scores"][metric]["value"]
    distance = abs(own["scores"][metric]["value"] - target)
    assert distance > 0
    own["scores"] = {metric: {"value": target + distances * distance}}
    (tmp_path / "then.json").write_text(json.dumps(content))
    found, _, said = run(out, *options, "--against", tmp_path / "then.json", "--max-drop", "0.0001")
    assert (found, f"worse: out: {metric}" in said) == (code, bool(code))


def test_a_baseline_may_be_replaced_while_the_networks_run(
    tmp_path: Path,
    run: Run,
    judge_file: Path,
    write_photos: Write,
    write_dataset: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sflow_pipeline.evaluation import evaluate as module

    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    options = ("--reference", real, "--judge", judge_file)
    assert run(out, *options)[0] == 0
    baseline = tmp_path / "baseline.json"
    baseline.write_bytes((out / "report" / "metrics.json").read_bytes())
    evaluate = module.evaluate

    def replace_and_evaluate(*arguments: object) -> object:
        baseline.write_text("{}")
        return evaluate(*arguments)

    monkeypatch.setattr(module, "evaluate", replace_and_evaluate)
    code, printed, _ = run(out, *options, "--against", baseline)
    assert code == 0 and "no score is worse" in printed


@pytest.mark.parametrize("content", [None, "{}", '{"protocol": {}, "rows": [{"role": "dataset"}]}'])
def test_what_is_no_baseline_is_refused_before_anything_is_measured(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write, content: str | None
) -> None:
    real = write_photos(tmp_path / "real")
    if content is not None:
        (tmp_path / "old.json").write_text(content)
    code, _, said = run(real, "--reference", real, "--judge", judge_file, "--against", tmp_path / "old.json")
    assert code == 2 and "not an evaluation" in " ".join(said.split())
    assert "images measured" not in said


def test_a_baseline_that_cannot_be_compared_is_refused(
    tmp_path: Path, run: Run, judge_file: Path, write_photos: Write, write_dataset: Write
) -> None:
    real = write_photos(tmp_path / "real")
    out = write_dataset(write_photos(tmp_path / "sim"), tmp_path / "out")
    options = ("--reference", real, "--judge", judge_file)
    assert run(out, *options)[0] == 0
    content = json.loads((out / "report" / "metrics.json").read_text())
    baseline = tmp_path / "baseline.json"
    for change, text in (
        (lambda: content["protocol"].update(limit=7), "limit differ"),
        (lambda: content["rows"][-1].update(n=99), "the real photos (99 then, 4 now)"),
        (lambda: content.pop("rows"), "not an evaluation"),
    ):
        change()
        baseline.write_text(json.dumps(content))
        code, _, said = run(out, *options, "--against", baseline)
        assert code == 2 and text in " ".join(said.split())
