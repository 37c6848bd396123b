"""Words of a path that tell what its files hold: a picture, labels, or what a simulator writes beside them."""

import re
from collections.abc import Iterable

from sflow_pipeline.simulators.file_groups import FileGroup

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Geometry, motion and drawings: neither the simulator's picture nor class labels.
_MEASUREMENT = re.compile(
    r"(optical|scene|surface|motion|fwd|bwd)?(flow|optical|motion|velocity|normal|depth|distance|disparity|disp|occlusion|"
    r"occluded|lidar|radar|pointcloud|boundary|boundarie|edge|contour|albedo|bounding|bbox|box|boxe)(s|map|maps|vector|vectors|img|image|images|"
    r"rgb|color|colour|vis|viz)?"
)
_LABEL = re.compile(
    r"(sem|semantic|seg|segm|semseg|instseg|segmentation|label|mask|class|classe|gt|annotation|groundtruth|palette|inst|"
    r"instance|panoptic)(s|id|ids|map|maps)?"
)
_PICTURE = re.compile(
    r"(rgb|rgba|img|image|imgs|color|colour|render|beauty|photo|picture|pic|shot|view|camera|left|right)(s|rgb)?"
)

#: Places of a camera on its vehicle, and numbered ones.
_PLACE = re.compile(r"front|forward|fwd|rear|back|backward|left|right|top|bottom|side|middle|cent(?:er|re)")
_NUMBERED = re.compile(r"(?:cam|camera|view|sensor|lens)[-_. ]?(\d+)(?!\d)", re.IGNORECASE)


def find_other_word(group: FileGroup, partner: FileGroup | None = None) -> str | None:
    """The first word by which a group's path says that it does not hold the simulator's pictures; None without one.

    Words that the path of ``partner`` shares do not count: they name the dump and not what is in its files.

    >>> rgb, flow = (FileGroup(f"flow_study/{name}", ("", ""), ".png", {}) for name in ("rgb", "OpticalFlow"))
    >>> ids = FileGroup("flow_study/semantic", ("", ""), ".png", {})
    >>> find_other_word(rgb, ids), find_other_word(flow, ids)
    (None, 'optical')
    """
    return _find(_list_own_words(group, partner), _MEASUREMENT, _LABEL)


def find_measurement_word(group: FileGroup, partner: FileGroup | None = None) -> str | None:
    """The first word that says geometry or motion, so neither pictures nor class labels; see ``find_other_word``."""
    return _find(_list_own_words(group, partner), _MEASUREMENT)


def list_role_words(group: FileGroup) -> tuple[str, ...]:
    """The words of the last folder and the names that say what else than a picture the files hold.

    >>> list_role_words(FileGroup("gtFine/bonn", ("bonn_", "_gtFine_labelIds"), ".png", {}))
    ('gt', 'label')
    """
    words = _list_own_words(group, None)
    return tuple(word for word in words if _MEASUREMENT.fullmatch(word) or _LABEL.fullmatch(word))


def says_picture(group: FileGroup) -> bool:
    """Whether the last folder or the names of a group say that it holds pictures, and nothing else.

    >>> says_picture(FileGroup("a/rgb", ("", ""), ".png", {})), says_picture(FileGroup("a/flow_rgb", ("",), ".png", {}))
    (True, False)
    """
    return find_other_word(group) is None and _find(_list_own_words(group, None), _PICTURE) is not None


def are_other_cameras(one: FileGroup, other: FileGroup) -> bool:
    """Whether each of two groups' paths names a camera that the other's does not.

    >>> def group(folder: str) -> FileGroup:
    ...     return FileGroup(folder, ("", ""), ".png", {})
    >>> are_other_cameras(group("rgb_front"), group("semantic_left")), are_other_cameras(group("left"), group("labels"))
    (True, False)
    >>> are_other_cameras(group("cam0/rgb"), group("cam1/ids")), are_other_cameras(group("cam0/rgb"), group("cam0/ids"))
    (True, False)
    """
    named = [_list_cameras(group) for group in (one, other)]
    return any(first - second and second - first for first, second in zip(*named, strict=True))


def _list_cameras(group: FileGroup) -> tuple[set[str], set[int]]:
    """Places and numbers of cameras that a group's path names."""
    texts = [group.folder, *group.texts]
    places = {word for word in _list_words(texts) if _PLACE.fullmatch(word)}
    return places, {int(number) for text in texts for number in _NUMBERED.findall(text)}


def _find(words: Iterable[str], *patterns: re.Pattern[str]) -> str | None:
    return next((word for word in words if any(pattern.fullmatch(word) for pattern in patterns)), None)


def _list_own_words(group: FileGroup, partner: FileGroup | None) -> list[str]:
    """Words of the last folder and the names; beside a partner, of all folders, without those that it shares."""
    if partner is None:
        return _list_words([group.folder.rpartition("/")[2], *group.texts])
    own, other = (_list_words([each.folder, *each.texts]) for each in (group, partner))
    rest = [word for word in own if word not in other]
    # semantic_rgb beside semantic: what both say is what the partner is.
    return rest if set(other) - set(own) else own


def _list_words(texts: Iterable[str]) -> list[str]:
    return [word.lower() for text in texts for word in _WORD.findall(text)]
