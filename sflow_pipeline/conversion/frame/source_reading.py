"""Reading of a frame's files: errors of access are tried again, in this run and in the next; faults of content are not.

A frame that was left out is known by the bytes that were read, not by what the files are called: when they read
otherwise later, it is converted again.
"""

import errno
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping

from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage.filesystem import Folder

#: What a frame's files are known by where they could not be read; the next run tries again.
NOT_READ = ""
#: Waits before the second and the third attempt; object stores are asked again by their own client.
_WAITS_S = (0.05, 0.3)
#: Identity of a file that was not there when the dump was listed; the next listing finds out whether it is.
_ABSENT = ("-1:", "missing")


def read_frame_files(
    frame: SourceFrame, source: Folder, *, by_content: bool, wait: Callable[[float], None] = time.sleep
) -> dict[str, bytes]:
    """The files of a frame by modality.

    Args:
        frame: with the identities that the listing found.
        source: the dump's folder.
        by_content: identities are digests.
        wait: sleeps between attempts.

    Raises:
        FrameError: ``missing``, ``no_access`` or ``changed``: passing faults, marked to be tried again by the next
            run; ``unreadable``: the file is none, which is tried again where the listing found one, or its archive is
            damaged.
    """
    return {name: _read(frame, name, source, by_content, wait) for name in frame.identities}


def compute_read_digest(files: Mapping[str, bytes]) -> str:
    """What a frame's files are known by: sha256 hex over their bytes."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()


def find_changed_read(faults: Mapping[str, str], frames: Iterable[SourceFrame], source: Folder) -> str | None:
    """The first frame among those left out that should be tried again; None if all read as they did.

    Args:
        faults: sample id -> digest of what was read, ``NOT_READ`` where that failed.
        frames: that the shard reads.
        source: the dump's folder.
    """
    if not faults:
        return None
    by_id = {frame.ref.sample_id: frame for frame in frames}
    for sample_id, digest in faults.items():
        frame = by_id.get(sample_id)
        if frame is None or digest == NOT_READ:
            return sample_id
        try:
            files = {name: source.read_bytes(str(getattr(frame.ref, name))) for name in frame.identities}
        except OSError:
            return sample_id
        if compute_read_digest(files) != digest:
            return sample_id
    return None


def _read(frame: SourceFrame, modality: str, source: Folder, by_content: bool, wait: Callable[[float], None]) -> bytes:
    path, identity = str(getattr(frame.ref, modality)), frame.identities[modality]
    data = _read_again(path, source, is_absent=identity.startswith(_ABSENT), wait=wait)
    found = f"sha256:{hashlib.sha256(data).hexdigest()}" if by_content else f"{len(data)}"
    if found != identity and not identity.startswith(f"{found}:"):
        raise FrameError(
            f"{path}: changed while the job ran",
            hint="run again when the simulator is done",
            reason="changed",
            read_digest=NOT_READ,
        )
    return data


def _read_again(path: str, source: Folder, *, is_absent: bool, wait: Callable[[float], None]) -> bytes:
    for wait_s in (*_WAITS_S, None) if source.is_local else (None,):
        try:
            return source.read_bytes(path)
        except OSError as error:
            is_passing = source.is_passing(error) and not is_absent
            if is_passing and wait_s is not None:
                wait(wait_s)
                continue
            # Listed as a file and now a FIFO or a folder: it has changed since, and may again.
            is_replaced = not is_absent and error.errno in (errno.EINVAL, errno.EISDIR)
            known_by = NOT_READ if is_passing or is_replaced else None
            if isinstance(error, FileNotFoundError):
                raise FrameError(
                    f"{path}: is gone", hint="restore the file and run again", reason="missing", read_digest=known_by
                ) from None
            raise FrameError(
                f"{path}: cannot be read: {error.strerror or error}",
                hint="restore access to the file and run again" if is_passing else "write or copy the file again",
                reason="no_access" if is_passing else "unreadable",
                read_digest=known_by,
            ) from error
    raise AssertionError("the last attempt returns or raises")
