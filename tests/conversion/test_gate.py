"""Edge scores against arithmetic by hand and against the training's own edge extractor."""

import numpy as np
import torch

from sflow_pipeline.conversion.gate.gate import compute_edge_f1
from sflow_pipeline.networks.edges.edges import extract_edges
from sflow_pipeline.networks.edges.picture_edges import detect_edges


def test_f1_by_hand():
    wanted = np.zeros((9, 9), bool)
    wanted[4] = True
    found = np.zeros((9, 9), bool)
    found[4, :3] = True  # three right ones; they match four wanted ones within a pixel
    found[0, 6:] = True  # three wrong ones
    precision, recall = 3 / 6, 4 / 9
    assert compute_edge_f1(found, wanted) == 2 * precision * recall / (precision + recall)


def test_empty_maps():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert compute_edge_f1(empty, empty) == 1.0
    assert compute_edge_f1(empty, full) == compute_edge_f1(full, empty) == 0.0


def test_edges_agree_with_the_networks_extractor():
    photo = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    ours = detect_edges(photo, 0.3)
    theirs = extract_edges(torch.from_numpy(photo).permute(2, 0, 1)[None], 0.3)[0, 0].numpy() > 0
    assert (ours == theirs).mean() > 0.999
