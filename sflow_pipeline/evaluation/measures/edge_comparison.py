"""Edge statistics of every row, and their distances to those of the real photos."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.evaluation.measures.edge_statistics import (
    DENSITY_BOUNDS,
    ORIENTATION_BINS,
    TILE_PX,
    EdgeStatistics,
    compute_edge_statistics,
    compute_total_variation,
)
from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.photos import DatasetPhotos
from sflow_pipeline.networks.edges.picture_edges import EDGE_STRENGTH, detect_edges
from sflow_pipeline.storage.image_codec import decode_plane, decode_rgb


def compare_edges(
    sources: Sequence[tuple[str, PhotoSource]], threshold: float, limit: int | None = None
) -> dict[str, Any]:
    """Edge statistics of datasets (rendered frames, DNED's prediction, converted images) and of real photos.

    Args:
        sources: name and pictures; the real photos last.
        threshold: of the Laplacian, see ``find_edge_threshold``.
        limit: pictures of each at most.

    Returns:
        JSON-like: ``sets``: name -> statistics with ``density_tv`` and ``orientation_tv``, the total variation to
        the real photos; ``protocol``; ``notes`` on columns that are missing.

    Raises:
        UsageError: a picture is too small to measure.
    """
    found: dict[str, EdgeStatistics] = {}
    notes = []
    for name, source in sources:
        if isinstance(source, DatasetPhotos) and source.column == "image":
            for label, column in (("simulator's edges", "render"), ("DNED's edges", "edge")):
                if column in source.columns:
                    edges = _read_column(source, column, threshold, limit)
                    found[f"{name}: {label}"] = _measure(name, edges)
                else:
                    notes.append(f"{name}: no column {column}; convert with it to compare {label}")
        if not isinstance(source, DatasetPhotos) or source.column == "image":
            photos = (detect_edges(photo.photo, threshold) for photo in islice(source.read(), limit))
            found[name] = _measure(name, photos)
    real = found[sources[-1][0]]
    sets = {
        name: {
            **asdict(statistics),
            "density_tv": compute_total_variation(statistics.density_histogram, real.density_histogram),
            "orientation_tv": (
                compute_total_variation(statistics.orientation_histogram, real.orientation_histogram)
                if statistics.density and real.density
                else None  # without an edge there is no direction
            ),
        }
        for name, statistics in found.items()
    }
    protocol = {
        "edges": f"|Laplacian| of the smoothed luma over {threshold:g}; DNED's prediction from {EDGE_STRENGTH} of 255",
        "density_histogram": f"{TILE_PX}x{TILE_PX} px squares, bounds {list(DENSITY_BOUNDS)}",
        "orientation_histogram": f"{ORIENTATION_BINS} bins of line direction over 180 degrees, structure tensor",
        "distance": "total variation to the real photos' histogram, 0 to 1",
        "size": "every picture at its own size, as in training and conversion",
    }
    return {"protocol": protocol, "sets": sets, "notes": notes}


def find_edge_threshold(sources: Sequence[PhotoSource]) -> float:
    """The Laplacian threshold of the datasets among the sources.

    Raises:
        UsageError: no converted dataset is among them, so that no threshold is given; or two were made with different
            thresholds.
    """
    thresholds = sorted({source.edge_threshold for source in sources if isinstance(source, DatasetPhotos)})
    if len(thresholds) != 1:
        raise UsageError(
            f"--edges: {'no converted dataset' if not thresholds else f'edge thresholds {thresholds} differ'}",
            hint="evaluate datasets of one bundle: edges are compared at the threshold that it was trained with",
        )
    return thresholds[0]


def _measure(name: str, edges: Iterator[NDArray[np.bool_]]) -> EdgeStatistics:
    try:
        return compute_edge_statistics(edges)
    except ValueError as error:
        raise UsageError(f"--edges: {name}: {error}", hint="leave --edges away, or compare larger pictures") from error


def _read_column(
    source: DatasetPhotos, column: str, threshold: float, limit: int | None
) -> Iterator[NDArray[np.bool_]]:
    for row in islice(source.read_rows([column]), limit):
        name = f"{source.uri}: {row.sample_id} {column}"
        data = row.require_file(column)
        if column == "edge":
            yield decode_plane(data, name=name) >= EDGE_STRENGTH
        else:
            yield detect_edges(decode_rgb(data, name=name), threshold)
