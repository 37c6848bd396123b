"""What a benchmark found: a number, what it should be, and what it was made of."""

from dataclasses import dataclass, field
from typing import Any, Literal

#: How a number must stand to its goal.
Rule = Literal["at least", "at most", "below"]


@dataclass(frozen=True)
class Options:
    """What a person may choose; a benchmark takes its own default where None."""

    frames: int | None = None
    repeats: int | None = None


@dataclass(frozen=True)
class Measurement:
    """One line of the table.

    Attributes:
        name: what was measured.
        value: the median over all repeats, in ``unit`` ("" for ratios).
        goal: a rule and its number; None for what is only to be known.
        details: what the value was made of, for people who doubt it.
    """

    name: str
    value: float
    unit: str = ""
    goal: tuple[Rule, float] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none.

        >>> Measurement("speed", 0.91, goal=("at least", 0.9)).is_met
        True
        """
        if self.goal is None:
            return None
        rule, number = self.goal
        if rule == "at least":
            return self.value >= number
        return self.value <= number if rule == "at most" else self.value < number
