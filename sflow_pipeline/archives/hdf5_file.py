"""HDF5 files as folders: encoded files keep their names, pixel arrays become PNG, other arrays NPY, text JSON.

PNG has no negative numbers: in an array of ids, -1 (nothing) becomes 0, which such an array must not have itself.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive, check_size
from sflow_pipeline.archives.png import encode_png
from sflow_pipeline.errors import first_line

#: What h5py raises for damaged bytes, wherever they stand.
_DAMAGE = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError, MemoryError)


def open_hdf5(path: str, mtime_ns: int) -> Archive:
    """Open an HDF5 file; every dataset in it is a file.

    Raises:
        ArchiveError: it is damaged, or h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ArchiveError(0, "HDF5 needs h5py: pip install 'sflow-pipeline[hdf5]'") from error
    members: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            members[name + _suffix(name, item)] = name

    try:
        file = h5py.File(path, "r")
        file.visititems(visit)
    except _DAMAGE as error:
        raise ArchiveError(0, f"not a whole HDF5 file ({first_line(error)}); copy it again") from error

    def read(name: str) -> bytes:
        try:
            dataset = file[members[name]]
            check_size(name, dataset.size * dataset.dtype.itemsize)
            value = dataset[()]
            if isinstance(value, bytes | str):
                return value if isinstance(value, bytes) else value.encode()
            return _encode(np.asarray(value), name)
        except ArchiveError:
            raise
        except _DAMAGE as error:
            raise ArchiveError(0, f"{name} is damaged ({first_line(error)}); copy the archive again") from error

    return build_archive(dict.fromkeys(members, mtime_ns), {}, read)


def _suffix(name: str, dataset: Any) -> str:
    if dataset.dtype.kind in "SO" and dataset.shape == ():
        return ".json"
    if dataset.ndim == 1 and dataset.dtype == np.uint8 and "." in name.rpartition("/")[2]:
        return ""  # an encoded file
    is_id_map = dataset.ndim == 2 and dataset.dtype.kind in "iu"
    is_picture = dataset.ndim == 3 and dataset.shape[2] == 3 and dataset.dtype == np.uint8
    return ".png" if is_id_map or is_picture else ".npy"


def _encode(array: NDArray[Any], name: str) -> bytes:
    if array.ndim == 1 and array.dtype == np.uint8 and not name.endswith(".npy"):
        return array.tobytes()
    if name.endswith(".png"):
        if array.ndim == 2 and array.dtype not in (np.uint8, np.uint16):
            if array.size and int(array.min()) == -1:
                if not array.all():
                    raise ArchiveError(0, f"{name}: has both -1 and 0, which one PNG cannot tell apart")
                array = np.where(array == -1, 0, array)
            if array.size and (int(array.min()) < 0 or int(array.max()) > 65535):
                raise ArchiveError(0, f"{name}: ids {array.min()} to {array.max()} do not fit 16 bits")
            array = array.astype("<u2")
        return encode_png(array)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
