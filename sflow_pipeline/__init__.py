"""sflow-pipeline turns simulator output into photo-realistic datasets whose labels are still true."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sflow-pipeline")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
