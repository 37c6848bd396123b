"""One pass over a set of pictures: what the judge saw and the features, one entry per picture."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.evaluation.measures.scoring_space import ScoringSpace
from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.reference_networks.extractor import Extractor
from sflow_pipeline.evaluation.reference_networks.segmenter import ReferenceSegmenter
from sflow_pipeline.label_spaces import UNMAPPED, build_mapping
from sflow_pipeline.metrics import count_confusion


@dataclass
class Measurement:
    """What was measured on ``n`` pictures.

    Attributes:
        sample_ids: of every picture; variants of a sample repeat it.
        sizes_px: ``WxH`` -> pictures.
        confusions: (n, channels, channels) counts, empty without a judge.
        features: (n, d), empty without an extractor.
        pixels, unknown_pixels: all label pixels, and those whose id the label space does not have.
    """

    sample_ids: list[str] = field(default_factory=list)
    sizes_px: Counter[str] = field(default_factory=Counter)
    confusions: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    features: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    pixels: int = 0
    unknown_pixels: int = 0

    @property
    def n(self) -> int:
        """How many pictures."""
        return len(self.sample_ids)

    def sum_by_sample(self) -> NDArray[np.int64]:
        """(samples, channels, channels) confusions: variants of a sample, which share a label, are one draw of it."""
        order = {sample_id: index for index, sample_id in enumerate(dict.fromkeys(self.sample_ids))}
        sums = np.zeros((len(order), *self.confusions.shape[1:]), np.int64)
        np.add.at(sums, [order[sample_id] for sample_id in self.sample_ids], self.confusions)
        return sums


def measure(
    source: PhotoSource,
    judge: ReferenceSegmenter | None,
    scoring: ScoringSpace | None,
    extractor: Extractor | None,
    *,
    limit: int | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Measurement:
    """Show every picture to the judge and to the extractor.

    Args:
        source: the pictures.
        judge: with ``scoring``, the classes that are counted; None for features alone.
        scoring: see ``judge``.
        extractor: None for the judge alone.
        limit: the first so many only.
        on_photo: called after each.

    Raises:
        FrameError: a picture or label cannot be read.
        UsageError: a network does not do what its description says.
    """
    found = Measurement()
    confusions, features = [], []
    known = build_mapping(source.label_space, scoring.space).table if scoring is not None else None
    for index, photo in enumerate(source.read()):
        if limit is not None and index >= limit:
            break
        height, width = photo.label_map.shape
        found.sample_ids.append(photo.sample_id)
        found.sizes_px[f"{width}x{height}"] += 1
        if judge is not None and scoring is not None and known is not None:
            truth = scoring.map_truth(photo.label_map, source.label_space)
            predicted = scoring.map_prediction(judge.predict(photo.photo, (width, height)))
            confusions.append(count_confusion(truth, predicted, scoring.num_channels, scoring.void))
            found.pixels += truth.size
            found.unknown_pixels += int((known[photo.label_map] == UNMAPPED).sum())
        if extractor is not None:
            features.append(extractor.extract(photo.photo))
        on_photo()
    if confusions:
        found.confusions = np.stack(confusions)
    if features:
        found.features = np.stack(features)
    return found
