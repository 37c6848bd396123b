"""Camera rigs: sequences of cameras that recorded one drive together, which share a look."""

import re

_PLACE = r"(?:front|rear|back|left|right|cent(?:er|re)|side|top|stereo|wide|narrow|main|rgb|\d+)"
#: Last part of a sequence id that names a camera: ``Camera_0``, ``cam1``, ``front``, ``left_45``, ``front_center``.
_CAMERA = re.compile(rf"(?:(?:cam|camera|view)(?:[_-]?{_PLACE})*|(?!\d){_PLACE}(?:[_-]{_PLACE})*)", re.IGNORECASE)


def name_rig(sequence_id: str) -> str:
    """The sequence without its camera: the same for every camera of a drive.

    >>> [name_rig(x) for x in ("Scene01/clone/Camera_0", "0003-17fb/left_45", "town/front", "town01", "front")]
    ['Scene01/clone', '0003-17fb', 'town', 'town01', 'front']
    """
    drive, _, camera = sequence_id.rpartition("/")
    return drive if drive and _CAMERA.fullmatch(camera) else sequence_id
