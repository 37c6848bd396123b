"""Limits on input, checked before anything is decoded; each can be raised by an environment variable."""

import os
from dataclasses import dataclass

from sflow_pipeline.errors import UsageError

PIXELS_VARIABLE = "SFLOW_MAX_PIXELS"
FILE_BYTES_VARIABLE = "SFLOW_MAX_FILE_BYTES"


@dataclass(frozen=True)
class Limits:
    """What one file of the input may be.

    Attributes:
        pixels: of a picture, width times height; the default admits 8K UHD (7680x4320), 100 MB as RGB.
        file_bytes: of a file, as it is read: unpacked where it is in an archive.
    """

    pixels: int = 1 << 25
    file_bytes: int = 1 << 29


_DEFAULT = Limits()


def read_limits() -> Limits:
    """The limits of this process.

    Raises:
        UsageError: an environment variable is no whole number above 0.
    """
    if PIXELS_VARIABLE not in os.environ and FILE_BYTES_VARIABLE not in os.environ:  # asked for every file
        return _DEFAULT
    return Limits(
        _read_variable(PIXELS_VARIABLE, _DEFAULT.pixels), _read_variable(FILE_BYTES_VARIABLE, _DEFAULT.file_bytes)
    )


def apply_limits(limits: Limits) -> None:
    """Make them this process's limits, and those of the processes that it starts."""
    os.environ[PIXELS_VARIABLE] = str(limits.pixels)
    os.environ[FILE_BYTES_VARIABLE] = str(limits.file_bytes)


def _read_variable(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise UsageError(f"{name}={text!r}: must be a whole number above 0", hint=f"unset it for {default}")
    return int(text)
