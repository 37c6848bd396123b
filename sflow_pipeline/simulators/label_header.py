"""Storage of label files, read from a few headers: indexed, grey or colour, 8 or 16 bits, or JPEG."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from sflow_pipeline.simulators.dump_files import open_folder
from sflow_pipeline.simulators.problems import ProblemLog

Storage = Literal["indexed", "grey", "colour", "16-bit grey", "16-bit colour", "JPEG", "unknown"]
_SAMPLE = 16
_COLOR_TYPES: dict[int, Literal["grey", "colour", "indexed"]] = {
    0: "grey",
    2: "colour",
    3: "indexed",
    4: "grey",
    6: "colour",
}


def find_storage(root: str, paths: Sequence[str], log: ProblemLog) -> Storage:
    """How most of a sample of labels are stored; others among them are logged, because they will not convert."""
    found: dict[Storage, list[str]] = {}
    for position in np.unique(np.linspace(0, len(paths) - 1, _SAMPLE).astype(int)) if paths else ():
        path = paths[position]
        try:
            found.setdefault(read_storage(open_folder(root).read_bytes(path)), []).append(path)
        except OSError:
            continue  # conversion reports it
    counts = Counter({storage: len(files) for storage, files in found.items() if storage != "unknown"})
    if not counts:
        return "unknown"
    usual = counts.most_common(1)[0][0]
    for storage, files in found.items():
        if storage not in (usual, "unknown"):
            log.add("mixed_labels", files[0], f"{storage}, where most are {usual}")
    return usual


def read_storage(data: bytes) -> Storage:
    """How an image file stores its pixels.

    >>> read_storage(b"\\xff\\xd8\\xff\\xe0"), read_storage(b"")
    ('JPEG', 'unknown')
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) < 26 or data[25] not in _COLOR_TYPES:
        return "unknown"
    kind = _COLOR_TYPES[data[25]]
    if data[24] == 16:
        return "16-bit grey" if kind == "grey" else "16-bit colour"
    return kind
