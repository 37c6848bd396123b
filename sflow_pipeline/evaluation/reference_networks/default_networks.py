"""The judge and the extractor of an evaluation that names none: the segmenter that comes with a bundle."""

from collections.abc import Iterable

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.dataset.contents import load_contents
from sflow_pipeline.errors import BundleError, OutputError, UsageError
from sflow_pipeline.evaluation.reference_networks.kinds import Purpose, load_network_spec
from sflow_pipeline.evaluation.reference_networks.spec import NetworkSpec


def find_default_network(paths: Iterable[str], what: Purpose) -> NetworkSpec | None:
    """The segmenter of the bundle that the first converted dataset was made with, else of the default bundle.

    None where that bundle has no segmenter.

    Args:
        paths: datasets, and folders of pictures.
        what: whether its classes are wanted or its features.
    """
    for name in (*_list_bundle_names(paths), None):
        try:
            return load_network_spec(load_bundle(name).path, what=what)
        except (BundleError, UsageError):
            continue
    return None


def _list_bundle_names(paths: Iterable[str]) -> list[str]:
    for path in paths:
        try:
            return [load_contents(path).manifest.bundle.name]
        except OutputError:
            continue
    return []
