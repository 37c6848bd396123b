"""A simulator dump as discovered: its frames by name, what its labels mean, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.frames import FrameRef, read_column
from sflow_pipeline.label_spaces import LabelSpace, load_label_space

#: How a label file's pixels become ids of the dump's label space: they are ids; ids are in the red channel; colours
#: stand for classes; or each frame's ``label_table`` says what its pixels mean.
LabelEncoding = Literal["ids", "red_channel", "palette", "table"]
#: Those that a ``dataset.yaml`` may name.
LABEL_ENCODINGS: tuple[LabelEncoding, ...] = ("ids", "red_channel", "palette")

Severity = Literal["warning", "error"]


@dataclass(frozen=True)
class Problem:
    """Something wrong with part of a dump.

    Attributes:
        kind: short stable word for tables: ``missing_partner``, ``duplicate_id``, ``gap``, ``unsafe_name``,
            ``link_outside``, ``link_loop``, ``broken_link``, ``unreadable_folder``, ``label_space_guessed``, …
        message: names the files, the rule and the way out.
        paths: every file it is about, relative to the dump.
        severity: ``error``: these files are left out of the dump's frames; ``warning``: nothing is left out.
    """

    kind: str
    message: str
    paths: tuple[str, ...]
    severity: Severity


@dataclass(frozen=True)
class Dump:
    """What a simulator adapter found.

    Attributes:
        root: the folder, as given.
        simulator: the adapter's name.
        version: the simulator's version as far as the files tell, "" where they do not.
        label_space: name or file of the label space that ``label`` files follow, or the space itself where the dump
            defines one.
        label_encoding: how their pixels hold ids.
        frames: sorted by split, sequence, frame index, sample id; ids are unique.
        fps: frames per second of the sequences, None where unknown or not the same for all.
        problems: what was left out and what looks odd.
        why: one sentence: what made us think so.
        label_rule: a rule that shapes the model's input and never the label files, see
            ``simulators.refine_label_map``.
        metadata: further facts that the dump states about itself (``camera``, ``units``), and ``nan_depth``: what NaN
            means in its depth files, where that is no fault.
    """

    root: str
    simulator: str
    version: str
    label_space: str | LabelSpace
    label_encoding: LabelEncoding
    frames: Sequence[FrameRef]
    fps: float | None = None
    problems: tuple[Problem, ...] = ()
    why: str = ""
    label_rule: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def load_label_space(self) -> LabelSpace:
        """The label space that the labels follow.

        Raises:
            LabelSpaceError: it does not exist.
        """
        return self.label_space if isinstance(self.label_space, LabelSpace) else load_label_space(self.label_space)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which modalities at least one frame has, in the order of ``MODALITIES``."""
        return tuple(name for name in MODALITIES if any(path is not None for path in read_column(self.frames, name)))

    @property
    def sequence_ids(self) -> tuple[str, ...]:
        """The sequences, sorted."""
        return tuple(sorted(set(read_column(self.frames, "sequence_id"))))
