"""Zip files as folders."""

import lzma
import stat
import struct
import zipfile
import zlib

from sflow_pipeline.archives.archive import Archive, ArchiveError, build_archive, check_size


def open_zip(path: str, _mtime_ns: int) -> Archive:
    """Open a zip file; a file's mark is its checksum, so packing the same files again changes nothing.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error) as error:
        raise ArchiveError(0, f"not a whole zip file ({error}); copy it again") from error
    members = {
        info.filename: info for info in archive.infolist() if info.filename and not info.is_dir() and _is_plain(info)
    }

    def read(name: str) -> bytes:
        info = members[name]
        check_size(name, info.file_size)
        try:
            with archive.open(info) as file:
                data = file.read(info.file_size + 1)  # its directory may state less than it unpacks to
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OSError, struct.error) as error:
            if isinstance(error, OSError) and error.errno:  # bz2 says with one without a number that data is damaged
                raise
            raise ArchiveError(0, f"{name} is damaged ({error}); copy the archive again") from error
        except (RuntimeError, NotImplementedError) as error:
            raise ArchiveError(0, f"{name} is encrypted or packed in an unknown way; unpack the archive") from error
        if len(data) != info.file_size:
            raise ArchiveError(0, f"{name} is damaged (not as long as the archive says); copy the archive again")
        return data

    sizes = {name: info.file_size for name, info in members.items()}
    return build_archive({name: info.CRC for name, info in members.items()}, sizes, read)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16
    return mode == 0 or stat.S_IFMT(mode) in (0, stat.S_IFREG)
