"""Time and bytes of the formats that converted images may have, relative to PNG."""

import io
import tempfile
import time
from pathlib import Path
from statistics import median

from measurement import Measurement, Options

SIZE = (1280, 720)


def measure(options: Options) -> list[Measurement]:
    """Processor time of encoding, of decoding with Pillow, and bytes, in turns on the same converted frames."""
    import numpy as np
    from PIL import Image

    import sflow_pipeline
    from sflow_pipeline.storage.image_formats import encode_image
    from sflow_pipeline.street.write_dump import write_sample_dump

    with tempfile.TemporaryDirectory() as folder:
        dump, out = Path(folder, "sim"), Path(folder, "out")
        write_sample_dump(dump, sequences=1, frames=options.frames or 4, size=SIZE, seed=7)
        sflow_pipeline.convert(dump, out, contradictions="ignore", workers=1, gate="off")
        images = [sample.image for sample in sflow_pipeline.open_dataset(str(out))]

    def take(image_format: str) -> tuple[float, float, float, float]:
        """Seconds to encode, seconds to decode, bytes, mean difference in grey levels."""
        started = time.process_time()
        files = [encode_image(image, image_format) for image in images]
        encoded = time.process_time()
        decoded = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files]
        ended = time.process_time()
        difference = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(decoded, images, strict=True)])
        return encoded - started, ended - encoded, sum(map(len, files)), float(difference)

    rounds = [{name: take(name) for name in ("png", "webp", "jpeg")} for _ in range(options.repeats or 5)]
    found = []
    for name in ("webp", "jpeg"):
        encode, decode, size = (median(turn[name][part] / turn["png"][part] for turn in rounds) for part in range(3))
        details = {
            "png_encode_s": median(turn["png"][0] for turn in rounds) / len(images),
            "png_decode_s": median(turn["png"][1] for turn in rounds) / len(images),
            "png_bytes": rounds[0]["png"][2] / len(images),
            "difference": rounds[0][name][3],
        }
        found += [
            Measurement(f"{name} / png, time to encode", encode, details=details),
            Measurement(f"{name} / png, time to decode", decode, details=details),
            Measurement(f"{name} / png, bytes", size, details=details),
        ]
    return found
