"""Errors of writing, with hints."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from safetensors import SafetensorError

from sflow_pipeline.errors import OutputError

_WRITE_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "raise the quota and run the same command again",
    errno.EROFS: "choose an output folder that can be written to",
    errno.EACCES: "choose an output folder that can be written to",
    errno.EPERM: "choose an output folder that can be written to",
    errno.ENAMETOOLONG: "shorten the names of sequences and frames",
}
#: How safetensors names the operating system's error in its own.
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


@contextlib.contextmanager
def translate_write_errors(name: str, *, kept: str = "") -> Iterator[None]:
    """Raise an operating system's write error as an OutputError with a hint; ``kept`` says what a next run finds.

    Those that safetensors met are translated, too.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        number, reason = _read_error(error)
        hint = _WRITE_HINTS.get(number, "check the output folder and run the same command again")
        raise OutputError(f"{name}: cannot be written: {reason}", hint=f"{hint}; {kept}" if kept else hint) from error


def _read_error(error: OSError | SafetensorError) -> tuple[int, str]:
    """Number of the operating system's error, 0 where it has none, and what it means."""
    if isinstance(error, OSError):
        return error.errno or 0, error.strerror or str(error)
    found = _SYSTEM_ERROR.search(str(error))
    number = int(found[1]) if found else 0
    return number, os.strerror(number) if number else str(error)
