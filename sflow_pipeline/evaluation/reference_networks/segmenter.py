"""The reference segmenter: a network trained elsewhere that predicts the class of every pixel of a picture."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.reference_networks.kinds import load_network
from sflow_pipeline.evaluation.reference_networks.network_input import build_input
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec
from sflow_pipeline.label_spaces import LabelClass, LabelSpace, load_label_space


class ReferenceSegmenter:
    """A segmentation network and the classes of its channels; ``--judge`` names it.

    Args:
        spec: its file, input and label space.
        device: where it runs.

    Attributes:
        label_space: of its predictions.
        classes: the class of each output channel: those of the label space in order, void left out.
        digest: sha256 of its file.
    """

    def __init__(self, spec: NetworkSpec, device: str) -> None:
        if spec.label_space is None:
            raise UsageError(
                f"--judge {spec.file}: the classes of its channels are not known",
                hint="add --judge-label-space, for example cityscapes19, or `label_space:` in its YAML",
            )
        self.spec = spec
        self.label_space: LabelSpace = load_label_space(spec.label_space)
        self.classes: tuple[LabelClass, ...] = tuple(
            item for item in self.label_space.classes if item.id != self.label_space.void_id
        )
        self._network, self.digest = load_network(spec, device)
        self._device = device

    @torch.inference_mode()
    def predict(self, photo: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
        """The class of each pixel.

        Args:
            photo: (h, w, 3) uint8 RGB.
            size_px: width and height of the prediction; scores are enlarged to it bilinearly, then the highest is
                taken.

        Returns:
            (height, width) index into ``classes``.

        Raises:
            UsageError: the network's output is not one score per class and pixel.
        """
        scores = self._network(build_input(photo[None], self.spec, self._device))
        if scores.ndim != 4 or scores.shape[1] != len(self.classes):
            raise UsageError(
                f"--judge {self.spec.file}: output {tuple(scores.shape)}, expected (1, {len(self.classes)}, h, w): one "
                f"channel for each class of {self.label_space.name} but void",
                hint="name the label space of its channels with --judge-label-space",
            )
        width, height = size_px
        if scores.shape[-2:] != (height, width):
            scores = F.interpolate(scores.float(), (height, width), mode="bilinear", align_corners=False)
        return scores[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
