"""Packs folders of labelled pictures into one small folder in the plain layout, to carry to another machine.

    python tools/pack_training_data.py OUT --mib 40 CamVid PHOTOS

Pictures become JPEG of the best quality with which everything fits; labels keep their ids, as PNG. The packed folders
are OUT/0, OUT/1 …, in the order given, each ready for ``train --data``.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml

from sflow_pipeline.errors import FrameError, SflowError
from sflow_pipeline.simulators import Dump, discover
from sflow_pipeline.storage import image_codec

#: Tried from the best to the worst.
QUALITIES = (95, 90, 85, 80, 70, 60, 50)
MIB = 1 << 20


def pack(folders: list[str], out: Path, limit_bytes: int, split: str = "train") -> tuple[int, int]:
    """Write the packed folders; returns the quality of the JPEG files and the bytes of everything.

    Raises:
        SystemExit: it does not fit even with the worst quality.
    """
    dumps = [discover(folder) for folder in folders]
    for quality in QUALITIES:
        total = sum(_write(dump, out / str(number), quality, split) for number, dump in enumerate(dumps))
        if total <= limit_bytes:
            return quality, total
    raise SystemExit(
        f"error: {total / MIB:.1f} MiB at JPEG quality {QUALITIES[-1]}, which is over {limit_bytes / MIB:.0f}\n"
        "hint: give fewer folders, or a larger --mib"
    )


def _write(dump: Dump, out: Path, quality: int, split: str) -> int:
    total = 0
    space = dump.label_format.space
    for number, frame in enumerate(f for f in dump.frames if f.split in (split, "main")):
        read = dump.folder.read_bytes
        picture = image_codec.decode_rgb(read(frame.render), name=frame.render)
        table = read(frame.label_table) if frame.label_table else None
        label = dump.label_format.read(read(frame.label), table, frame.label).label_map
        sequence = frame.sequence_id.replace("/", "-") or "sequence"
        jpeg = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        for kind, name, data in (
            ("rgb", f"{number:06}.jpg", jpeg.tobytes()),
            ("semantic", f"{number:06}.png", image_codec.encode_plane(label)),
        ):
            path = out / sequence / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            total += len(data)
    (out / "dataset.yaml").write_text(yaml.safe_dump({"label_space": space.name}))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--mib", type=float, default=40.0, help="most MiB of everything (default: 40)")
    arguments = parser.parse_args()
    try:
        quality, total = pack(arguments.folders, arguments.out, int(arguments.mib * MIB))
    except (SflowError, FrameError) as error:
        sys.exit(f"error: {error}\nhint: {error.hint}")
    print(f"{arguments.out}: {total / MIB:.1f} MiB, JPEG quality {quality}")


if __name__ == "__main__":
    main()
