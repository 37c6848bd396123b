"""The interface of a dump layout: the names that every module of ``layouts/`` defines."""

from typing import Protocol

from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.stated_facts import StatedFacts


class Adapter(Protocol):
    """One dump layout. A new one is a new module with these names and an entry in ``layouts.LAYOUTS``."""

    #: Its name for ``--simulator``.
    NAME: str
    #: The layout in one line, for tables and errors.
    LAYOUT: str

    def matches(self, root: str) -> str | None:
        """A short reason why ``root`` has this layout, or None. Quick: reads few entries and no pixels."""

    def discover(self, root: str, stated: StatedFacts) -> Dump:
        """Find every frame, and state in ``Dump`` how labels and instances are stored.

        ``stated`` overrides what the files show; the caller applies its encodings, rate, splits and metadata, so an
        adapter looks at them only where its own search depends on them.

        Raises:
            DumpError: the dump as a whole cannot be used.
        """
