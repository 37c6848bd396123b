"""Every metric that is one number of confusion counts or of features."""

from sflow_pipeline.metrics.feature_diversity import DIVERSITY, VARIANT_DIVERSITY
from sflow_pipeline.metrics.frechet import FRECHET
from sflow_pipeline.metrics.kernel_metric import KERNEL
from sflow_pipeline.metrics.metric import ConfusionMetric, FeatureMetric
from sflow_pipeline.metrics.miou import MIOU, MIOU_COMMON
from sflow_pipeline.metrics.pixel_accuracy import PIXEL_ACCURACY

#: In the order of the table's columns.
CONFUSION_METRICS: tuple[ConfusionMetric, ...] = (PIXEL_ACCURACY, MIOU, MIOU_COMMON)
FEATURE_METRICS: tuple[FeatureMetric, ...] = (FRECHET, KERNEL, DIVERSITY, VARIANT_DIVERSITY)
