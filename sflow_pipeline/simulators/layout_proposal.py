"""Layout proposal for a dump of no known layout: which files pair up, how labels hold ids, and the command to use."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.addresses import quote_address
from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelEncoding
from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.file_groups import FileGroup, group_files
from sflow_pipeline.simulators.group_pairs import GroupPair, find_alone, find_pairs
from sflow_pipeline.simulators.label_sample import detect_label_encoding, read_label_sample
from sflow_pipeline.simulators.path_patterns import quick_look
from sflow_pipeline.simulators.problems import PNG_OF_ARRAY
from sflow_pipeline.simulators.role_words import (
    are_other_cameras,
    find_measurement_word,
    find_other_word,
    list_role_words,
    says_picture,
)
from sflow_pipeline.simulators.space_guess import SURE, SpaceGuess, describe_guesses, guess_label_space
from sflow_pipeline.storage.webp_header import is_webp

_MAX_CLASSES = 96
_LABEL_WORDS = re.compile(r"sem|seg|label|mask|class|gt|annot|truth|palette")
_CLASS_WORDS = re.compile(r"sem|seg|label|class")
_INSTANCE_WORDS = re.compile(r"inst|object|panoptic")
_CLEAR = 0.3
_OTHER_PICTURES = (".bmp", ".ppm", ".tga", ".jp2", ".tif", ".tiff", ".exr")
_ONE_COLOR = "pictures of one colour"
_PICTURES = ("pictures", "grey pictures", "16-bit colours", _ONE_COLOR)
_UNIT_TOLERANCE = 0.03
_PLACEHOLDER = "LABEL_SPACE"


@dataclass(frozen=True)
class LayoutProposal:
    """What an unknown dump looks like.

    Attributes:
        found: what is there, in words.
        layout: column -> path pattern; empty where nothing pairs up.
        hint: the command that converts it, or what to do.
    """

    found: str
    layout: Mapping[str, str]
    hint: str


def propose_layout(root: str) -> LayoutProposal:
    """Find folders or endings whose files pair up, and tell pictures from labels by looking at a few of them.

    Where nothing can be the simulator's picture, labels alone.
    """
    groups = group_files(quick_look(root))
    kinds: dict[str, str] = {}

    def kind_of(group: FileGroup) -> str:
        if group.title not in kinds:
            kinds[group.title] = _find_kind(root, group)
        return kinds[group.title]

    def describe(group: FileGroup) -> str:
        word = find_other_word(group) if kind_of(group) != "labels" else None
        return f"{kind_of(group)}, {word} by name" if word else kind_of(group)

    def find(groups: Sequence[FileGroup], *kinds: str) -> list[GroupPair]:
        return [
            pair
            for pair in find_pairs(groups)[:200]
            if find_other_word(*pair.groups) is None
            and not are_other_cameras(*pair.groups)
            and find_measurement_word(*reversed(pair.groups)) is None
            and kind_of(pair.groups[0]) in kinds
            and kind_of(pair.groups[1]) == "labels"
        ]

    pairs = find(groups, "pictures")
    if not pairs:
        groups = [group.without_constants() for group in groups]
        pairs = find(groups, _PICTURES[0]) or find(groups, *_PICTURES[1:])
    found = ", ".join(f"{group.title} ({describe(group)})" for group in groups[:8]) + (", …" if len(groups) > 8 else "")
    formats = "" if pairs else _explain_formats(groups, kind_of)
    pairs = pairs or ([] if formats else _find_labels_alone(groups, kind_of))
    if not pairs:
        return LayoutProposal(found, {}, formats or _explain_missing_labels(groups, kind_of))
    best = max(pairs, key=_rank)
    layout = {} if best.is_alone else {"render": best.patterns[0]}
    layout |= {"label": best.patterns[1], **_find_instances(groups, best, kind_of)}
    sample = read_label_sample(root, best.groups[1].paths)
    encoding = detect_label_encoding(sample)
    guesses = guess_label_space(sample, encoding)
    return LayoutProposal(found, layout, _write_command(root, best, layout, encoding, guesses))


def _find_kind(root: str, group: FileGroup) -> str:
    """Pictures, labels, or other files; by the suffix of arrays, else by a look at one file, or two of one colour."""
    if not group.is_picture:
        return f"{group.suffix} files"
    kind = _find_kind_of_file(root, group, group.first)
    return kind if kind != _ONE_COLOR else _find_kind_of_file(root, group, group.paths[-1])


def _find_kind_of_file(root: str, group: FileGroup, path: str) -> str:
    from sflow_pipeline.storage import image_codec  # loads OpenCV, which listing layouts does not need

    try:
        data = open_folder(root).read_bytes(path)
        pixels = image_codec.decode_plane(data, name=path)
    except (OSError, FrameError):
        return "unreadable"
    step = max(1, min(pixels.shape[:2]) // 128)
    thin = pixels[::step, ::step].astype(np.int64)
    is_color = thin.ndim == 3 and thin.shape[2] >= 3
    codes = thin[..., 0] << 32 | thin[..., 1] << 16 | thin[..., 2] if is_color else thin.reshape(*thin.shape[:2], -1)
    values = len(np.unique(codes))
    if data[:3] == b"\xff\xd8\xff" or is_webp(data):
        return "pictures"
    if values == 1 and is_color:
        return _ONE_COLOR
    if values <= _MAX_CLASSES:
        return "labels"
    if pixels.dtype == np.uint8:
        return "grey pictures" if not is_color else "normals" if _are_normals(thin[..., :3]) else "pictures"
    if not is_color:
        return "numbers per pixel"
    return "16-bit colours" if says_picture(group) else "16-bit values"


def _are_normals(pixels: NDArray[np.int64]) -> bool:
    """Whether the colours (h, w, 3) of nearly all pixels are unit vectors, as normal maps hold them; black is none."""
    lengths = np.linalg.norm(pixels[pixels.any(axis=2)] / 127.5 - 1, axis=1)
    return len(lengths) > 0 and bool((np.abs(lengths - 1) < _UNIT_TOLERANCE).mean() > SURE)


def _rank(pair: GroupPair) -> tuple[int, ...]:
    words = pair.groups[1].words
    return (
        -len(_INSTANCE_WORDS.findall(words)),
        len(_LABEL_WORDS.findall(words)) - (0 if pair.is_alone else len(_LABEL_WORDS.findall(pair.groups[0].words))),
        len(_CLASS_WORDS.findall(words)),
        pair.frames,
    )


def _find_labels_alone(groups: Sequence[FileGroup], kind_of: Callable[[FileGroup], str]) -> list[GroupPair]:
    """Groups of labels; none where some other group may hold the pictures that belong to them."""
    files = [group for group in groups if find_measurement_word(group) is None]
    may_be_pictures = (*_PICTURES, *(f"{suffix} files" for suffix in _OTHER_PICTURES))
    if any(
        says_picture(group) or (kind_of(group).lower() in may_be_pictures and find_other_word(group) is None)
        for group in files
    ):
        return []
    return find_alone([group for group in files if kind_of(group) == "labels"], list_role_words)


def _find_instances(
    groups: Sequence[FileGroup], best: GroupPair, kind_of: Callable[[FileGroup], str]
) -> dict[str, str]:
    """The pattern of files beside the best pair whose path says instances."""
    for pair in find_pairs(groups)[:200]:
        other = pair.groups[1]
        is_object = (
            other.is_picture
            and _INSTANCE_WORDS.search(other.words)
            and kind_of(other) != "pictures"
            and not are_other_cameras(*pair.groups)
        )
        if pair.patterns[0] == best.patterns[0] and pair.patterns[1] != best.patterns[1] and is_object:
            return {"instance": pair.patterns[1]}
    return {}


def _write_command(
    root: str, pair: GroupPair, layout: Mapping[str, str], encoding: LabelEncoding, guesses: Sequence[SpaceGuess]
) -> str:
    best, second = guesses[0], guesses[1]
    is_clear = best.known > SURE and best.scene > _CLEAR and best.scene > second.scene + 0.1 * (second.known > SURE)
    space = best.name if is_clear else _PLACEHOLDER
    shares = describe_guesses(guesses)
    stated = "" if encoding == "ids" else f" --label-encoding {encoding}"
    patterns = ",".join(f"{column}={pattern}" for column, pattern in layout.items())
    command = f"sflow-pipeline convert {quote_address(root)} OUT_DIR --layout {shlex.quote(patterns)}"
    what = (
        f"{pair.groups[1].title} holds labels, and there are no pictures: images are made from labels alone"
        if pair.is_alone
        else f"{pair.groups[0].title} and {pair.groups[1].title} pair up"
    )
    summary = (
        f"{what}; labels look like {encoding}; label spaces that "
        f"explain them: {shares or 'none that is known, so write a YAML file'}. Convert with"
    )
    lines = [
        summary,
        f"  {command} --label-space {space}{stated}",
        "or write a dataset.yaml into the dump:",
        "  layout:",
        *(f'    {column}: "{pattern}"' for column, pattern in layout.items()),
        f"  label_space: {space}",
        *([] if encoding == "ids" else [f"  label_encoding: {encoding}"]),
    ]
    if not is_clear:
        lines.append(f"{_PLACEHOLDER}: the name of one of them, or a YAML file with classes of your own")
    return "\n".join(lines)


def _explain_missing_labels(groups: Sequence[FileGroup], kind_of: Callable[[FileGroup], str]) -> str:
    """What to do where there are pictures and nothing that may be their labels; "" elsewhere."""
    if any(kind_of(group) == "labels" for group in groups):
        return ""
    pictures = [group for group in groups if kind_of(group) == "pictures"]
    if not pictures:
        return ""
    return (
        f"{pictures[0].title}: pictures without class labels, which images are made from; write the simulator's "
        "semantic segmentation beside them, as PNG of the same names in a folder `semantic`; for real footage, "
        "`sflow-pipeline label` predicts labels"
    )


def _explain_formats(groups: Sequence[FileGroup], kind_of: Callable[[FileGroup], str]) -> str:
    """What to write again, where frames pair up but for the format of pictures or labels; "" elsewhere."""
    shared = {frozenset(group.names): group for group in groups if group.is_picture}
    partners = [(group, shared.get(frozenset(group.names))) for group in groups if not group.is_picture]
    partners.sort(key=lambda pair: -len(_LABEL_WORDS.findall(pair[0].words)))
    for group, partner in partners:
        if find_measurement_word(group):
            continue
        if partner is not None and kind_of(partner) == "labels":
            return f"{group.title}: write pictures as PNG or JPEG"
        if partner is not None or _LABEL_WORDS.search(group.words):
            return f"{group.title}: write labels as {PNG_OF_ARRAY if group.suffix == '.npy' else 'PNG'}"
    for group in groups:
        kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WebP"}.get(group.suffix.lower())
        if kind and _LABEL_WORDS.search(group.words):
            return f"{group.title}: {kind} changes class ids; write labels as PNG"
    return ""
