"""Pictures or labels that stand still: one picture for many labels, or one label for many pictures."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from sflow_pipeline.conversion.dump_checks.sampled_frame import GO_ON, SampledFrame
from sflow_pipeline.simulators import Problem

#: How many of the frames that were looked at must be the same, and which share of them.
_LEAST, _SHARE = 3, 0.5


def judge_frozen(looks: Sequence[SampledFrame]) -> list[Problem]:
    """``error`` for one picture with several labels; ``warning`` for one label of a sequence with several pictures.

    Scenes of which the light or the textures alone are varied have the same label for many pictures.
    """
    pictures = _find_repeated(looks, lambda look: look.picture_digest, lambda look: look.label_map.tobytes())
    if pictures:
        text = (
            f"{len(pictures)} of {len(looks)} frames that were compared have the same picture and other labels, first "
            f"{pictures[0].frame.render}: the picture stands still; write the pictures again, {GO_ON}"
        )
        return [Problem("frozen_pictures", text, tuple(look.frame.render for look in pictures), "error")]
    labels = _find_repeated(looks, lambda look: look.label_map.tobytes(), lambda look: look.picture_digest)
    if labels:
        text = (
            f"{len(labels)} of {len(looks)} frames that were compared have the same label and other pictures, first "
            f"{labels[0].frame.label}: this is right where nothing but light or textures changes"
        )
        return [Problem("frozen_labels", text, tuple(look.frame.label for look in labels), "warning")]
    return []


def _find_repeated(
    looks: Sequence[SampledFrame], same: Callable[[SampledFrame], object], other: Callable[[SampledFrame], object]
) -> list[SampledFrame]:
    """Frames of a sequence that share the one thing and differ in the other, where they are many."""
    groups: dict[tuple[str, object], list[SampledFrame]] = defaultdict(list)
    for look in looks:
        if look.picture_digest and look.label_map.min() != look.label_map.max():
            groups[look.frame.sequence_id, same(look)].append(look)
    found = [look for group in groups.values() if len({other(look) for look in group}) > 1 for look in group]
    return found if len(found) >= max(_LEAST, _SHARE * len(looks)) else []
