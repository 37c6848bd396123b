"""``kept appearance``: what converted images keep of the rendered frames' colours, vehicles and road markings.

A network that is asked for photos alone may paint every car black and every marking grey; labels cannot tell.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.own_vehicle import find_own_vehicle
from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.metrics import Metric, compute_mean_interval

#: Colours are compared at this size, width by height: that of surfaces, not of noise.
SIZE_PX = (256, 144)
MAX_FRAMES = 500
#: Lab chroma of paint, and cells of a painted surface.
_MIN_CHROMA, _MIN_CELLS = 15.0, 16
#: Degrees; and the chroma below which a converted surface is grey, whatever its angle.
_HUE_TOLERANCE, _GREY_CHROMA = 20.0, 5.0
#: Standard deviation of Lab chroma below which a rendered frame has no colours to keep.
_MIN_SPREAD = 1.0
#: Lightness by which markings are brighter than the road beside them, and pixels of both, for a contrast.
_MIN_CONTRAST, _MIN_PIXELS = 2.0, 50
_BESIDE_SHARE_OF_WIDTH = 1 / 100

CHROMA_CORRELATION = Metric(
    name="chroma_correlation",
    label="chroma kept",
    protocol=(
        f"correlation of Lab a* and b* with the rendered frame's, at {SIZE_PX[0]}x{SIZE_PX[1]} px by area, the frame's "
        f"own means taken off; mean over frames whose rendered chroma has a standard deviation of {_MIN_SPREAD:g}"
    ),
    better="higher",
    digits=2,
)
VEHICLE_HUE = Metric(
    name="vehicle_hue",
    label="vehicle hue kept",
    protocol=(
        f"share of vehicles' coloured surfaces whose hue (Lab) is within {_HUE_TOLERANCE:g} degrees of the rendered "
        f"frame's; connected cells of {SIZE_PX[0]}x{SIZE_PX[1]} with a rendered chroma of {_MIN_CHROMA:g}, each and "
        f"together, {_MIN_CELLS} or more; the own vehicle does not count"
    ),
    better="higher",
    digits=2,
)
MARKING_CONTRAST = Metric(
    name="marking_contrast",
    label="marking contrast kept",
    protocol=(
        "lightness (Lab) of road markings less that of the road beside them, over the rendered frame's; frames "
        f"weighted by marking pixels, those left out whose rendered contrast is below {_MIN_CONTRAST:g}"
    ),
    better="higher",
    digits=2,
)


class Appearance(NamedTuple):
    """Evidence of one picture.

    Attributes:
        chroma: (144, 256, 2) int8 Lab a* and b*.
        is_vehicle: (144, 256) bool, without the own vehicle.
        contrast: Lab lightness of markings less that of the road beside them; NaN without markings.
        marking_pixels: how many it was measured on.
    """

    chroma: NDArray[np.int8]
    is_vehicle: NDArray[np.bool_]
    contrast: float
    marking_pixels: int


class KeptAppearance:
    """See ``Measure``."""

    name = "kept_appearance"
    metrics = (CHROMA_CORRELATION, VEHICLE_HUE, MARKING_CONTRAST)
    needs_rendered = True

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {"kept_appearance": {"max_frames": MAX_FRAMES}}

    def start(self, source: PhotoSource, count: int) -> Observe:
        """See ``Measure``; of variants only the first is used, and of many frames some, by their ids."""
        share = MAX_FRAMES * source.variants / max(count, 1)
        look = _Look(source.label_space)

        def observe(photo: LabelledPhoto) -> Appearance | None:
            draw = zlib.crc32(photo.sample_id.encode("utf-8", "surrogateescape")) / 2**32
            return look.observe(photo) if photo.variant == 0 and draw < share else None

        return observe

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:  # noqa: ARG002  of one row
        """See ``Measure``."""
        if row.is_oracle or (row.rendered is None and not row.why_not_rendered):
            return MeasureResult({})
        look = _Look(row.source.label_space)
        wanted = [CHROMA_CORRELATION]
        wanted += [VEHICLE_HUE] if look.vehicles else []
        wanted += [MARKING_CONTRAST] if look.markings else []
        if row.rendered is None:
            return MeasureResult({metric.name: Score(None, row.n, note=row.why_not_rendered) for metric in wanted})
        before = self._gather(row.rendered)
        pairs = [(after, before[sample_id]) for sample_id, after in self._gather(row).items() if sample_id in before]
        scores = {
            CHROMA_CORRELATION.name: _average(
                (_correlate_chroma(after.chroma, rendered.chroma) for after, rendered in pairs),
                row.n,
                lambda count: f"{count:g} frames with colours",
                "no rendered frame has colours",
            ),
            VEHICLE_HUE.name: _average(
                (_count_hues(after.chroma, rendered) for after, rendered in pairs),
                row.n,
                lambda count: f"{count:g} coloured surfaces of vehicles",
                "no vehicle with a coloured surface",
            ),
            MARKING_CONTRAST.name: _average(
                (_weigh_contrast(after, rendered) for after, rendered in pairs),
                row.n,
                lambda _: "",
                "no road marking is brighter than the road beside it",
            ),
        }
        return MeasureResult({metric.name: scores[metric.name] for metric in wanted})

    def _gather(self, found: Observations) -> dict[str, Appearance]:
        pairs = zip(found.sample_ids, found.evidence[self.name], strict=True)
        return {sample_id: appearance for sample_id, appearance in pairs if appearance is not None}


class _Look:
    """What a picture shows of the classes of its label space that matter here."""

    def __init__(self, space: LabelSpace) -> None:
        concepts = {item.id: item.concepts[0] for item in space.classes if item.concepts}
        self.vehicles = tuple(space.classes[channel].id for channel in space.vehicle_channels)
        self.markings = [class_id for class_id, concept in concepts.items() if concept == "flat.road.line"]
        self._roads = [class_id for class_id, concept in concepts.items() if concept == "flat.road"]

    def observe(self, photo: LabelledPhoto) -> Appearance:
        lab = np.asarray(cv2.cvtColor(photo.photo.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float32)
        chroma = cv2.resize(lab[..., 1:], SIZE_PX, interpolation=cv2.INTER_AREA).round().astype(np.int8)
        is_vehicle = np.isin(photo.label_map, self.vehicles).astype(np.uint8)
        cells = np.asarray(cv2.resize(is_vehicle, SIZE_PX, interpolation=cv2.INTER_NEAREST), np.uint8)
        own = find_own_vehicle(cells, (1,))
        is_vehicle_cell = cells > 0 if own is None else (cells > 0) & ~own
        return Appearance(chroma, is_vehicle_cell, *self._measure_contrast(lab[..., 0], photo.label_map))

    def _measure_contrast(self, lightness: NDArray[np.float32], label_map: NDArray[Any]) -> tuple[float, int]:
        if not self.markings:
            return float("nan"), 0
        is_marking = np.isin(label_map, self.markings)
        reach = max(round(label_map.shape[1] * _BESIDE_SHARE_OF_WIDTH), 2)
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        is_beside = np.isin(label_map, self._roads) & (cv2.dilate(is_marking.astype(np.uint8), kernel) > 0)
        if min(is_marking.sum(), is_beside.sum()) < _MIN_PIXELS:
            return float("nan"), 0
        return float(lightness[is_marking].mean() - lightness[is_beside].mean()), int(is_marking.sum())


def _correlate_chroma(after: NDArray[np.int8], rendered: NDArray[np.int8]) -> tuple[float, float]:
    """Correlation and 1; zeros where the rendered frame has no colours. A grey image has a correlation of 0."""
    x, y = (plane.astype(np.float64) - plane.mean(axis=(0, 1)) for plane in (after, rendered))
    if np.sqrt((y**2).sum(axis=2).mean()) < _MIN_SPREAD:
        return 0.0, 0.0
    return float((x * y).sum() / max(np.sqrt((x**2).sum() * (y**2).sum()), 1e-9)), 1.0


def _count_hues(after: NDArray[np.int8], rendered: Appearance) -> tuple[float, float]:
    """Coloured surfaces of vehicles that keep their hue, and all of them."""
    is_paint = rendered.is_vehicle & (np.linalg.norm(rendered.chroma.astype(np.float64), axis=2) >= _MIN_CHROMA)
    surfaces = cv2.connectedComponents(is_paint.astype(np.uint8))[1]
    kept = colored = 0
    for surface in range(1, surfaces.max() + 1):
        cells = surfaces == surface
        now, before = (plane[cells].astype(np.float64).mean(axis=0) for plane in (after, rendered.chroma))
        if cells.sum() < _MIN_CELLS or np.hypot(*before) < _MIN_CHROMA:
            continue  # Small, or of several colours.
        turn = np.degrees(np.arctan2(now[1], now[0]) - np.arctan2(before[1], before[0]))
        colored += 1
        kept += bool(abs((turn + 180.0) % 360.0 - 180.0) <= _HUE_TOLERANCE and np.hypot(*now) >= _GREY_CHROMA)
    return float(kept), float(colored)


def _weigh_contrast(after: Appearance, rendered: Appearance) -> tuple[float, float]:
    """Contrasts times marking pixels, converted and rendered; zeros without a contrast to keep."""
    if not rendered.contrast >= _MIN_CONTRAST or not after.marking_pixels:
        return 0.0, 0.0
    return after.contrast * rendered.marking_pixels, rendered.contrast * rendered.marking_pixels


def _average(found: Iterable[tuple[float, float]], n: int, describe: Callable[[float], str], missing: str) -> Score:
    """Sum of the first numbers over that of the second, with an interval over frames."""
    per_frame = np.array(list(found), np.float64).reshape(-1, 2)
    total, weight = per_frame.sum(axis=0)
    if not weight:
        return Score(None, n, note=missing)
    return Score(finite(float(total / weight)), n, compute_mean_interval(per_frame), note=describe(float(weight)))
