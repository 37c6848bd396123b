"""The classes that a table is scored in, and the mappings of labels and predictions to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import UNMAPPED, LabelClass, LabelSpace, build_mapping


@dataclass(frozen=True)
class ScoringSpace:
    """A label space without the classes that the judge cannot predict.

    Attributes:
        space: label space whose classes are scored; classes are matched by name and concept.
        void: channel of pixels that are not scored.
        num_channels: of confusion counts.
        excluded: names of classes that the judge cannot predict, and of kinds of void (the ego vehicle); their
            true pixels count as void.
        prediction_table: (judge classes,) channel of each of the judge's classes.
    """

    space: LabelSpace
    void: int
    num_channels: int
    excluded: tuple[str, ...]
    prediction_table: NDArray[np.uint8]

    @property
    def scored_channels(self) -> tuple[int, ...]:
        """Channels of the classes that count."""
        return tuple(
            channel
            for channel, item in enumerate(self.space.classes)
            if channel != self.void and item.name not in self.excluded
        )

    def map_truth(self, label_map: NDArray[np.uint8] | NDArray[np.uint16], source: LabelSpace) -> NDArray[np.uint8]:
        """(h, w) ids of a label space to channels; unknown and excluded ids become void."""
        channels = build_mapping(source, self.space).table[label_map]
        unscored = np.isin(channels, [UNMAPPED, *self._excluded_channels()])
        return np.where(unscored, self.void, channels).astype(np.uint8)

    def count_excluded(self, label_map: NDArray[np.uint8] | NDArray[np.uint16], source: LabelSpace) -> dict[str, int]:
        """Pixels of classes that mean something and that the judge cannot predict, by name; only those that occur."""
        counts = np.bincount(build_mapping(source, self.space).table[label_map].ravel(), minlength=UNMAPPED + 1)
        return {
            item.name: int(counts[channel])
            for channel, item in enumerate(self.space.classes)
            if counts[channel] and item.name in self.excluded and channel not in self.space.void_channels
        }

    def map_prediction(self, predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(h, w) indices of the segmenter's classes to channels."""
        return self.prediction_table[predicted]

    def _excluded_channels(self) -> list[int]:
        return [channel for channel, item in enumerate(self.space.classes) if item.name in self.excluded]


def build_scoring_space(
    space: LabelSpace, segmenter_space: LabelSpace, segmenter_classes: tuple[LabelClass, ...]
) -> ScoringSpace:
    """The scoring space of a label space and a judge.

    Raises:
        LabelSpaceError: the judge has a class that ``space`` has no place for, not even void.

    >>> from sflow_pipeline.label_spaces import load_label_space
    >>> camvid = load_label_space("camvid11")
    >>> build_scoring_space(load_label_space("cityscapes19"), camvid, camvid.classes[:11]).excluded
    ('wall', 'traffic_light', 'terrain', 'truck', 'bus', 'train', 'motorcycle', 'bicycle')
    """
    void = space.num_classes if space.void_channel is None else space.void_channel
    table = build_mapping(segmenter_space, space).table
    prediction_table = np.array([table[item.id] for item in segmenter_classes], np.uint8)
    reachable = set(prediction_table.tolist())
    excluded = tuple(
        item.name
        for channel, item in enumerate(space.classes)
        if channel != void and (channel not in reachable or channel in space.void_channels)
    )
    return ScoringSpace(space, void, max(space.num_classes, void + 1), excluded, prediction_table)
