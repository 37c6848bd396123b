"""The image before, carried along the motion: surfaces end where the later frame shows them, and new ones are empty."""

import cv2
import numpy as np
import torch

from sflow_pipeline.networks.motion.previous_image import add_previous, carry_image

HEIGHT, WIDTH = 96, 160


def draw_ground(seed: int) -> np.ndarray:
    """(h, w, 3) smooth noise, in which motion can be measured."""
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.float32)
    picture = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return np.asarray(cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX), np.float32)  # type: ignore[call-overload]


def as_photo(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 127.5 - 1


def test_an_image_moves_as_the_frames_do() -> None:
    """The expected image is moved by OpenCV; only the frames say how far."""
    ground, image = draw_ground(0), draw_ground(1)
    shift = np.array([[1, 0, 5], [0, 1, 3]], np.float32)
    after, expected = (
        cv2.warpAffine(x, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT) for x in (ground, image)
    )
    carried = carry_image(as_photo(image), as_photo(ground), as_photo(after))
    inside = np.s_[..., 16:-16, 16:-16]
    error = (carried - as_photo(expected)).abs()[inside].mean()
    still = (as_photo(image) - as_photo(expected)).abs()[inside].mean()
    assert float(error) < 0.15 * float(still)


def test_what_comes_into_view_is_empty() -> None:
    shift = np.array([[1, 0, 6], [0, 1, 0]], np.float32)
    before, image = draw_ground(0), draw_ground(1)
    after = cv2.warpAffine(before, shift, (WIDTH, HEIGHT))
    after[:, :6] = draw_ground(2)[:, :6]
    is_empty = (carry_image(as_photo(image), as_photo(before), as_photo(after)) == 0).all(dim=1)[0].float()
    assert is_empty[:, :4].mean() > 0.9
    assert is_empty[16:-16, 24:-16].mean() < 0.05


def test_the_first_frame_of_a_sequence_has_none() -> None:
    semantic = torch.rand(2, 4, 8, 8)
    image = torch.rand(2, 3, 8, 8)
    assert torch.equal(add_previous(semantic, None)[:, :4], semantic)
    assert not add_previous(semantic, None)[:, 4:].any()
    assert torch.equal(add_previous(semantic, image)[:, 4:], image)
