"""Metrics on arrays: a metric's name is its protocol, and nothing here reads a file or runs a network."""

from sflow_pipeline.metrics.confusion import count_confusion
from sflow_pipeline.metrics.feature_diversity import compute_diversity
from sflow_pipeline.metrics.feature_sets import FeatureSets
from sflow_pipeline.metrics.frechet import compute_frechet
from sflow_pipeline.metrics.grouped_kernel import (
    GroupedFeatures,
    compute_kernel_ratio,
    draw_kernel_distances,
    draw_matched_distances,
)
from sflow_pipeline.metrics.interval import compute_draw_interval, compute_interval, compute_mean_interval
from sflow_pipeline.metrics.kernel import compute_kernel_distance, compute_mmd2
from sflow_pipeline.metrics.metric import INCEPTION, ConfusionMetric, Metric
from sflow_pipeline.metrics.miou import compute_iou, compute_miou
from sflow_pipeline.metrics.pixel_accuracy import compute_pixel_accuracy
from sflow_pipeline.metrics.registry import CONFUSION_METRICS, FEATURE_METRICS

__all__ = [
    "CONFUSION_METRICS",
    "FEATURE_METRICS",
    "INCEPTION",
    "ConfusionMetric",
    "FeatureSets",
    "GroupedFeatures",
    "Metric",
    "compute_diversity",
    "compute_draw_interval",
    "compute_frechet",
    "compute_interval",
    "compute_iou",
    "compute_kernel_distance",
    "compute_kernel_ratio",
    "compute_mean_interval",
    "compute_miou",
    "compute_mmd2",
    "compute_pixel_accuracy",
    "count_confusion",
    "draw_kernel_distances",
    "draw_matched_distances",
]
