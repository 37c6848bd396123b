"""Doubt about a label space that follows from the names of files: another one explains the labels, and it does not."""

from collections.abc import Sequence

from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.simulators import Dump, Problem
from sflow_pipeline.simulators.dump import Severity
from sflow_pipeline.simulators.space_guess import guess_label_space, measure_label_space

#: Sky in the top thirds and road in the bottom thirds together, from 0 to 2: less shows no street, more surely does,
#: where it has so much of each: labels of one class are all sky in some label space.
_NO_STREET, _STREET, _EACH, _KNOWN = 0.02, 0.6, 0.01, 0.99
_SIDE_PX = 256


def judge_label_space(dump: Dump, looks: Sequence[SampledFrame], *, is_stated: bool) -> list[Problem]:
    """Labels without sky above and road below in the dump's label space that have both in another one.

    ``error`` where the layout prescribes the label space, ``warning`` where the user states it.
    """
    space = dump.label_format.space
    concepts = [item.concepts[0] for item in space.classes]
    is_outdoors = "sky" in concepts and any(concept.startswith("flat.road") for concept in concepts)
    if dump.label_encoding not in ("ids", "red_channel") or not is_outdoors or not looks:
        return []
    steps = [max(1, min(look.label_map.shape) // _SIDE_PX) for look in looks]
    maps = [look.label_map[::step, ::step] for look, step in zip(looks, steps, strict=True)]
    if measure_label_space(space, maps).scene > _NO_STREET:
        return []
    best = max(guess_label_space(maps, "ids"), key=lambda guess: (guess.known > _KNOWN, guess.scene))
    if best.scene < _STREET or min(best.sky, best.road) < _EACH or best.known <= _KNOWN:
        return []
    severity: Severity = "warning" if is_stated else "error"
    text = (
        f"labels are read as {space.name}, in which their top thirds have no sky and their bottom thirds no road; in "
        f"{best.name} sky and road fill {best.scene / 2:.0%} of these: name it with --label-space {best.name}"
        + ("" if is_stated else f", {GO_ON}")
    )
    return [Problem("doubtful_label_space", text, (looks[0].frame.label,), severity)]
