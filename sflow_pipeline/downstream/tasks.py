"""The task of a job by its name."""

from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.detection.detection import Detection
from sflow_pipeline.downstream.segmentation import Segmentation
from sflow_pipeline.downstream.task import Task
from sflow_pipeline.label_spaces import LabelSpace


def build_task(job: DownstreamJob, label_space: LabelSpace) -> Task:
    """Segmentation or detection, as the job asks.

    Raises:
        MissingExtraError: a library that the task needs is not installed.
        UsageError: the label space has no class for the task.
    """
    return Detection(job, label_space) if job.task == "detection" else Segmentation(job, label_space)
