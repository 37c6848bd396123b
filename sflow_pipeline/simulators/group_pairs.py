"""Pairs of file groups that belong together frame by frame, and the path patterns that describe them."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import permutations

from sflow_pipeline.simulators.file_groups import FileGroup
from sflow_pipeline.simulators.frame_table import SPLIT_NAMES

_PLACEHOLDERS = ("scene", "take", "view", "part")
_NUMBER = re.compile(r"\{#([0-9,]+)\}")
_TOKEN = re.compile(r"[^\W\d_]+|\d+|.", re.DOTALL)


@dataclass(frozen=True)
class GroupPair:
    """Two groups whose files belong together frame by frame, in every place of the dump that looks alike.

    Attributes:
        groups: of one place; the first group, and its partner.
        patterns: path patterns of both, for ``layout``.
        frames: how many keys the groups of all places share.
    """

    groups: tuple[FileGroup, FileGroup]
    patterns: tuple[str, str]
    frames: int

    @property
    def is_alone(self) -> bool:
        """Whether it is one group, without a partner."""
        return self.patterns[0] == self.patterns[1]


@dataclass(frozen=True)
class _Piece:
    """A piece of two paths: a folder, text or number that both have, or text in which they differ (``other``)."""

    kind: str  # "folder", "text", "number", "difference"
    text: str
    other: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it must share with the piece of another place to stand for the same thing."""
        return (self.kind, self.text, self.other) if self.kind == "difference" else (self.kind, "", "")


_Place = tuple[FileGroup, FileGroup, tuple[_Piece, ...]]


def find_pairs(groups: Sequence[FileGroup]) -> list[GroupPair]:
    """Every pair of groups with the same frames, most frames first."""
    alike: dict[tuple[object, ...], list[_Place]] = {}
    for one, other in permutations(groups, 2):
        if not one.is_picture or len(one.texts) != len(other.texts) or one.names.keys().isdisjoint(other.names):
            continue
        pieces = tuple(_compare(one, other))
        if any(piece.kind == "difference" for piece in pieces):
            alike.setdefault(tuple(piece.key for piece in pieces), []).append((one, other, pieces))
    found = [pair for places in alike.values() if (pair := _join(places)) is not None]
    return sorted((pair for pair in found if not pair.is_alone), key=lambda pair: -pair.frames)


def find_alone(groups: Sequence[FileGroup], name_kind: Callable[[FileGroup], object]) -> list[GroupPair]:
    """Every group as a pair with itself, joined with those of its kind in other places, most frames first."""
    alike: dict[tuple[object, ...], list[_Place]] = {}
    for group in groups:
        pieces = tuple(_compare(group, group))
        key = (name_kind(group), *(piece.key for piece in pieces))
        alike.setdefault(key, []).append((group, group, pieces))
    found = [pair for places in alike.values() if (pair := _join(places)) is not None]
    return sorted(found, key=lambda pair: -pair.frames)


def _compare(one: FileGroup, other: FileGroup) -> Iterator[_Piece]:
    """The pieces of two paths, in order."""
    left, right = (_make_plain(group.folder).split("/") if group.folder else [] for group in (one, other))
    start, end = _count_shared(left, right)
    yield from (_Piece("folder", part) for part in left[:start])
    yield from _compare_folders(tuple(left[start : len(left) - end]), tuple(right[start : len(right) - end]))
    yield from (_Piece("folder", part) for part in left[len(left) - end :])
    for position, (a, b) in enumerate(zip(one.texts, other.texts, strict=True)):
        if position:
            yield _Piece("number", str(position - 1))
        yield from _compare_texts(_make_plain(a), _make_plain(b))
    if one.suffix != other.suffix:
        yield _Piece("difference", one.suffix, other.suffix)
    else:
        yield _Piece("text", one.suffix)


def _make_plain(text: str) -> str:
    """Braces have a meaning in patterns, and ``*`` matches them."""
    return text.replace("{", "*").replace("}", "*")


