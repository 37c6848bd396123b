"""A discovered simulator dump: its frames by name, its label format and its problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sflow_pipeline.columns import MODALITIES
from sflow_pipeline.errors import DumpError
from sflow_pipeline.frames import FrameRef, has_column, iterate_column
from sflow_pipeline.label_spaces import InstanceEncoding, LabelEncoding, LabelSpace, load_label_space
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.label_format import LabelFormat
from sflow_pipeline.storage.filesystem import Folder

Severity = Literal["warning", "error"]


@dataclass(frozen=True)
class Problem:
    """Something wrong with part of a dump.

    Attributes:
        kind: short stable word for tables: ``missing_partner``, ``duplicate_id``, ``gap``, ``unsafe_name``,
            ``link_outside``, ``link_loop``, ``broken_link``, ``unreadable_folder``, ``label_space_guessed``, …
        message: names the files, the rule and what to do.
        paths: every file it is about, relative to the dump.
        severity: ``error``: these files are left out of the dump's frames; ``warning``: nothing is left out.
    """

    kind: str
    message: str
    paths: tuple[str, ...]
    severity: Severity


@dataclass(frozen=True)
class Dump:
    """A dump as an adapter found it.

    Attributes:
        root: the folder, as given.
        simulator: the adapter's name.
        version: the simulator's version as far as the files tell, "" where they do not.
        label_space: name or file of the label space that ``label`` files follow, or the space itself where the dump
            defines one.
        label_encoding: how their pixels hold ids.
        label_table_format: with encoding ``table``, the entry of ``LABEL_TABLES`` that reads the frames' tables.
        label_rule: the entry of ``LABEL_RULES`` that corrects what networks get, "" for none.
        instance_encoding: what the values of ``instance`` files mean.
        frames: sorted by split, sequence, frame index, sample id; ids are unique.
        fps: frames per second of the sequences, None where unknown or not the same for all.
        problems: files that were left out, and warnings.
        why: one sentence: the evidence for the layout.
        metadata: further facts that the dump states (``camera``, ``units``), and ``nan_depth``: the meaning
            of NaN in its depth files, where NaN is valid.
    """

    root: str
    simulator: str
    version: str
    label_space: str | LabelSpace
    label_encoding: LabelEncoding
    frames: Sequence[FrameRef]
    label_table_format: str = ""
    label_rule: str = ""
    instance_encoding: InstanceEncoding = "numbered"
    fps: float | None = None
    problems: tuple[Problem, ...] = ()
    why: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def load_label_space(self) -> LabelSpace:
        """The label space that the labels follow.

        Raises:
            LabelSpaceError: it does not exist.
        """
        return self.label_space if isinstance(self.label_space, LabelSpace) else load_label_space(self.label_space)

    @cached_property
    def label_format(self) -> LabelFormat:
        """Everything that reading its labels needs.

        Raises:
            LabelSpaceError: the label space does not exist.
        """
        return LabelFormat(
            self.load_label_space(),
            self.label_encoding,
            self.label_table_format,
            self.label_rule,
            self.instance_encoding,
        )

    def check_renders(self) -> None:
        """Refuse a dump without pictures, for what compares or trains with them.

        Raises:
            DumpError: no frame has one.
        """
        if not has_column(self.frames, "render"):
            raise DumpError(
                f"dump {self.root}: has labels and no pictures",
                hint="it can be converted, which makes images from labels alone; name a folder with pictures here",
            )

    @property
    def folder(self) -> Folder:
        """Its files."""
        return open_folder(self.root)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which modalities at least one frame has, in the order of ``MODALITIES``."""
        return tuple(name for name in MODALITIES if has_column(self.frames, name))

    @property
    def sequence_ids(self) -> tuple[str, ...]:
        """The sequences, sorted."""
        return tuple(sorted(set(iterate_column(self.frames, "sequence_id"))))
