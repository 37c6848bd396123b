"""Common base of the frozen ImageNet networks whose features photos are compared by."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.networks.features.imagenet import ImagenetNorm
from sflow_pipeline.tensors import Photo


class PerceptualNetwork(nn.Module):
    """A chain of layers with features taken after some of them; state-dict keys are those of the published weights.

    Attributes:
        name: as in reports.
        slices: indices of the layers after which features are taken.
        channels: of each slice.
        weights: of each slice in the perceptual loss.
        relative: whether a slice's distance is divided by the photo's mean absolute activation.
    """

    name: ClassVar[str]
    slices: ClassVar[tuple[int, ...]]
    channels: ClassVar[tuple[int, ...]]
    weights: ClassVar[tuple[float, ...]]
    relative: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.normalise: nn.Module = ImagenetNorm()

    def get_layers(self) -> nn.Sequential:
        """The chain."""
        return self.features  # type: ignore[return-value]

    def enter(self, photo: Photo) -> Float[Tensor, "b c h w"]:
        """What the first layer of the chain is given."""
        return self.normalise(photo)  # type: ignore[no-any-return]

    def forward(self, photo: Photo) -> list[Tensor]:
        """Features of each slice, (b, channels[i], h_i, w_i), shallow first."""
        x = self.enter(photo)
        features = []
        for index, layer in enumerate(self.get_layers()):
            x = layer(x)
            if index in self.slices:
                features.append(x)
        return features

    def embed(self, photo: Photo) -> Float[Tensor, "b d"]:
        """One vector for each photo: the deepest slice averaged over the picture."""
        return self(photo)[-1].mean(dim=(2, 3))  # type: ignore[no-any-return]
