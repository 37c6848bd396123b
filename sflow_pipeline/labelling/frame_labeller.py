"""Labels of one picture, predicted by a bundle's segmenter; pixels without a confident class are void."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.bundle.load_segmenter import load_segmenter
from sflow_pipeline.errors import BundleError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.tensors import to_unit_range

#: Larger pictures are reduced to this height, about that of the photos that segmenters are trained on.
WORKING_HEIGHT_PX = 360


class FrameLabeller:
    """A bundle's segmenter on a device.

    Args:
        confidence: least probability of a pixel's class, 0 to 1; below it a pixel is void.

    Raises:
        BundleError: the bundle has no segmenter, its weights do not fit, or its label space has no void class.
    """

    def __init__(self, bundle: Bundle, device: Device, confidence: float = 0.5) -> None:
        state, space = bundle.read_segmenter(), bundle.label_space
        if state is None:
            raise BundleError(
                f"bundle {bundle.path}: has no segmenter, which predicts the labels",
                hint="train one with train --only segmenter --set segmenter.images=20000, or name another bundle",
            )
        if space.void_id is None or space.void_channel is None:
            raise BundleError(
                f"bundle {bundle.path}: label space {space.name} has no void class for pixels without a label",
                hint="use a bundle whose label space has one, such as camvid11",
            )
        self.space = space
        self._device = device
        self._confidence = confidence
        self._network = load_segmenter(bundle, state, device)
        self._channels = [i for i in range(space.num_classes) if i != space.void_channel]
        self._ids = np.array([space.classes[i].id for i in self._channels], np.uint16)
        self._void = space.void_id

    @torch.inference_mode()
    def label(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(h, w) class ids of a (h, w, 3) uint8 RGB picture, in the bundle's label space.

        The probabilities of the picture and of its mirror image are averaged.
        """
        height, width = picture.shape[:2]
        reduced = picture
        if height > WORKING_HEIGHT_PX:
            size_px = (max(1, round(width * WORKING_HEIGHT_PX / height)), WORKING_HEIGHT_PX)
            reduced = np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        unit = to_unit_range(torch.from_numpy(np.ascontiguousarray(reduced)).permute(2, 0, 1)[None])
        unit = unit.to(self._device.name, self._device.dtype)
        both = torch.cat([unit, unit.flip(3)]).contiguous(memory_format=torch.channels_last)
        chances = self._network(both)[:, self._channels].float().softmax(dim=1)
        mean = (chances[:1] + chances[1:].flip(3)) / 2
        best, predicted = F.interpolate(mean, (height, width), mode="bilinear", align_corners=False)[0].max(dim=0)
        ids = np.where(best.cpu().numpy() < self._confidence, self._void, self._ids[predicted.cpu().numpy()])
        return ids.astype(np.uint8) if max(self._void, int(self._ids.max())) < 256 else ids.astype(np.uint16)
