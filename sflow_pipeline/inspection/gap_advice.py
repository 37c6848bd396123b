"""Advice that follows from a domain gap, in words with the numbers that it rests on."""

from dataclasses import asdict, dataclass
from typing import Any

from sflow_pipeline.inspection.domain_gap import Distance, DomainGap

#: Less mIoU than on photos than this is no gap.
SMALL_MIOU_GAP = 0.03
#: Classes below this share of the pixels are not discussed.
LEAST_SHARE = 0.001
#: A class is rare in the photos where it has less than this share of what it has in the frames.
RARE = 0.2
#: Nor is it rare from this share of the photos' pixels.
RARE_SHARE = 0.01
#: A segmenter with less mIoU on the photos says little about frames.
POOR_MIOU = 0.35
#: A class is hard to recognise where its recall falls below this share of that on photos.
WEAK = 0.6
#: Sharpness of frames over photos outside this range is another kind of detail.
LIKE_DETAIL = (0.6, 1.7)


@dataclass(frozen=True)
class GapAdvice:
    """What follows from a gap.

    Attributes:
        outlook: whether conversion is likely to help, and why.
        risks: one line per class at risk, and about pixels without a class.
        appearance: value of ``--appearance`` to start with.
        why_appearance: the reason.
        for_training: what else to convert in order to train a network on the frames.
    """

    outlook: str
    risks: tuple[str, ...]
    appearance: str
    why_appearance: str
    for_training: str


def advise(gap: DomainGap) -> GapAdvice:
    """Advice for a gap."""
    appearance, reason = _choose_appearance(gap)
    return GapAdvice(_judge_outlook(gap), tuple(_list_risks(gap)), appearance, reason, _advise_training(appearance))


def report_gap(gap: DomainGap) -> dict[str, Any]:
    """Measurements, their description and the advice, JSON-like."""
    advice = advise(gap)
    return {**gap.to_dict(), "facts": describe_gap(gap), "advice": asdict(advice)}


def describe_gap(gap: DomainGap) -> list[tuple[str, str]]:
    """Name and text of each measurement."""
    rows = [
        ("compared", f"{gap.frames} frames and {gap.photos} photos of {gap.photos_root}, at {gap.width_px} px width"),
        ("classes", _describe(gap.class_distance, "share of the pixels per class")),
        ("layout", _describe(gap.layout_distance, "where classes are")),
        ("edge density", _describe(gap.edge_density_distance, "edges per 32 px square")),
    ]
    if gap.edge_direction_distance is not None:
        rows.append(("edge direction", _describe(gap.edge_direction_distance, "direction of edges")))
    rows += [
        ("colours", _describe(gap.color_distance, "Lab colours")),
        ("lightness", f"{gap.lightness[0]:.0f} of 100 in the frames, {gap.lightness[1]:.0f} in the photos"),
        ("contrast", f"{gap.contrast[0]:.1f} in the frames, {gap.contrast[1]:.1f} in the photos"),
        ("colourfulness", f"{gap.chroma[0]:.1f} in the frames, {gap.chroma[1]:.1f} in the photos (mean Lab chroma)"),
        ("sharpness", f"{_ratio(gap):.2f} times the photos' (mean absolute Laplacian)"),
    ]
    if gap.frames_miou is not None and gap.photos_miou is not None:
        text = f"mIoU {gap.frames_miou:.3f} on the frames, {gap.photos_miou:.3f} on the photos"
        poor = "; it reads these photos poorly, so take its word with care" if gap.photos_miou < POOR_MIOU else ""
        rows.append(("recognition", f"{text}, by the segmenter of bundle {gap.bundle}{poor}"))
    elif gap.judge_note:
        rows.append(("recognition", gap.judge_note))
    else:
        rows.append(("recognition", "the frames and the photos have no class in common"))
    return rows


def _describe(distance: Distance, what: str) -> str:
    verdict = "different" if distance.is_large else "alike"
    return f"{verdict}: distance {distance.value:.2f} ({distance.by_chance:.2f} between halves of the photos), {what}"


def _judge_outlook(gap: DomainGap) -> str:
    if 2 * gap.blank_frames > gap.frames:
        return (
            f"{gap.blank_frames} of {gap.frames} rendered frames are black or of one colour: images follow labels "
            "alone; check the dump's RGB camera first"
        )
    surfaces = [
        name
        for name, distance in (("colours", gap.color_distance), ("edges", gap.edge_density_distance))
        if distance.is_large
    ]
    if not LIKE_DETAIL[0] <= _ratio(gap) <= LIKE_DETAIL[1]:
        surfaces.append("sharpness")
    seen = (
        f"surfaces differ in {', '.join(surfaces)}" if surfaces else "colours, edges and sharpness are like the photos'"
    )
    if gap.frames_miou is None or gap.photos_miou is None:
        outlook = "conversion is likely to help" if surfaces else "conversion has little to change"
        return f"{outlook}: {seen}; recognition could not be measured"
    gain = gap.photos_miou - gap.frames_miou
    read = f"a network that learned on photos reads the frames {gain:.3f} mIoU worse than photos"
    if gain > SMALL_MIOU_GAP:
        return f"conversion is likely to help: {read}, and {seen}"
    read = f"a network that learned on photos reads the frames as well as photos ({-gain:+.3f} mIoU)"
    if surfaces:
        return f"conversion may help: {read}, but {seen}"
    return f"conversion has little to change: {read}, and {seen}"


def _list_risks(gap: DomainGap) -> list[str]:
    risks = []
    if gap.void_share > 0.02:
        risks.append(
            f"{gap.void_share:.1%} of the frames' pixels have no class that the model knows: they are painted as void"
        )
    for item in gap.classes:
        if item.frames_share < LEAST_SHARE:
            continue
        shares = f"{item.frames_share:.2%} of the frames, {item.photos_share:.2%} of the photos"
        if item.photos_share < min(RARE * item.frames_share, RARE_SHARE):
            risks.append(f"{item.name}: {shares}: these photos hardly show what it should look like")
        elif item.photos_recall and (item.frames_recall or 0.0) < WEAK * item.photos_recall:
            risks.append(
                f"{item.name}: {item.frames_recall or 0.0:.0%} of its pixels are recognised in the frames, "
                f"{item.photos_recall:.0%} in the photos: look at it first after converting"
            )
    return risks


def _choose_appearance(gap: DomainGap) -> tuple[str, str]:
    if 2 * gap.blank_frames > gap.frames:
        return "palette", "the rendered frames show nothing to follow"
    ratio = _ratio(gap)
    if ratio < LIKE_DETAIL[0] and gap.color_distance.is_large:
        return "coarse", f"the frames have {ratio:.2f} times the photos' sharpness and other colours: little to keep"
    if not LIKE_DETAIL[0] <= ratio <= LIKE_DETAIL[1]:
        return "fine", f"the frames' finest detail differs ({ratio:.2f} times the photos' sharpness)"
    return "full", f"the frames' detail is like the photos' ({ratio:.2f} times their sharpness)"


def _advise_training(appearance: str) -> str:
    """What docs/downstream.md found out."""
    if appearance == "palette":
        return "no second conversion: there is nothing but labels to follow"
    return "convert again with --appearance palette, and train on both: in each test as good as the better of the two"


def _ratio(gap: DomainGap) -> float:
    return gap.sharpness[0] / max(gap.sharpness[1], 1e-9)
