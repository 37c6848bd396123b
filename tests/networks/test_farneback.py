"""Dense flow against OpenCV's, against the exact flow of drawn streets, and its gradients."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.errors import UsageError
from sflow_pipeline.networks.motion.farneback import (
    DEFAULT_SETTINGS,
    FarnebackSettings,
    compute_farneback_flow,
    to_grey,
)
from sflow_pipeline.networks.motion.warping import find_visible, warp
from sflow_pipeline.street import Look, StreetFrame, StreetSequence

SETTINGS = [
    DEFAULT_SETTINGS,
    FarnebackSettings(levels=0, iterations=1),
    FarnebackSettings(pyr_scale=0.7, levels=3, winsize=21, poly_n=7, poly_sigma=1.5, use_gaussian=True),
]


def flow_by_opencv(before: np.ndarray, after: np.ndarray, settings: FarnebackSettings = DEFAULT_SETTINGS) -> np.ndarray:
    flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if settings.use_gaussian else 0
    numbers = (settings.pyr_scale, settings.levels, settings.winsize, settings.iterations)
    flow = cv2.calcOpticalFlowFarneback(before, after, None, *numbers, settings.poly_n, settings.poly_sigma, flags)  # type: ignore[call-overload]
    return np.asarray(flow)


def flow_by_torch(before: np.ndarray, after: np.ndarray, settings: FarnebackSettings = DEFAULT_SETTINGS) -> np.ndarray:
    pictures = (torch.from_numpy(picture)[None, None].float() for picture in (before, after))
    return compute_farneback_flow(*pictures, settings)[0].permute(1, 2, 0).numpy()


def draw_pairs(look: Look, size: tuple[int, int] = (256, 128)) -> Iterator[tuple[StreetFrame, np.ndarray, np.ndarray]]:
    """Consecutive frames of a street: the first one, and both in grey."""
    frames = list(StreetSequence(seed=5, sequence_index=0, frames=3, size=size, look=look).render_frames())
    grey = [cv2.cvtColor(frame.render, cv2.COLOR_RGB2GRAY) for frame in frames]
    yield from zip(frames[:-1], grey[:-1], grey[1:], strict=True)


def find_texture(grey: np.ndarray) -> np.ndarray:
    return cv2.blur(np.abs(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F)), (15, 15)) > 2


def measure_distance(flow: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(flow - other, axis=2))


@pytest.mark.parametrize("settings", SETTINGS)
def test_flow_agrees_with_opencv_on_drawn_streets(settings: FarnebackSettings) -> None:
    for _, before, after in draw_pairs("camera"):
        expected = flow_by_opencv(before, after, settings)
        assert np.abs(expected).mean() > 0.3
        distance = measure_distance(flow_by_torch(before, after, settings), expected)
        assert distance[find_texture(before)].mean() < 0.01


def test_flow_agrees_with_opencv_on_real_frames_of_odd_size(shared_data: Path) -> None:
    paths = sorted((shared_data / "video-kitti-demo" / "rgb").glob("*.jpg"))[:2]
    before, after = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[:301, :401] for path in paths)  # type: ignore[index]
    distance = measure_distance(flow_by_torch(before, after), flow_by_opencv(before, after))
    assert distance[find_texture(before)].mean() < 0.3


@pytest.mark.parametrize("look", ["cg", "camera"])
def test_flow_is_as_near_to_the_exact_flow_as_opencv(look: Look) -> None:
    for frame, before, after in draw_pairs(look):
        counted = find_texture(before) & ~frame.occluded
        errors = [
            measure_distance(f(before, after), frame.flow)[counted].mean() for f in (flow_by_torch, flow_by_opencv)
        ]
        standstill = np.linalg.norm(frame.flow, axis=2)[counted].mean()
        assert errors[0] <= errors[1] + 0.01
        assert errors[0] < 0.5 * standstill


def test_pictures_of_a_batch_do_not_influence_each_other() -> None:
    pairs = [(before, after) for _, before, after in draw_pairs("camera")]
    batch = [torch.from_numpy(np.stack(side))[:, None].float() for side in zip(*pairs, strict=True)]
    together = compute_farneback_flow(*batch).permute(0, 2, 3, 1).numpy()
    for flow, pair in zip(together, pairs, strict=True):
        np.testing.assert_allclose(flow, flow_by_torch(*pair), atol=1e-3)


def test_gradients_are_those_of_finite_differences() -> None:
    x = torch.arange(40, dtype=torch.float64)
    before = (128 + 60 * torch.sin(x / 3)[None, :] + 50 * torch.cos(x / 4)[:, None])[None, None]
    after = torch.roll(before, (1, 1), (2, 3)).requires_grad_()
    settings = FarnebackSettings(levels=1, iterations=2, winsize=9)
    direction = torch.randn(before.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def measure(step: float) -> torch.Tensor:
        return compute_farneback_flow(before, after + step * direction, settings).square().sum()

    (gradient,) = torch.autograd.grad(measure(0), after)
    slope = float((measure(1e-4) - measure(-1e-4)).detach() / 2e-4)
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-3)


def test_gradients_are_finite_even_without_texture() -> None:
    flat = torch.full((1, 1, 64, 96), 90.0, requires_grad=True)
    street = torch.from_numpy(next(draw_pairs("cg", (96, 64)))[1])[None, None].float()
    flow = compute_farneback_flow(flat, street)
    flow.square().mean().backward()
    assert flat.grad is not None
    assert flow.isfinite().all()
    assert flat.grad.isfinite().all()
    assert (flat.grad != 0).any()


def test_descent_along_the_gradient_moves_a_picture() -> None:
    """The flow alone can teach where things are: a shifted picture is pulled towards the wanted flow."""
    x = torch.arange(64.0)
    before = (128 + 60 * torch.sin(x / 4)[None, :] + 50 * torch.cos(x / 5)[:, None])[None, None]
    after = before.clone().requires_grad_()
    wanted = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    optimizer = torch.optim.Adam([after], lr=1.0)
    distances = []
    for _ in range(15):
        distance = (compute_farneback_flow(before, after) - wanted)[..., 12:-12, 12:-12].abs().mean()
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        distances.append(float(distance.detach()))
    assert distances[-1] < 0.5 * distances[0]


@pytest.mark.parametrize("fields", [{"winsize": 14}, {"pyr_scale": 1.0}, {"iterations": 0}, {"poly_sigma": 0.0}])
def test_a_constant_out_of_range_is_named(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(fields))):
        FarnebackSettings(**fields)  # type: ignore[arg-type]


def test_grey_is_opencvs() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    photo = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 127.5 - 1
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(to_grey(photo)[0, 0].numpy(), expected, atol=0.51)


@pytest.mark.parametrize("look", ["cg", "camera"])
def test_the_next_frame_warped_by_exact_flow_is_this_frame(look: Look) -> None:
    frames = list(StreetSequence(seed=5, sequence_index=0, frames=2, size=(256, 128), look=look).render_frames())
    first, second = (torch.from_numpy(f.render).permute(2, 0, 1)[None].float() for f in frames)
    flow = torch.from_numpy(frames[0].flow).permute(2, 0, 1)[None]
    expected = cv2.remap(
        frames[1].render.astype(np.float32),
        np.arange(256, dtype=np.float32) + frames[0].flow[..., 0],
        np.arange(128, dtype=np.float32)[:, None] + frames[0].flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    warped = warp(second, flow)
    np.testing.assert_allclose(warped[0].permute(1, 2, 0).numpy(), expected, atol=8.0)  # OpenCV rounds to 1/32 px
    visible = ~frames[0].occluded
    distance = (warped - first).abs().mean(dim=1)[0].numpy()
    unmoved = (second - first).abs().mean(dim=1)[0].numpy()
    assert distance[visible].mean() < 0.6 * unmoved[visible].mean()


def test_visible_pixels_are_those_that_are_not_occluded() -> None:
    frames = list(StreetSequence(seed=5, sequence_index=0, frames=2, size=(256, 128), look="camera").render_frames())
    grey = [cv2.cvtColor(frame.render, cv2.COLOR_RGB2GRAY) for frame in frames]
    forward, backward = (torch.from_numpy(flow_by_opencv(*pair)).permute(2, 0, 1)[None] for pair in (grey, grey[::-1]))
    visible = find_visible(forward, backward)[0, 0].numpy()
    shares = [visible[~frames[0].occluded].mean(), visible[frames[0].occluded].mean()]
    assert shares[0] > 0.9
    assert shares[1] < 0.6
