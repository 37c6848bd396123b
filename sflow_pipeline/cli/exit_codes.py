"""Exit codes of the command line; errors carry their own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sflow_pipeline.conversion.summary import Summary

CLEAN = 0
FAILED = 1
QUARANTINED = 3
#: Of ``--dry-run``: a run would change the dataset.
WORK_TO_DO = 10


def exit_code_of(summary: "Summary") -> int:
    """The exit code after a conversion."""
    return {"clean": CLEAN, "incomplete": FAILED, "quarantined": QUARANTINED}[summary.status]
