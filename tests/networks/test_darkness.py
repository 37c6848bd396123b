"""Nothing is invented where a render is dark. Reference: OpenCV."""

import cv2
import numpy as np
import torch

from sflow_pipeline.networks.appearance.darkness import hold_darkness


def test_images_are_the_map_in_the_dark_their_own_in_the_light_and_a_mixture_between() -> None:
    rng = np.random.default_rng(0)
    width, height = 320, 120
    ramp = np.clip(np.linspace(-10, 30, width), 0, None)  # grey levels, from black to where a road at night is
    appearance = np.broadcast_to(ramp[None, :, None], (height, width, 3)).astype(np.float32)
    image = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    to_tensor = [torch.from_numpy(x.copy()).permute(2, 0, 1)[None] / 127.5 - 1 for x in (image, appearance)]
    held = (hold_darkness(*to_tensor, 1.0)[0].permute(1, 2, 0).numpy() + 1) * 127.5

    light = cv2.blur(cv2.cvtColor(appearance, cv2.COLOR_RGB2GRAY), (3, 3))
    dark = np.clip((8 - light) / 6, 0, 1)[..., None]
    assert (dark == 1).any() and (dark == 0).any()
    np.testing.assert_allclose(held, dark * appearance + (1 - dark) * image, atol=0.5)


def test_a_share_of_0_changes_nothing_and_a_batch_has_shares_of_its_own() -> None:
    image, night = torch.rand(2, 3, 40, 60) * 2 - 1, torch.full((2, 3, 40, 60), -1.0)
    held = hold_darkness(image, night, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    assert torch.equal(held[0], image[0])
    assert torch.equal(held[1], night[1])
