"""Per-frame parts of record files, which describe many frames at once."""

import os
from dataclasses import dataclass, field

from sflow_pipeline.archives import open_archive
from sflow_pipeline.simulators.dump_files import is_remote
from sflow_pipeline.simulators.problems import ProblemLog


@dataclass
class FrameRecords:
    """The records of a dump; those that cannot be split are logged once."""

    root: str
    log: ProblemLog
    _members: dict[str, frozenset[str]] = field(default_factory=dict)

    def find(self, record: str | None, member: str) -> str | None:
        """Path of a frame's part of a record; None where the record lacks the frame.

        Args:
            record: path relative to the dump; None finds nothing.
            member: the part's path in the record.
        """
        if record is None:
            return None
        if record not in self._members:
            self._members[record] = self._list(record)
        return f"{record}/{member}" if member in self._members[record] else None

    def _list(self, record: str) -> frozenset[str]:
        if is_remote(self.root):
            self.log.add("remote_record", record)
            return frozenset()
        try:
            return frozenset(open_archive(os.path.join(self.root, record)).marks)
        except OSError as error:
            self.log.add("unreadable_record", record, error.strerror or str(error))
            return frozenset()
