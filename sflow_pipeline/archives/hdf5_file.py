"""HDF5 files as folders: encoded files keep their names, pixel arrays become PNG, other arrays NPY, text JSON.

PNG has no negative numbers: in an array of ids, -1 (nothing) becomes 0, which such an array must not have itself; in
BlenderProc's category ids, where 0 may be a category, it becomes ``NOTHING_ID``. A file with a stereo pair of pictures
is two folders, ``left`` and ``right``.
"""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive, check_size
from sflow_pipeline.archives.png import encode_png
from sflow_pipeline.errors import first_line

#: What h5py raises for damaged bytes, wherever they stand.
_DAMAGE = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError, MemoryError)

#: What -1 becomes in arrays of category ids.
NOTHING_ID = 65534
_CATEGORIES = ("category_id_segmaps", "class_segmaps")
_VIEWS = ("left", "right")


def open_hdf5(path: str, mtime_ns: int) -> Archive:
    """Open an HDF5 file; every dataset in it is a file.

    Raises:
        ArchiveError: it is damaged, or h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ArchiveError(0, "HDF5 needs h5py: pip install 'sflow-pipeline[hdf5]'") from error
    datasets: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            datasets[name] = item

    try:
        file = h5py.File(path, "r")
        file.visititems(visit)
        members = _list_members(datasets)
    except _DAMAGE as error:
        raise ArchiveError(0, f"not a whole HDF5 file ({first_line(error)}); copy it again") from error

    def read(name: str) -> bytes:
        try:
            source, view = members[name]
            dataset = file[source]
            check_size(name, dataset.size * dataset.dtype.itemsize)
            value = dataset[()] if view is None else dataset[view]
            if isinstance(value, bytes | str):
                return value if isinstance(value, bytes) else value.encode()
            return _encode(np.asarray(value), name)
        except ArchiveError:
            raise
        except _DAMAGE as error:
            raise ArchiveError(0, f"{name} is damaged ({first_line(error)}); copy the archive again") from error

    return build_archive(dict.fromkeys(members, mtime_ns), {}, read)


def _list_members(datasets: Mapping[str, Any]) -> dict[str, tuple[str, int | None]]:
    """File name -> dataset, and which of its two views where the file has a stereo pair of pictures."""
    is_stereo = any(_is_picture(item.shape[1:], item.dtype) and item.shape[0] == 2 for item in datasets.values())
    members: dict[str, tuple[str, int | None]] = {}
    for name, item in datasets.items():
        is_pair = is_stereo and len(item.shape) > 0 and item.shape[0] == 2
        suffix = _suffix(name, item.shape[1:] if is_pair else item.shape, item.dtype)
        for position, view in enumerate(_VIEWS if is_stereo else ("",)):
            members[f"{view}/{name}{suffix}".lstrip("/")] = name, position if is_pair else None
    return members


def _suffix(name: str, shape: tuple[int, ...], dtype: Any) -> str:
    if dtype.kind in "SO" and shape == ():
        return ".json"
    if len(shape) == 1 and dtype == np.uint8 and "." in name.rpartition("/")[2]:
        return ""  # an encoded file
    is_id_map = len(shape) == 2 and dtype.kind in "iu"
    return ".png" if is_id_map or _is_picture(shape, dtype) else ".npy"


def _is_picture(shape: tuple[int, ...], dtype: Any) -> bool:
    return len(shape) == 3 and shape[2] == 3 and dtype == np.uint8


def _encode(array: NDArray[Any], name: str) -> bytes:
    if array.ndim == 1 and array.dtype == np.uint8 and not name.endswith(".npy"):
        return array.tobytes()
    if name.endswith(".png"):
        if array.ndim == 2 and array.dtype not in (np.uint8, np.uint16):
            if array.size and int(array.min()) == -1:
                is_category = name.rpartition("/")[2].removesuffix(".png") in _CATEGORIES
                if not array.all() and not is_category:
                    raise ArchiveError(
                        0, f"{name}: has both -1 and 0, which one PNG cannot tell apart; write other ids than -1"
                    )
                array = np.where(array == -1, NOTHING_ID if is_category else 0, array)
            if array.size and (int(array.min()) < 0 or int(array.max()) > 65535):
                raise ArchiveError(0, f"{name}: ids {array.min()} to {array.max()} do not fit 16 bits")
            array = array.astype("<u2")
        return encode_png(array)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
