"""The plain layout: ``[<sequence>/]{rgb,semantic,…}/<frame>.<ext>`` with an optional ``dataset.yaml``.

A dump in which no sequence has a folder ``rgb`` has labels alone.
"""

from sflow_pipeline.archives import is_archive_name, is_packed_name
from sflow_pipeline.columns import COLUMNS, is_picture
from sflow_pipeline.frames import iterate_column
from sflow_pipeline.simulators.dump import Dump
from sflow_pipeline.simulators.folder_walk import walk
from sflow_pipeline.simulators.frame_table import FrameTable, index_files, sequence_of, split_of
from sflow_pipeline.simulators.label_sample import detect_encodings
from sflow_pipeline.simulators.name_affixes import align_names
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import ProblemLog
from sflow_pipeline.simulators.space_guess import build_unstated_error
from sflow_pipeline.simulators.stated_facts import StatedFacts

NAME = "folder"

#: folder name -> modality, file suffixes.
_FOLDERS = {column.folder: (column.name, column.suffixes) for column in COLUMNS if column.folder}
LAYOUT = "[<sequence>/]{rgb,semantic}/<frame>.png, or semantic without rgb, optionally " + ", ".join(
    folder for folder, (modality, _suffixes) in _FOLDERS.items() if modality not in ("render", "label")
)


def matches(root: str) -> str | None:
    """See ``Adapter.matches``."""
    look = quick_look(root)
    for found in look:
        if {"rgb", "semantic"} <= set(found.folders):
            return f"{found.path or 'the folder'} holds rgb and semantic"
    # Labels alone, unless pictures may be in an archive, or in a folder or under a name that this layout does not have.
    if any(is_packed_name(file) or is_archive_name(file) for folder in look for file in folder.files):
        return None
    parents = {folder.path for folder in look if "semantic" in folder.folders}
    pictures = [folder for folder in look if any(map(is_picture, folder.files))]
    places = [folder.path.rpartition("/")[::2] for folder in pictures]
    if places and all(parent in parents and name in _FOLDERS and name != "rgb" for parent, name in places):
        return f"{min(parents) or 'the folder'} holds semantic, and no folder is named rgb"
    return None


def discover(root: str, stated: StatedFacts) -> Dump:
    """See ``Adapter.discover``.

    Raises:
        DumpError: no label space is stated.
    """
    log = ProblemLog()
    table = FrameTable(log)
    waiting: dict[str, set[str]] = {}
    found: dict[str, dict[str, dict[str, str]]] = {}
    sequences: set[str] = set()
    unread: list[str] = []
    without_rgb: list[tuple[str, dict[str, dict[str, str]]]] = []
    has_rgb = False

    def add(parent: str, files: dict[str, dict[str, str]]) -> None:
        table.add_sequence(sequence_of(parent), split_of(parent), align_names(files))

    for folder in walk(root, log):
        inside = set(folder.folders) & set(_FOLDERS)
        has_rgb = has_rgb or "rgb" in inside
        if inside & {"rgb", "semantic"}:
            waiting[folder.path] = inside
            found[folder.path] = {"render": {}, "label": {}}
            sequences.add(folder.path)
        parent, _, name = folder.path.rpartition("/")
        if name in waiting.get(parent, ()):
            modality, suffixes = _FOLDERS[name]
            found[parent][modality] = index_files(folder, log, suffixes)
            if modality in ("render", "label") and folder.files and not found[parent][modality]:
                log.add("wrong_format", folder.join(folder.files[0]), f"{len(folder.files)} files in {folder.path}")
            waiting[parent].remove(name)
            if not waiting[parent]:
                files = found.pop(parent)
                if files["render"]:
                    add(parent, files)
                else:
                    without_rgb.append((parent, files))
        elif not {parent, folder.path} & sequences and any(map(is_picture, folder.files)):
            unread.append(folder.path)
    for path in unread:
        if not any(sequence.startswith(path and f"{path}/") for sequence in sequences):
            log.add("unread_pictures", path)
    for parent, files in (*without_rgb, *found.items()):  # of a folder that could not be entered, partners are missing
        add(parent, files if has_rgb else {name: paths for name, paths in files.items() if name != "render"})
    frames = table.frames()
    if stated.label_space is None:
        raise build_unstated_error(root, list(iterate_column(frames, "label")), stated.label_encoding)
    if not has_rgb and frames:
        log.add("no_renders", frames[0].label)
    return detect_encodings(
        Dump(
            root=root,
            simulator=NAME,
            version="",
            label_space=stated.label_space,
            label_encoding="ids",
            frames=frames,
            problems=log.problems(),
            why="folders named rgb and semantic" if has_rgb else "folders named semantic, and none named rgb",
        ),
        stated,
    )
