"""``class_kid`` and ``class_gain``: kernel distances of each class's surfaces to those of the same class in photos.

Crops of one town differ from photos of many by what is in them, more than by how it looks: photos of one town are
farther from photos of other towns than some renders are. Features averaged over the pixels of one class compare road
with road and leaves with leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.measure import MeasureResult, Observations, Observe
from sflow_pipeline.evaluation.photo_source import LabelledPhoto, PhotoSource
from sflow_pipeline.evaluation.reference_networks.feature_depths import FeatureDepths
from sflow_pipeline.evaluation.reference_networks.network_input import resize_photo
from sflow_pipeline.evaluation.reference_networks.spec import FilterName
from sflow_pipeline.evaluation.results.scores import Score, finite
from sflow_pipeline.label_spaces import UNMAPPED, LabelSpace, build_mapping
from sflow_pipeline.metrics import GroupedFeatures, Metric, compute_draw_interval, draw_kernel_distances
from sflow_pipeline.metrics.grouped_kernel import MIN_FRAMES_FOR_INTERVAL

FRAME_WIDTH_PX = 768
TILE_PX = 192
#: Features are of the deepest maps with at most this stride; one value of them is a cell.
MAX_STRIDE_PX = 16
#: A cell belongs to a class that covers more than this share of it.
LEAST_CELL_SHARE = 0.9
#: A class counts in a tile from this many pixels.
LEAST_CLASS_PX = 1500
#: With fewer tiles of a class in either set, the class is left out.
LEAST_TILES = 12
#: Tiles of a class in a set, at most; evenly spaced ones are taken of more.
MAX_TILES = 2048
_FILTER: FilterName = "antialias_bilinear"

_HOW = (
    f"features of the deepest maps with a stride of at most {MAX_STRIDE_PX} px, of pictures resized to "
    f"{FRAME_WIDTH_PX} px width by {_FILTER}, averaged over the cells of one class in tiles of {TILE_PX} px and "
    "divided by their root mean square on the real photos' tiles of that class; unbiased squared MMD with the kernel "
    "(x·y/d + 1)³ to the real photos' tiles of that class, mean over classes"
)
_CLASS_KID = Metric(name="class_kid", label="class kid", protocol=_HOW, better="lower", digits=2)
_CLASS_GAIN = Metric(
    name="class_gain",
    label="class gain",
    protocol="class_kid of the row over that of the rendered frames it was made from, over classes that both have",
    better="lower",
    digits=2,
)

#: Channel -> (tiles, c) features.
_Tiles = Mapping[int, NDArray[np.float32]]


class ClassDistance:
    """See ``Measure``.

    Args:
        depths: of the extractor.
        space: label space whose classes are compared.
    """

    name = "class_distance"
    needs_rendered = True

    def __init__(self, depths: FeatureDepths, space: LabelSpace) -> None:
        self._depths = depths
        self._space = space
        name = depths.extractor.name
        self.metrics = tuple(replace(metric, name=f"{metric.name}_{name}") for metric in (_CLASS_KID, _CLASS_GAIN))

    def describe(self) -> dict[str, Any]:
        """See ``Measure``."""
        return {
            "class_distance": {
                "extractor": self._depths.extractor.name,
                "sha256": self._depths.extractor.digest,
                "label_space": self._space.name,
                "frame_width_px": FRAME_WIDTH_PX,
                "tile_px": TILE_PX,
                "max_stride_px": MAX_STRIDE_PX,
                "least_class_px": LEAST_CLASS_PX,
                "filter": _FILTER,
            }
        }

    def start(self, source: PhotoSource, count: int) -> Observe:  # noqa: ARG002  the interface's
        """See ``Measure``; of variants only the first is used."""
        table = build_mapping(source.label_space, self._space).table

        def observe(photo: LabelledPhoto) -> _Tiles:
            return self._measure(photo.photo, table[photo.label_map]) if photo.variant == 0 else {}

        return observe

    def _measure(self, picture: NDArray[np.uint8], channels: NDArray[np.integer]) -> _Tiles:
        height = max(round(picture.shape[0] * FRAME_WIDTH_PX / picture.shape[1]), MAX_STRIDE_PX)
        batch = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
        maps = self._depths.extract_maps(resize_photo(batch, (FRAME_WIDTH_PX, height), _FILTER) / 127.5 - 1.0)
        features = [level for level in maps if FRAME_WIDTH_PX / level.shape[-1] <= MAX_STRIDE_PX][-1][0].float().cpu()
        stride = FRAME_WIDTH_PX / features.shape[-1]
        side, least = max(round(TILE_PX / stride), 1), LEAST_CLASS_PX / stride**2
        label = torch.from_numpy(channels.astype(np.int64))
        cells = (features.shape[-2], features.shape[-1])
        found = {}
        for channel in np.unique(channels).tolist():
            if channel in (UNMAPPED, self._space.void_channel):
                continue
            share = F.adaptive_avg_pool2d((label == channel)[None].float(), cells)[0]
            member = (share > LEAST_CELL_SHARE).float()
            counts = _sum_tiles(member[None], side)[0]
            sums = _sum_tiles(features * member, side)
            kept = counts >= least
            if kept.any():
                found[channel] = (sums[:, kept] / counts[kept]).T.numpy()
        return found

    def score(self, row: Observations, table: Sequence[Observations]) -> MeasureResult:
        """See ``Measure``."""
        if row.is_oracle:
            return MeasureResult({})
        distance, gain = (metric.name for metric in self.metrics)
        photos = self._gather(table[-1])
        own, rendered = self._gather(row), self._gather(row.rendered) if row.rendered else {}
        facts = (
            f"{len(set(row.sample_ids))} frames, {table[-1].n} photos; {self._depths.extractor.name}, sha256 "
            f"{self._depths.extractor.digest[:12]}"
        )
        drawn = self._draw(own, photos)
        if not drawn:
            note = f"{facts}: no class has {LEAST_TILES} tiles in both; evaluate more frames"
            return MeasureResult({distance: Score(None, row.n, note=note)})
        names = ", ".join(drawn)
        mean = np.stack(list(drawn.values())).mean(axis=0)
        values = {"classes": {name: finite(float(draws[0])) for name, draws in drawn.items()}}
        scores = {distance: self._build_score(row, mean, f"{facts}; over {names}", values)}
        shared = {channel: found for channel, found in rendered.items() if self._space.classes[channel].name in drawn}
        below = self._draw(shared, photos)
        if below:
            above = np.stack([drawn[name] for name in below]).mean(axis=0)
            under = np.stack(list(below.values())).mean(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(under > 0, above / under, np.nan)
            note = f"{facts}; {above[0]:.3f} converted, {under[0]:.3f} rendered, over {', '.join(below)}"
            scores[gain] = self._build_score(row, ratio, note, {})
        elif row.rendered or row.why_not_rendered:
            note = row.why_not_rendered or f"{facts}: no class has {LEAST_TILES} tiles in all three"
            scores[gain] = Score(None, row.n, note=note)
        return MeasureResult(scores)

    def _gather(self, found: Observations) -> dict[int, GroupedFeatures]:
        """Tiles of each class, and the frames that they are of."""
        order = {name: index for index, name in enumerate(dict.fromkeys(found.sample_ids))}
        tiles: dict[int, list[NDArray[np.float32]]] = {}
        groups: dict[int, list[int]] = {}
        for sample_id, evidence in zip(found.sample_ids, found.evidence[self.name], strict=True):
            for channel, features in evidence.items():
                tiles.setdefault(channel, []).append(features)
                groups.setdefault(channel, []).extend([order[sample_id]] * len(features))
        gathered = {}
        for channel, parts in tiles.items():
            features, frames = np.concatenate(parts), np.array(groups[channel], np.int64)
            kept = np.unique(np.linspace(0, len(features) - 1, min(len(features), MAX_TILES)).round().astype(np.int64))
            gathered[channel] = GroupedFeatures(features[kept].astype(np.float64), frames[kept], len(order))
        return gathered

    def _draw(
        self, own: Mapping[int, GroupedFeatures], photos: Mapping[int, GroupedFeatures]
    ) -> dict[str, NDArray[np.float64]]:
        """Name of a class -> (1 + draws,) distances; classes with too few tiles in either set are left out."""
        drawn = {}
        for channel in sorted(own.keys() & photos.keys()):
            first, second = own[channel], photos[channel]
            if min(len(first.features), len(second.features)) < LEAST_TILES:
                continue
            scale = np.maximum(np.sqrt((second.features**2).mean(axis=0)), 1e-6)
            scaled = [GroupedFeatures(each.features / scale, each.groups, each.frames) for each in (first, second)]
            drawn[self._space.classes[channel].name] = draw_kernel_distances(scaled[0], scaled[1])
        return drawn

    def _build_score(self, row: Observations, drawn: NDArray[np.float64], note: str, details: dict[str, Any]) -> Score:
        interval = None
        if len(set(row.sample_ids)) >= MIN_FRAMES_FOR_INTERVAL:
            interval = compute_draw_interval(drawn[1:])
        else:
            note += f"; no interval with fewer than {MIN_FRAMES_FOR_INTERVAL} frames"
        return Score(finite(float(drawn[0])), row.n, interval, note=note, details=details)


def _sum_tiles(maps: torch.Tensor, side: int) -> torch.Tensor:
    """(c, tiles down, tiles across) sums of (c, h, w) maps over tiles of ``side`` cells, the last ones smaller."""
    height, width = maps.shape[-2:]
    padded = F.pad(maps, (0, -width % side, 0, -height % side))
    return F.avg_pool2d(padded[None], side)[0] * side**2
