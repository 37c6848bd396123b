"""Large dumps in no time: a few real frames, linked under many names."""

import os
from pathlib import Path

import numpy as np

from sflow_pipeline.storage.image_codec import encode_label, encode_rgb
from sflow_pipeline.street.write_dump import write_sample_dump

#: File systems allow about 65 000 links of one file.
_MOST_LINKS = 50_000


def link_sample_dump(folder: Path, *, frames: int, size: tuple[int, int], drawn: int = 24, sequences: int = 4) -> Path:
    """A dump of ``frames`` frames with everything that the street simulator draws, of which ``drawn`` are different."""
    drawn = min(drawn, frames)
    source = folder / "drawn"
    write_sample_dump(source, sequences=1, frames=drawn, size=size, seed=7)
    root = folder / "dump"
    root.mkdir()
    os.link(source / "dataset.yaml", root / "dataset.yaml")
    for kind in sorted((source / "street_0000").iterdir()):
        originals = sorted(kind.iterdir())
        for frame in range(frames):
            target = root / f"street_{frame * sequences // frames:04d}" / kind.name
            target.mkdir(parents=True, exist_ok=True)
            original = originals[frame % drawn]
            os.link(original, target / f"{frame:07d}{original.suffix}")
    return root


def link_plain_dump(folder: Path, *, frames: int, size: tuple[int, int], frames_per_sequence: int = 1000) -> Path:
    """A dump of ``frames`` frames that have a picture and a label and nothing else."""
    root = folder / "dump"
    width_px, height_px = size
    rng = np.random.default_rng(0)
    originals: dict[str, list[Path]] = {"rgb": [], "semantic": []}
    (folder / "originals").mkdir(parents=True)
    for copy in range(-(-frames // _MOST_LINKS)):
        render = rng.integers(0, 256, (height_px, width_px, 3), np.uint8)
        label_map = rng.integers(0, 11, (height_px, width_px)).astype(np.uint8)
        for kind, data in (("rgb", encode_rgb(render)), ("semantic", encode_label(label_map))):
            path = folder / "originals" / f"{kind}{copy}.png"
            path.write_bytes(data)
            originals[kind].append(path)
    for first in range(0, frames, frames_per_sequence):
        for kind, paths in originals.items():
            target = root / f"town{first // frames_per_sequence:05d}" / kind
            target.mkdir(parents=True)
            for frame in range(first, min(first + frames_per_sequence, frames)):
                os.link(paths[frame // _MOST_LINKS], target / f"{frame:08d}.png")
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    return root
