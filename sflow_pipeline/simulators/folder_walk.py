"""Walk through a dump's folders and archives in a fixed order; links out of it and circular links are not followed."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sflow_pipeline.archives import are_plain_names, is_archive_name, is_packed_name, open_archive, split_archive
from sflow_pipeline.simulators.dump_files import is_remote, list_remote
from sflow_pipeline.simulators.problems import ProblemLog

#: Which of several copies is read.
_COPY_ORDER = ("", ".tar", ".zip", ".hdf5", ".h5")
#: Longer names do not fit beside what output files add to them.
MAX_NAME_BYTES = 200
_TOO_LONG = f"longer than {MAX_NAME_BYTES} bytes"
_MAX_LINKS = 2  # links within links multiply: without a limit a few folders could spell a million paths


@dataclass(frozen=True, slots=True)
class DumpFolder:
    """One folder of a dump: ``path`` relative to the root ("" for the root itself), names sorted."""

    path: str
    folders: tuple[str, ...]
    files: tuple[str, ...]

    def join(self, name: str) -> str:
        """The path of something in this folder, relative to the root."""
        return f"{self.path}/{name}" if self.path else name


def walk(
    root: str,
    log: ProblemLog,
    *,
    max_depth: int = 32,
    max_entries: int | None = None,
    max_siblings: int | None = None,
    enter_archives: bool = True,
) -> Iterator[DumpFolder]:
    """Yield every folder under ``root``, parents first, siblings in name order; hidden ones are passed over.

    A zip, tar or HDF5 file counts as a folder of its name. Where ``img``, ``img.tar``, ``img.zip`` and ``img.hdf5``
    stand side by side, they are taken for copies of each other and the first of them is read.

    Names that no output file could carry, links that leave the root and links that lead back to a parent are
    left out and logged.

    Args:
        root: the dump.
        log: receives problems.
        max_depth: folders deeper than this are not entered.
        max_entries: read no more than this many entries of a folder (for a quick look).
        max_siblings: enter no more than this many folders of a folder (for a quick look).
        enter_archives: open archives to see what they hold; otherwise they are listed as folders and that is all.
    """
    real_root = root if is_remote(root) else os.path.realpath(root)
    pending: list[tuple[str, int, tuple[str, ...]]] = [("", 0, (real_root,))]
    while pending:
        path, links, parents = pending.pop()
        real_paths: dict[str, str] = {}
        inside = None if is_remote(root) else split_archive(os.path.join(root, path))
        if is_remote(root):
            folder = _read_remote_folder(root, path, log, max_entries)
        elif inside is not None:
            folder = _read_archive_folder(inside, path, log, max_entries)
        else:
            folder, real_paths = _read_folder(root, path, parents, log, max_entries)
        yield folder
        if len(parents) > max_depth:
            continue
        for name in reversed(_without_copies(folder, log)[:max_siblings]):
            if not enter_archives and is_archive_name(name):
                continue
            if name not in real_paths:
                pending.append((folder.join(name), links, (*parents, os.path.join(parents[-1], name))))
            elif links < _MAX_LINKS:
                pending.append((folder.join(name), links + 1, (*parents, real_paths[name])))
            else:
                log.add("link_loop", folder.join(name), f"more than {_MAX_LINKS} links deep")


def _without_copies(folder: DumpFolder, log: ProblemLog) -> list[str]:
    """The folders to enter: of a folder and archives of the same name, one."""
    best: dict[str, tuple[int, str]] = {}
    for name in folder.folders:
        stem = name.rpartition(".")[0] if is_archive_name(name) else name
        suffix = name.removeprefix(stem).lower()
        rank = _COPY_ORDER.index(suffix) if suffix in _COPY_ORDER else len(_COPY_ORDER)
        if stem in best:
            log.add("archive_copy", folder.join(max((rank, name), best[stem])[1]))
        best[stem] = min((rank, name), best.get(stem, (rank, name)))
    return sorted(name for _, name in best.values())


def _read_folder(
    root: str, path: str, parents: tuple[str, ...], log: ProblemLog, max_entries: int | None
) -> tuple[DumpFolder, dict[str, str]]:
    folders: list[str] = []
    files: list[str] = []
    real_paths: dict[str, str] = {}
    prefix = f"{path}/" if path else ""
    try:
        with os.scandir(os.path.join(root, path)) as entries:
            listed = list(islice(entries, max_entries))
            files = [entry.name for entry in listed if entry.is_file(follow_symlinks=False)]  # the usual case, and all
            for entry in listed if len(files) < len(listed) else ():
                if entry.is_file(follow_symlinks=False):
                    continue
                if entry.is_symlink():
                    if not _is_wanted(entry.name, prefix, log):
                        continue
                    real = _resolve_link(entry, prefix + entry.name, parents, log)
                    if real is None:
                        continue
                    real_paths[entry.name] = real
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file():
                    files.append(entry.name)
                else:
                    log.add("special_file", prefix + entry.name)
    except OSError as error:
        log.add("unreadable_folder", path or ".", error.strerror or str(error))
    folders, files = _keep_wanted(folders, prefix, log), _keep_wanted(files, prefix, log)
    for name in [] if are_plain_names(files) else list(files):
        if is_packed_name(name):
            log.add("packed_archive", prefix + name)
        if is_archive_name(name):
            files.remove(name)
            folders.append(name)
    return DumpFolder(path, tuple(sorted(folders)), tuple(sorted(files))), real_paths


def _read_archive_folder(inside: tuple[str, str], path: str, log: ProblemLog, max_entries: int | None) -> DumpFolder:
    prefix = f"{path}/" if path else ""
    try:
        folders, files = open_archive(inside[0]).listing.get(inside[1], ((), ()))
    except OSError as error:
        log.add("unreadable_archive", path or ".", error.strerror or str(error))
        return DumpFolder(path, (), ())
    for name in files:
        if is_packed_name(name) or is_archive_name(name):
            log.add("packed_archive", prefix + name)
    wanted = [tuple(n for n in islice(names, max_entries) if _is_wanted(n, prefix, log)) for names in (folders, files)]
    return DumpFolder(path, wanted[0], wanted[1])


def _read_remote_folder(root: str, path: str, log: ProblemLog, max_entries: int | None) -> DumpFolder:
    prefix = f"{path}/" if path else ""
    names: dict[bool, list[str]] = {True: [], False: []}
    try:
        for name, is_folder in islice(list_remote(root, path), max_entries):
            if _is_wanted(name, prefix, log):
                names[is_folder].append(name)
                if not is_folder and (is_packed_name(name) or is_archive_name(name)):
                    log.add("remote_archive", prefix + name)
    except OSError as error:
        log.add("unreadable_folder", path or ".", str(error))
    return DumpFolder(path, tuple(sorted(names[True])), tuple(sorted(names[False])))


def _keep_wanted(names: list[str], prefix: str, log: ProblemLog) -> list[str]:
    """The names that are wanted; one check of all names together settles the usual case, in which all are."""
    together = "/" + "/".join(names)
    is_harmless = together.isascii() and together.isprintable() and "\\" not in together and "/." not in together
    if is_harmless and max(map(len, names), default=0) <= MAX_NAME_BYTES:
        return names
    return [name for name in names if _is_wanted(name, prefix, log)]


def _is_wanted(name: str, prefix: str, log: ProblemLog) -> bool:
    rule = "" if name.startswith(".") else broken_name_rule(name)
    if rule:
        log.add("unsafe_name", prefix + name, rule)
    return not rule and not name.startswith(".")


def _resolve_link(entry: os.DirEntry[str], path: str, parents: tuple[str, ...], log: ProblemLog) -> str | None:
    try:
        real = os.path.realpath(entry.path, strict=True)
    except OSError as error:
        log.add("link_loop" if error.errno == errno.ELOOP else "broken_link", path)
        return None
    if os.path.commonpath([real, parents[0]]) != parents[0]:
        log.add("link_outside", path)
        return None
    if entry.is_dir() and real in parents:
        log.add("link_loop", path)
        return None
    return real


def broken_name_rule(name: str) -> str:
    """The file-name rule that a name breaks; "" for a valid name.

    >>> broken_name_rule("0007.png"), broken_name_rule("a\\nb.png")
    ('', 'control character')
    """
    if name.isascii() and name.isprintable():
        return "backslash" if "\\" in name else _TOO_LONG if len(name) > MAX_NAME_BYTES else ""
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "not UTF-8"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "control character"
    return "backslash" if "\\" in name else _TOO_LONG if len(encoded) > MAX_NAME_BYTES else ""
