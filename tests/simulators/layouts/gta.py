"""Playing for Data: five-digit PNGs, labels indexed with Cityscapes' ids and palette."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from sflow_pipeline.label_spaces import load_label_space

#: Label ids of the label's columns.
IDS = (23, 11, 7, 34)


def write(root: Path) -> None:
    """Two frames."""
    for frame in (1, 2):
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        rgb = np.random.default_rng(frame).integers(0, 256, (32, 32, 3), np.uint8)
        assert cv2.imwrite(str(root / "images" / f"{frame:05}.png"), rgb)
        (root / "labels" / f"{frame:05}.png").write_bytes(indexed_png(label_map()))


def label_map(size_px: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.array([IDS], np.uint8).repeat(size_px[1], 0).repeat(size_px[0] // 4, 1)


def indexed_png(ids: np.ndarray) -> bytes:
    """A PNG of colour type 3, which OpenCV cannot write."""
    palette = np.zeros((256, 3), np.uint8)
    for label_class in load_label_space("gta").classes:
        palette[label_class.id] = label_class.color
    rows = np.concatenate([np.zeros((len(ids), 1), np.uint8), ids], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
