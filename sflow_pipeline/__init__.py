"""sflow-pipeline turns simulator output into photo-realistic datasets whose labels are still true."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sflow_pipeline.bundle import Bundle, load_bundle
    from sflow_pipeline.config.job import ConvertJob
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.conversion.summary import Summary
    from sflow_pipeline.conversion.verify import Verification, verify
    from sflow_pipeline.dataset.sample import Sample
    from sflow_pipeline.dataset.sample_dataset import open_dataset
    from sflow_pipeline.dataset.stored_file import read_array
    from sflow_pipeline.errors import (
        BundleError,
        ConfigError,
        DumpError,
        FrameError,
        LabelSpaceError,
        MissingExtraError,
        OutputError,
        SflowError,
        TrainingError,
        UsageError,
    )
    from sflow_pipeline.evaluation.evaluate import EvaluationSettings, evaluate
    from sflow_pipeline.export.export_dataset import export_dataset
    from sflow_pipeline.inspection.inspect_dump import Inspection, inspect_dump
    from sflow_pipeline.label_spaces import LabelSpace, list_label_spaces, load_label_space
    from sflow_pipeline.run import convert
    from sflow_pipeline.training.train import train

__all__ = [
    "Bundle",
    "BundleError",
    "ConfigError",
    "ConvertJob",
    "DumpError",
    "EvaluationSettings",
    "FrameError",
    "Inspection",
    "LabelSpace",
    "LabelSpaceError",
    "MissingExtraError",
    "OutputError",
    "Sample",
    "SflowError",
    "Summary",
    "TrainingError",
    "UsageError",
    "Verification",
    "__version__",
    "convert",
    "evaluate",
    "export_dataset",
    "inspect_dump",
    "list_label_spaces",
    "load_bundle",
    "load_label_space",
    "load_recipe",
    "open_dataset",
    "read_array",
    "train",
    "verify",
]

__version__: str

#: Public name -> module that defines it; loaded on first use, because torch takes seconds.
_HOMES = {
    "Bundle": "sflow_pipeline.bundle",
    "BundleError": "sflow_pipeline.errors",
    "ConfigError": "sflow_pipeline.errors",
    "ConvertJob": "sflow_pipeline.config.job",
    "DumpError": "sflow_pipeline.errors",
    "EvaluationSettings": "sflow_pipeline.evaluation.evaluate",
    "FrameError": "sflow_pipeline.errors",
    "Inspection": "sflow_pipeline.inspection.inspect_dump",
    "LabelSpace": "sflow_pipeline.label_spaces",
    "LabelSpaceError": "sflow_pipeline.errors",
    "MissingExtraError": "sflow_pipeline.errors",
    "OutputError": "sflow_pipeline.errors",
    "Sample": "sflow_pipeline.dataset.sample",
    "SflowError": "sflow_pipeline.errors",
    "Summary": "sflow_pipeline.conversion.summary",
    "TrainingError": "sflow_pipeline.errors",
    "UsageError": "sflow_pipeline.errors",
    "Verification": "sflow_pipeline.conversion.verify",
    "convert": "sflow_pipeline.run",
    "evaluate": "sflow_pipeline.evaluation.evaluate",
    "export_dataset": "sflow_pipeline.export.export_dataset",
    "inspect_dump": "sflow_pipeline.inspection.inspect_dump",
    "list_label_spaces": "sflow_pipeline.label_spaces",
    "load_bundle": "sflow_pipeline.bundle",
    "load_label_space": "sflow_pipeline.label_spaces",
    "load_recipe": "sflow_pipeline.config.recipe",
    "open_dataset": "sflow_pipeline.dataset.sample_dataset",
    "read_array": "sflow_pipeline.dataset.stored_file",
    "train": "sflow_pipeline.training.train",
    "verify": "sflow_pipeline.conversion.verify",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sflow-pipeline")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
