"""A comparison as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence

from sflow_pipeline.downstream.results import ArmResult, Comparison, SeedScore
from sflow_pipeline.markdown import draw_table

CSV_HEAD = ("arm", "pictures", "crops", "test", "seed", "measure", "class", "value")


def draw_markdown(comparison: Comparison) -> str:
    """Tables of scores and gap and of the classes of each test, and the protocol; the same results, the same text."""
    parts = [_draw_scores(comparison)]
    for test in comparison.tests:
        parts += [f"{comparison.measures.class_title} per class, {test}:\n", _draw_classes(comparison, test)]
    return "\n".join([*parts, *(f"- {line}" for line in list_protocol(comparison))]) + "\n"


def list_protocol(comparison: Comparison) -> list[str]:
    """What all arms share, and remarks, as sentences."""
    protocol = comparison.protocol
    crop, frame, seeds = protocol["crop_px"], protocol["frame_width_px"], protocol["seeds"]
    photos = ", ".join(f"{name} {facts['photos']}" for name, facts in comparison.tests.items())
    budget = (
        f"network {protocol['network']}, width {protocol['width']}; {protocol['steps']} steps of "
        f"{protocol['batch_size']} crops for every summand of an arm, {crop[0]}x{crop[1]} px of pictures {frame[0]} to "
        f"{frame[1]} px wide; learning rate {protocol['lr']}, {protocol['precision']}"
    )
    tests = (
        f"test photos: {photos}; {protocol['test_width_px']} px wide in the network, scored at the size of their "
        f"labels, classes of {protocol['label_space']['name']}"
    )
    measure, low, high = comparison.measures.main_title, comparison.baseline, comparison.goal
    lines = [
        budget,
        "`a + b`: both fill a batch of their own; `a or b`: they share one; `a/4`: every fourth picture of a",
        f"seeds {', '.join(map(str, seeds))}; ± is the standard deviation over them, and missing for one",
        tests,
        f"gap closed: {measure} over {low} (0 %) as a share of what {high} (100 %) is over it",
    ]
    return [*lines, *comparison.notes, *(f"{arm.name}: {note}" for arm in comparison.arms for note in arm.notes)]


def format_score(score: SeedScore | None) -> str:
    """Mean and spread.

    >>> format_score(SeedScore({0: 0.2, 1: 0.3})), format_score(SeedScore({})), format_score(SeedScore({0: 0.25}))
    ('0.250 ± 0.071', '-', '0.250')
    """
    if score is None or score.mean is None:
        return "-"
    return f"{score.mean:.3f}" + ("" if score.spread is None else f" ± {score.spread:.3f}")


def _draw_scores(comparison: Comparison) -> str:
    head = ["trained on", "pictures", "crops"]
    for test in comparison.tests:
        head += [f"{comparison.measures.main_title}, {test} ↑", "gap closed ↑"]
        head += [f"{comparison.measures.titles[name]}, {test} ↑" for name in comparison.measures.columns[1:]]
    rows = []
    for arm in comparison.arms:
        cells = [arm.name, str(arm.pictures), str(arm.crops)]
        for test in comparison.tests:
            found = arm.tests.get(test)
            share = comparison.share_of_gap(arm, test)
            scores = [format_score(found.measures[name] if found else None) for name in comparison.measures.columns]
            cells += [scores[0], "-" if share is None else f"{share:.0%}", *scores[1:]]
        rows.append(cells)
    return draw_table(head, rows)


def _draw_classes(comparison: Comparison, test: str) -> str:
    arms: Sequence[ArmResult] = [arm for arm in comparison.arms if test in arm.tests]
    names = list(dict.fromkeys(name for arm in arms for name in arm.tests[test].classes))
    rows = [[name, *(format_score(arm.tests[test].classes.get(name)) for arm in arms)] for name in names]
    return draw_table(["class", *(arm.name for arm in arms)], rows)


def draw_csv(comparison: Comparison) -> str:
    """One line for every arm, test, seed and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for arm in comparison.arms:
        for test, result in arm.tests.items():
            scores = [(measure, "", score) for measure, score in result.measures.items()]
            scores += [(comparison.measures.of_class, name, score) for name, score in result.classes.items()]
            for measure, name, score in scores:
                for seed, value in score.by_seed.items():
                    writer.writerow([arm.name, arm.pictures, arm.crops, test, seed, measure, name, f"{value:.6f}"])
    return text.getvalue()
