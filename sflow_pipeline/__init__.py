"""sflow-pipeline turns simulator output into photo-realistic datasets whose labels are still true."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.dataset.sample import Sample
    from sflow_pipeline.dataset.sample_dataset import open_dataset
    from sflow_pipeline.run import convert

__all__ = ["Sample", "__version__", "convert", "load_bundle", "open_dataset"]

__version__: str

#: What the package offers by name, and where it lives; loaded when somebody asks, because torch takes seconds.
_HOMES = {
    "Sample": "sflow_pipeline.dataset.sample",
    "convert": "sflow_pipeline.run",
    "load_bundle": "sflow_pipeline.bundle",
    "open_dataset": "sflow_pipeline.dataset.sample_dataset",
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
