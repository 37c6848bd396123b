"""The rendered frames that pictures were made from."""

from sflow_pipeline.errors import UsageError
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
        SflowError: they cannot be read, some of them are missing, or they are not those that a dataset was made from.
    """
    if isinstance(source, DatasetPhotos):
        if source.column == "render":
            return None
        if dump is None and "render" in source.columns:
            return DatasetPhotos(source.uri, split, "render")
        options = source.source_options if dump is None else None
        frames = FolderPhotos(dump or source.source_root, only=set(source.list_samples(limit)), options=options)
        _check_made_from(source, frames)
        return frames
    return None if dump is None else FolderPhotos(dump, only=set(source.list_samples(limit)))


def _check_made_from(dataset: DatasetPhotos, frames: FolderPhotos) -> None:
    """Refuse frames of the right names that have other content than those that were converted."""
    converted = {row.sample_id: row.values["source_sha256"] for row in dataset.read_rows(["source_sha256"])}
    others = [frame.sample_id for frame, digest in frames.list_digests() if digest != converted[frame.sample_id]]
    if others:
        raise UsageError(
            f"{frames.uri}: {len(others)} of {len(frames)} frames are not those that {dataset.uri} was made from, "
            f"first {others[0]}",
            hint="give the dump as it was converted, or convert it again",
        )
