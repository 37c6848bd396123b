"""What a network of ``downstream`` learns and how it is scored: the interface of segmentation and detection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from sflow_pipeline.config.downstream_job import Objects
from sflow_pipeline.downstream.arm_crops import CropTensors
from sflow_pipeline.downstream.picture_set import PictureSet
from sflow_pipeline.networks.device import Device


@dataclass(frozen=True)
class Measures:
    """Scores of a task.

    Attributes:
        titles: of every measure by its name; the gap is measured by the first.
        columns: names of the measures that tables show.
        of_class, class_title: name and title of what is measured per class.
    """

    titles: Mapping[str, str]
    columns: tuple[str, ...]
    of_class: str
    class_title: str

    @property
    def main(self) -> str:
        """Name of the measure that the gap is measured by."""
        return next(iter(self.titles))

    @property
    def main_title(self) -> str:
        """Its title."""
        return self.titles[self.main]


@dataclass(frozen=True)
class RunScores:
    """Scores of one trained network on one test: by measure, and by class for classes that the test has."""

    measures: Mapping[str, float]
    classes: Mapping[str, float]


class Task(Protocol):
    """Segmentation or detection."""

    @property
    def measures(self) -> Measures:
        """What is measured."""

    @property
    def objects(self) -> Objects | None:
        """How objects are told apart; None where the task needs none."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that are learnt and scored, in the order of the label space."""

    def describe(self) -> dict[str, Any]:
        """Settings of the task that decide weights and scores; empty for segmentation."""

    def build_network(self) -> nn.Module:
        """The network, with random weights drawn from torch's generator.

        Raises:
            MissingExtraError: a library is not installed.
        """

    def compute_loss(self, output: Tensor, crops: CropTensors) -> Tensor:
        """The loss of a step; ``output`` is the network's, all tensors are on its device."""

    def score(self, network: nn.Module, test: PictureSet, device: Device) -> dict[str, Any]:
        """Run the network on all photos of a test: JSON-like content that ``parse_scores`` reads."""

    def parse_scores(self, content: Any) -> RunScores:
        """The scores in what ``score`` returned.

        Raises:
            ValueError, KeyError, TypeError: the content is damaged.
        """
