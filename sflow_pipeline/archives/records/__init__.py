"""Record files, which describe many frames at once, read as folders with one small text per frame."""

import re
from collections.abc import Callable

from sflow_pipeline.archives.archive import Archive, ArchiveError
from sflow_pipeline.archives.records.airsim import split_airsim_record
from sflow_pipeline.archives.records.coco import split_coco
from sflow_pipeline.archives.records.hypersim import split_hypersim_camera
from sflow_pipeline.archives.records.record_table import Read
from sflow_pipeline.archives.records.scalabel import split_scalabel
from sflow_pipeline.archives.records.sintel import split_sintel_camera
from sflow_pipeline.archives.records.vkitti import split_vkitti_boxes, split_vkitti_camera

__all__ = ["Read", "is_record_name", "open_records"]

#: File names -> their splitter, which may read further files beside them.
_SPLITTERS: tuple[tuple[re.Pattern[str], Callable[[str, Read], Archive]], ...] = (
    (re.compile(r"airsim_rec\.txt"), split_airsim_record),
    (re.compile(r"coco_annotations\.json"), split_coco),
    (re.compile(r"camera_keyframe_positions\.hdf5"), split_hypersim_camera),
    (re.compile(r"det_\w+\.json"), split_scalabel),
    (re.compile(r"frame_\d+\.cam"), split_sintel_camera),
    (re.compile(r"(?:bbox|pose)\.txt"), split_vkitti_boxes),
    (re.compile(r"(?:extrinsic|intrinsic)\.txt"), split_vkitti_camera),
)


def is_record_name(name: str) -> bool:
    """Whether a path may lead into a file of this name.

    >>> is_record_name("det_2d.json"), is_record_name("0001.json")
    (True, False)
    """
    return any(pattern.fullmatch(name) for pattern, _ in _SPLITTERS)


def open_records(name: str, read: Read) -> Archive:
    """Split a file into one for each frame; a frame's file changes only with what is said of that frame.

    Args:
        name: of the file.
        read: gives the content of a file by its path relative to this one's folder.

    Raises:
        ArchiveError: it does not hold what files of its name do.
        OSError: it cannot be read.
    """
    splitter = next(split for pattern, split in _SPLITTERS if pattern.fullmatch(name))
    try:
        return splitter(name, read)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ArchiveError(0, f"{name} is not what its name says ({error!r}); write or copy it again") from error
