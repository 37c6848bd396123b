"""Networks that are trained: this package's segmenter, or SegFormer of the transformers library."""

from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.errors import MissingExtraError
from sflow_pipeline.networks.layers import pad_to_multiple
from sflow_pipeline.networks.segmenters.segmenter import Segmenter
from sflow_pipeline.tensors import Photo


class SegFormer(nn.Module):
    """SegFormer (Xie et al. 2021) with random weights; B0 has ``width`` 32.

    Raises:
        MissingExtraError: transformers is not installed.
    """

    stride = 32

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        try:
            from transformers import SegformerConfig, SegformerForSemanticSegmentation
        except ImportError as error:
            raise MissingExtraError(
                "network segformer: transformers is not installed",
                hint="pip install 'sflow-pipeline[downstream]', or set network: segmenter",
            ) from error
        config = SegformerConfig(
            num_labels=classes,
            hidden_sizes=[width, 2 * width, 5 * width, 8 * width],
            depths=[2, 2, 2, 2],
            decoder_hidden_size=8 * width,
        )
        self.network = SegformerForSemanticSegmentation(config)

    def forward(self, photo: Photo) -> Float[Tensor, "b classes h w"]:
        """Class logits at the photo's size."""
        logits = self.network(pixel_values=photo).logits.float()
        return nn.functional.interpolate(logits, size=photo.shape[-2:], mode="bilinear", align_corners=False)

    def predict_quarter(self, photo: Photo) -> Float[Tensor, "b classes h4 w4"]:
        """Class logits at a quarter of the photo's size, which is first enlarged to a multiple of ``stride``."""
        logits: Tensor = self.network(pixel_values=pad_to_multiple(photo, self.stride)).logits.float()
        return logits


def build_network(name: str, classes: int, width: int) -> SegFormer | Segmenter:
    """A network with random weights that maps a photo (b, 3, h, w) in [-1, 1] to logits (b, classes, h, w).

    Raises:
        MissingExtraError: its library is not installed.
    """
    return SegFormer(classes, width) if name == "segformer" else Segmenter(classes, width)
