"""Errors that this package raises on purpose, each with a message and a hint."""

from typing import Any

from sflow_pipeline.addresses import redact_text


class SflowError(Exception):
    """A fault that the user can act on.

    ``message`` names the thing, its value and the rule it broke; ``hint`` says what to do; ``fields`` are the fields
    of a job that the message names, for commands that have flags in their place. All survive pickling, because Ray
    carries errors between processes.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(UsageError("--size 7: expected WxH", hint="try --size 512x256"))).hint
    'try --size 512x256'
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(redact_text(message))
        self.message = redact_text(message)
        self.hint = redact_text(hint)
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.__dict__)

    def __str__(self) -> str:
        return self.message


def _rebuild(kind: type[SflowError], message: str, hint: str, state: dict[str, Any]) -> SflowError:
    error = kind(message, hint=hint)
    error.__dict__.update(state)
    return error


class UsageError(SflowError):
    """An invalid command line or Python call."""

    exit_code = 2


class ConfigError(UsageError):
    """A recipe, job or dataset.yaml has a wrong key or value."""


class LabelSpaceError(SflowError):
    """A label space does not exist, is malformed, or lacks an id of a label file."""


class DumpError(SflowError):
    """A simulator dump as a whole cannot be read: unknown, ambiguous, empty or incomplete."""


class BundleError(SflowError):
    """A bundle is missing, damaged, or of another format."""


class OutputError(SflowError):
    """An output folder holds other files, is read-only, is full, or is being written by another run."""


class TrainingError(SflowError):
    """Training cannot start or cannot go on."""


class MissingExtraError(SflowError):
    """An optional dependency is needed and not installed."""


class FrameError(SflowError):
    """One frame cannot be converted; it is quarantined and the job goes on.

    ``reason`` is a short stable word for tables (``truncated``, ``size_mismatch``, ``unknown_id``, …).
    """

    def __init__(
        self, message: str, *, hint: str = "", reason: str = "unreadable", read_digest: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        #: What the frame's files are known by, where the next run should look at them again; see ``source_reading``.
        self.read_digest = read_digest


def first_line(error: BaseException) -> str:
    r"""What an exception says, on one line; its kind where it says nothing.

    >>> first_line(ValueError("no footer\nin frame 3")), first_line(EOFError())
    ('no footer', 'EOFError')
    """
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