@lru_cache(maxsize=4096)
def _compare_folders(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[_Piece, ...]:
    """Pieces of two paths that neither begin nor end with the same folder."""
    pieces: list[_Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces += [_Piece("folder", part) for part in left[a:b]]
        elif b - a == d - c:
            for one, other in zip(left[a:b], right[c:d], strict=True):
                pieces += [*_compare_texts(one, other), _Piece("difference", "/", "/")]
        else:
            one, other = ("".join(f"{part}/" for part in parts) for parts in (left[a:b], right[c:d]))
            pieces.append(_Piece("difference", one, other))
    return tuple(pieces)


@lru_cache(maxsize=4096)
def _compare_texts(one: str, other: str) -> tuple[_Piece, ...]:
    """Pieces of two texts: words that both begin and end with, and the rest."""
    left, right = _TOKEN.findall(one), _TOKEN.findall(other)
    start, end = _count_shared(left, right)
    middle = "".join(left[start : len(left) - end]), "".join(right[start : len(right) - end])
    before, after = "".join(left[:start]), "".join(left[len(left) - end :])
    pieces = (_Piece("text", before), _Piece("difference", *middle), _Piece("text", after))
    return tuple(piece for piece in pieces if piece.text or piece.other)


def _count_shared(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """How many items two lists share at their start, and then at their end."""
    shortest = min(len(one), len(other))
    start = next((i for i in range(shortest) if one[i] != other[i]), shortest)
    rest = shortest - start
    return start, next((i for i in range(rest) if one[-1 - i] != other[-1 - i]), rest)


def _join(places: Sequence[_Place]) -> GroupPair | None:
    """One pair of all places that differ only in what both paths share, which becomes placeholders."""
    one, other, _ = places[0]
    columns = list(zip(*(pieces for _one, _other, pieces in places), strict=True))
    described = [_describe(column) for column in columns]
    keys = [list(zip(*place[0].names, strict=True)) for place in places]
    varying = {i for values in keys for i, value in enumerate(values) if len(set(value)) > 1}
    described = _name_placeholders(_merge_numbers(described), varying)
    patterns = "".join(left for left, _ in described), "".join(right for _, right in described)
    if "{frame}" not in patterns[0]:
        return None
    return GroupPair((one, other), patterns, sum(len(a.names.keys() & b.names.keys()) for a, b, _ in places))


def _describe(column: Sequence[_Piece]) -> tuple[str, str]:
    """One piece of all places, as parts of both patterns; ``{}`` is a placeholder, ``{#0}`` the first number."""
    piece = column[0]
    if piece.kind == "number":
        return f"{{#{piece.text}}}", f"{{#{piece.text}}}"
    if piece.kind == "difference":
        return piece.text, piece.other
    slash = "/" if piece.kind == "folder" else ""
    values = sorted({found.text for found in column})
    if len(values) == 1:
        text = piece.text + slash
    else:
        words = [[value] if slash else _TOKEN.findall(value) for value in values]
        shared = [_count_shared(words[0], other) for other in words[1:]]
        start, end = (min(counts) for counts in zip(*shared, strict=True))
        varying = {"".join(word[start : len(word) - end]).lower() for word in words}
        placeholder = "{split}" if SPLIT_NAMES.issuperset(varying) else "{}"
        text = "".join([*words[0][:start], placeholder, *words[0][len(words[0]) - end :], slash])
    return text, text


def _merge_numbers(described: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Numbers with nothing but shared text between them become one, and so does a placeholder before a number.

    >>> _merge_numbers([("{#0}", "{#0}"), ("-", "-"), ("{#1}", "{#1}"), ("_rgb_", "_id_"), ("{#2}", "{#2}")])
    [('{#0,1}', '{#0,1}'), ('_rgb_', '_id_'), ('{#2}', '{#2}')]
    """
    merged: list[tuple[str, str]] = []
    last, is_shared = -1, False
    for left, right in described:
        number = _NUMBER.fullmatch(left)
        if number is not None and is_shared:
            before = _NUMBER.fullmatch(merged[last][0])
            assert before is not None
            del merged[last:]
            left = right = f"{{#{before[1]},{number[1]}}}"
        elif number is not None and merged and all(text.endswith("{}") for text in merged[-1]):
            a, b = merged.pop()
            left, right = f"{a[:-2]}{left}", f"{b[:-2]}{right}"
        if number is not None:
            last, is_shared = len(merged), _NUMBER.fullmatch(left) is not None
        elif left != right or "{" in left:
            is_shared = False
        merged.append((left, right))
    return merged


def _name_placeholders(described: Sequence[tuple[str, str]], varying: Collection[int]) -> list[tuple[str, str]]:
    """Names for ``{}`` and ``{#0}``: the last number that varies, or else the last placeholder, is the frame."""
    numbers = {i: found[1].split(",") for i, (left, _) in enumerate(described) if (found := _NUMBER.search(left))}
    marks = [i for i, parts in numbers.items() if any(int(part) in varying for part in parts)] or list(numbers)
    marks = marks or [i for i, (left, _) in enumerate(described) if "{}" in left]
    names = iter(_PLACEHOLDERS)
    named = []
    for i, (left, right) in enumerate(described):
        if i in numbers or "{}" in left:
            name = "frame" if marks and i == marks[-1] else next(names, f"part{i}")
            left, right = (_NUMBER.sub("{}", text).replace("{}", f"{{{name}}}") for text in (left, right))
        named.append((left, right))
    return named
