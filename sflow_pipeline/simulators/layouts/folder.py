"""The plain layout: ``[<sequence>/]{rgb,semantic,…}/<frame>.<ext>`` with an optional ``dataset.yaml``."""

from sflow_pipeline.columns import COLUMNS
from sflow_pipeline.errors import DumpError
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_table import FrameTable, index_files, sequence_of, split_of
from sflow_pipeline.simulators.label_sample import detect_encodings
from sflow_pipeline.simulators.name_affixes import align_names
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.stated_facts import FILE_NAME, StatedFacts

NAME = "folder"

#: folder name -> modality, file suffixes.
_FOLDERS = {column.folder: (column.name, column.suffixes) for column in COLUMNS if column.folder}
LAYOUT = "[<sequence>/]{rgb,semantic}/<frame>.png, optionally " + ", ".join(
    folder for folder, (modality, _suffixes) in _FOLDERS.items() if modality not in ("render", "label")
)


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    for found in quick_look(root):
        if {"rgb", "semantic"} <= set(found.folders):
            return f"{found.path or 'the folder'} holds rgb and semantic"
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``.

    Raises:
        DumpError: no label space is stated.
    """
    if stated.label_space is None:
        raise DumpError(
            f"dump {root}: no label space is stated for its class ids",
            hint=f"name the label space with --label-space, or as label_space: in {FILE_NAME}",
        )
    log = ProblemLog()
    table = FrameTable(log)
    waiting: dict[str, set[str]] = {}
    found: dict[str, dict[str, dict[str, str]]] = {}
    for folder in walk(root, log):
        inside = set(folder.folders) & set(_FOLDERS)
        if inside & {"rgb", "semantic"}:
            waiting[folder.path] = inside
            found[folder.path] = {"render": {}, "label": {}}
        parent, _, name = folder.path.rpartition("/")
        if name in waiting.get(parent, ()):
            modality, suffixes = _FOLDERS[name]
            found[parent][modality] = index_files(folder, log, suffixes)
            if modality in ("render", "label") and folder.files and not found[parent][modality]:
                log.add("wrong_format", folder.join(folder.files[0]), f"{len(folder.files)} files in {folder.path}")
            waiting[parent].remove(name)
            if not waiting[parent]:
                table.add_sequence(sequence_of(parent), split_of(parent), align_names(found.pop(parent)))
    for parent, files in found.items():  # a folder that could not be entered: its partners are missing
        table.add_sequence(sequence_of(parent), split_of(parent), align_names(files))
    return detect_encodings(
        Dump(
            root=root,
            simulator=NAME,
            version="",
            label_space=stated.label_space,
            label_encoding="ids",
            frames=table.frames(),
            problems=log.problems(),
            why="folders named rgb and semantic",
        ),
        stated,
    )
