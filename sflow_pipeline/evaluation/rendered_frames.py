"""The rendered frames that pictures were made from."""

from sflow_pipeline.evaluation.photo_source import PhotoSource
from sflow_pipeline.evaluation.photos import DatasetPhotos, FolderPhotos


def open_rendered(
    source: PhotoSource, *, split: str | None, dump: str | None, limit: int | None = None
) -> PhotoSource | None:
    """The rendered frames that pictures were made from: their column, else the dump's frames with the same ids.

    Args:
        source: the pictures.
        split: of ``source``.
        dump: the dump; None for the one that the dataset names.
        limit: only for the first so many pictures.

    Returns:
        None for a folder without a ``dump``, and for pictures that are rendered frames themselves.

    Raises:
        SflowError: they cannot be read, or some of them are missing.
    """
    if isinstance(source, DatasetPhotos):
        if source.column == "render":
            return None
        if dump is None and "render" in source.columns:
            return DatasetPhotos(source.uri, split, "render")
        if dump is None:
            only = set(source.list_samples(limit))
            return FolderPhotos(source.source_root, only=only, options=source.source_options)
    return None if dump is None else FolderPhotos(dump, only=set(source.list_samples(limit)))
