"""File names that differ in what is before or after their numbers, such as ``rgb_0001`` beside ``semantic_0001``."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_PARTS = re.compile(r"(?P<before>\D*)(?P<core>.*?)(?P<after>\D*)", re.DOTALL)
#: Not those after a decimal point.
_LEADING_ZEROS = re.compile(r"(?<![0-9])(?<![0-9]\.)0+(?=[0-9])")


def find_affixes(names: Iterable[str]) -> tuple[str, str] | None:
    """What all names have before their first and after their last digit; None where that is not the same for all.

    >>> find_affixes(["rgb_0001", "rgb_0002"]), find_affixes(["a1", "b1"])
    (('rgb_', ''), None)
    """
    found = {split_name(name)[::2] for name in names}
    return found.pop() if len(found) == 1 else None


def split_name(name: str) -> tuple[str, str, str]:
    """What stands before the first digit, from the first to the last one, and after it.

    >>> split_name("town_01_0007_gt")
    ('town_', '01_0007', '_gt')
    """
    match = _PARTS.fullmatch(name)
    assert match is not None
    return match["before"], match["core"], match["after"]


def align_names(files: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The same files under the names of their renders, where names differ from those in what all of a kind share.

    Args:
        files: modality -> frame name -> path; ``label`` is there, whose names count in a dump without renders.

    >>> align_names({"render": {"rgb_07": "a"}, "label": {"id_07": "b"}})["label"]
    {'rgb_07': 'b'}
    """
    renders = files.get("render", files["label"])
    are_other = {modality: bool(paths) and paths.keys().isdisjoint(renders) for modality, paths in files.items()}
    affixes = find_affixes(renders) if any(are_other.values()) else None
    if affixes is None:
        return {modality: dict(paths) for modality, paths in files.items()}
    before, after = affixes
    aligned = {}
    for modality, paths in files.items():
        is_other = are_other[modality] and find_affixes(paths) is not None
        renamed = {f"{before}{split_name(name)[1]}{after}": path for name, path in paths.items()} if is_other else paths
        aligned[modality] = dict(renamed)
    return aligned


def align_padding(files: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The same files under the names of their renders, where names differ in leading zeros only.

    Args:
        files: modality -> frame name -> path; ``label`` is there, whose names count in a dump without renders.

    >>> align_padding({"render": {"f7": "a"}, "label": {"f0007": "b"}})["label"]
    {'f7': 'b'}
    >>> align_padding({"render": {"0.05": "a"}, "label": {"0.5": "b"}})["label"]
    {'0.5': 'b'}
    """
    names: dict[str, list[str]] = {}
    for name in files.get("render", files["label"]):
        names.setdefault(_strip_zeros(name), []).append(name)
    aligned = {}
    for modality, paths in files.items():
        counts = Counter(map(_strip_zeros, paths))
        aligned[modality] = {
            found[0] if len(found := names.get(short := _strip_zeros(name), [])) == counts[short] == 1 else name: path
            for name, path in paths.items()
        }
    return aligned


def _strip_zeros(name: str) -> str:
    return _LEADING_ZEROS.sub("", name)
