"""Names of flags in errors of commands whose flags are fields of a job; job files and Python calls keep the fields."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sflow_pipeline.errors import SflowError

_ARGUMENTS = ("sim_dir", "out_dir")
#: Opens errors about several fields, and those about one.
_OPENINGS = (("job:\n", "flags:\n"), ("job: ", ""))


@contextmanager
def name_flags() -> Iterator[None]:
    """Let errors that pass name the flags of a command line; also a decorator of commands."""
    try:
        yield
    except SflowError as error:
        error.message = replace_fields(error.message, error.fields)
        raise


def replace_fields(message: str, fields: Sequence[str]) -> str:
    r"""A message with the flag in place of each field: where a line opens with it, else where it comes first.

    >>> replace_fields("job: photo_colors: must be less than or equal to 1, not 2.0", ["photo_colors"])
    '--photo-colors: must be less than or equal to 1, not 2.0'
    >>> replace_fields("out_dir /a: is inside or around sim_dir /a/b", ["out_dir", "sim_dir"])
    'OUT_DIR /a: is inside or around SIM_DIR /a/b'
    >>> replace_fields("3 of 9 frames cannot be converted, over max_bad_fraction 0.1", ["max_bad_fraction"])
    '3 of 9 frames cannot be converted, over --max-bad-fraction 0.1'
    """
    if fields:
        opening, instead = next((pair for pair in _OPENINGS if message.startswith(pair[0])), ("", ""))
        message = instead + message.removeprefix(opening)
    for field in fields:
        flag = field.upper() if field in _ARGUMENTS else "--" + field.replace("_", "-")
        name = rf"{field}(?:\.\d+)?(?![\w-])"  # a list's field has the number of the item behind it
        message, count = re.subn(rf"^( *){name}", rf"\g<1>{flag}", message, flags=re.MULTILINE)
        if not count:
            message = re.sub(rf"(?<![\w-]){name}", flag, message, count=1)
    return message
