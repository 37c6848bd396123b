"""Label spaces of dumps that name their classes frame by frame."""

from collections import Counter
from collections.abc import Iterable, Mapping

from sflow_pipeline.errors import DumpError
from sflow_pipeline.label_spaces import LabelSpace, LabelTable, derive_label_space, load_label_space
from sflow_pipeline.label_spaces.derived_space import UNKNOWN_CONCEPT
from sflow_pipeline.simulators.problems import ProblemLog

_SHOWN = 8


def choose_label_space(
    root: str, simulator: str, tables: Iterable[LabelTable], label_space: str | None, log: ProblemLog
) -> str | LabelSpace:
    """The label space that ``label_space`` names if its classes have the dump's names, else one made from them.

    Args:
        root: the dump, for errors.
        simulator: name of the label space that is made.
        tables: of every frame.
        label_space: the stated one.
        log: receives names of unknown meaning.

    Raises:
        DumpError: the dump names classes that ``label_space`` does not have.
    """
    names: set[str] = set()
    colors: dict[str, tuple[int, int, int]] = {}
    for table in tables:
        names |= table.names
        for rgba, name in table.colors.items():
            colors.setdefault(name, rgba[:3])
    if label_space is not None:
        missing = sorted(names - set(load_label_space(label_space).names))
        if missing:
            raise DumpError(
                f"dump {root}: names classes that label space {label_space} does not have: {_list(missing)}",
                hint="give a label space whose classes are named as in the dump, or leave --label-space out",
            )
        return label_space
    return name_strange_classes(derive_label_space(simulator, names, colors), log)


def name_strange_classes(space: LabelSpace, log: ProblemLog) -> LabelSpace:
    """The space unchanged; classes of unknown meaning are logged."""
    strange = [c.name for c in space.classes if c.concepts[0].startswith(UNKNOWN_CONCEPT)]
    if strange:
        log.add("strange_class", _list(strange))
    return space


def name_twins_apart(classes: Mapping[int, str]) -> dict[int, str]:
    """The same names; those that several classes share get the class id appended.

    >>> name_twins_apart({1: "car", 2: "tree", 3: "car"})
    {1: 'car 1', 2: 'tree', 3: 'car 3'}
    """
    counts = Counter(classes.values())
    return {number: f"{name} {number}" if counts[name] > 1 else name for number, name in classes.items()}


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
