"""Errors of writing, with hints."""

import contextlib
import errno
from collections.abc import Iterator

from sflow_pipeline.errors import OutputError

_WRITE_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "raise the quota and run the same command again",
    errno.EROFS: "choose an output folder that can be written to",
    errno.EACCES: "choose an output folder that can be written to",
    errno.EPERM: "choose an output folder that can be written to",
    errno.ENAMETOOLONG: "shorten the names of sequences and frames",
}


@contextlib.contextmanager
def translate_write_errors(name: str, *, kept: str = "") -> Iterator[None]:
    """Raise an operating system's write error as an OutputError with a hint; ``kept`` says what a next run finds."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = _WRITE_HINTS.get(error.errno or 0, "check the output folder and run the same command again")
        raise OutputError(f"{name}: cannot be written: {reason}", hint=f"{hint}; {kept}" if kept else hint) from error
