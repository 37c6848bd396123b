"""Arms of a comparison: the sources that a network is trained on, as one line of text."""

import re
from dataclasses import dataclass

_PART = re.compile(r"([a-z][a-z0-9_-]*)(?:\s*/\s*([1-9][0-9]{0,5}))?")


@dataclass(frozen=True)
class ArmPart:
    """A source, or every n-th picture of it.

    Attributes:
        source: its name in the job.
        every: 1 for all of its pictures.
    """

    source: str
    every: int = 1

    @property
    def name(self) -> str:
        """As in the job: ``real``, ``real/4``."""
        return self.source if self.every == 1 else f"{self.source}/{self.every}"


@dataclass(frozen=True)
class Arm:
    """Summands, each of which fills ``batch_size`` crops of every step from one of its parts or several in turn.

    Attributes:
        summands: never empty, and none of them is.
    """

    summands: tuple[tuple[ArmPart, ...], ...]

    @property
    def name(self) -> str:
        """The arm as text, the same for the same arm."""
        return " + ".join(" or ".join(part.name for part in parts) for parts in self.summands)

    @property
    def parts(self) -> tuple[ArmPart, ...]:
        """Every part once, in order."""
        return tuple(dict.fromkeys(part for parts in self.summands for part in parts))


def parse_arm(text: str) -> Arm:
    """An arm from text: sources joined by ``+`` (each adds a batch) or ``or`` (they share one).

    ``real/4`` is every fourth picture of ``real``.

    Raises:
        ValueError: it is written otherwise.

    >>> parse_arm("real/4+converted").name, parse_arm("rendered or converted").summands
    ('real/4 + converted', ((ArmPart(source='rendered', every=1), ArmPart(source='converted', every=1)),))
    """
    summands = tuple(tuple(_parse_part(part, text) for part in re.split(r"\s+or\s+", side)) for side in text.split("+"))
    return Arm(summands)


def _parse_part(part: str, text: str) -> ArmPart:
    found = _PART.fullmatch(part.strip())
    if found is None or found[1] == "or":
        raise ValueError(
            f"arm {text!r} is no list of sources: write names of sources joined by + or by or, such as "
            "`rendered`, `real/4 + converted` (a quarter of the real photos) or `rendered or converted`"
        )
    return ArmPart(found[1], int(found[2] or 1))
