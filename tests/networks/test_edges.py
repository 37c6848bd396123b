"""The edge extractor against OpenCV, an independent implementation."""

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.networks.edges.edges import compute_laplacian, extract_edges


def laplacian_by_opencv(rgb: np.ndarray) -> np.ndarray:
    luma = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(luma, (3, 3), 0, borderType=cv2.BORDER_REFLECT_101)
    return np.abs(cv2.Laplacian(smooth, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REFLECT_101))


@pytest.mark.parametrize("size", [(48, 64), (33, 71), (2, 2)])
def test_laplacian_agrees_with_opencv(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    ours = compute_laplacian(torch.from_numpy(rgb).permute(2, 0, 1)[None])[0, 0].numpy()
    np.testing.assert_allclose(ours, laplacian_by_opencv(rgb), atol=1e-5)


def test_edges_of_a_drawing_are_its_outline() -> None:
    drawing = np.zeros((9, 12, 3), np.uint8)
    drawing[3:6, 4:8] = 200
    edges = extract_edges(torch.from_numpy(drawing).permute(2, 0, 1)[None], 0.04)[0, 0].numpy().astype(int)
    golden = [
        "............",
        "...######...",
        "..########..",
        "..########..",
        "..########..",
        "..########..",
        "..########..",
        "...######...",
        "............",
    ]
    expected = (laplacian_by_opencv(drawing) > 0.04).astype(int)
    assert edges.tolist() == expected.tolist()
    assert ["".join(".#"[v] for v in row) for row in edges] == golden


def test_each_image_of_a_batch_may_have_its_own_threshold() -> None:
    ramp = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    both = extract_edges(ramp.expand(2, -1, -1, -1), torch.tensor([0.05, 0.5]))
    assert torch.equal(both[:1], extract_edges(ramp, 0.05))
    assert torch.equal(both[1:], extract_edges(ramp, 0.5))
    assert both[0].sum() > both[1].sum()
