"""Frames in, frames out: a simulator's loop with a bundle in it, and percentiles of the time from one to the other.

Put your simulator in place of ``StreetSequence``. A frame is rendered when the image of the one before is there, as in
a loop with an agent. With ``--ahead`` it is rendered meanwhile: more frames a second, but each waits for its turn.

    python examples/live_frames.py --size 1280x720 --frames 50
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sflow_pipeline import load_bundle
from sflow_pipeline.conversion.engines.memory_reuse import reuse_memory
from sflow_pipeline.street import LABEL_SPACE, StreetSequence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=read_size, default="1280x720", metavar="WxH")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--ahead", action="store_true", help="render the next frame while one is painted")
    chosen = parser.parse_args()
    width_px, height_px = chosen.size
    bundle = load_bundle()
    reuse_memory()  # large frames: a fifth of a CPU's time; the process keeps memory that it has freed

    def paint(render: np.ndarray, label_map: np.ndarray) -> np.ndarray:
        return bundle.paint(
            render, label_map, label_space=LABEL_SPACE, device=chosen.device, precision=chosen.precision
        )

    street = StreetSequence(seed=0, sequence_index=0, frames=chosen.frames + 2, size=(width_px, height_px), look="cg")
    latencies_ms = []
    started_s = time.perf_counter()
    for number, (began_s, frame) in enumerate(render_frames(street, chosen.frames + 2, is_ahead=chosen.ahead)):
        image = paint(frame.render, frame.label_map)  # (h, w, 3) uint8, for the camera topic, the encoder, the agent, …
        assert image.shape == frame.render.shape
        if number < 2:  # kernels are chosen with the first ones
            started_s = time.perf_counter()
        else:
            latencies_ms.append(1000 * (time.perf_counter() - began_s))
    rate = chosen.frames / (time.perf_counter() - started_s)
    p50, p90, p99 = np.percentile(latencies_ms, (50, 90, 99))
    latency = f"50 % within {p50:.0f} ms, 90 % {p90:.0f} ms, 99 % {p99:.0f} ms"
    print(f"{width_px}x{height_px}, {len(latencies_ms)} frames: {latency}")
    print(f"{rate:.2f} frames/s with rendering")


def read_size(text: str) -> tuple[int, int]:
    """Width and height in pixels."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"expected WxH in pixels, such as 1280x720, not {text}")
    return int(width), int(height)


def render_frames(street: StreetSequence, frames: int, *, is_ahead: bool) -> Iterator[tuple[float, Any]]:
    """Moment at which each frame was rendered, and the frame; where ``is_ahead``, while the one before is painted."""

    def render(number: int) -> tuple[float, Any]:
        frame = street.render_frame(number)
        return time.perf_counter(), frame

    with ThreadPoolExecutor(1) as renderer:
        following = renderer.submit(render, 0)
        for number in range(frames):
            rendered = following.result()
            if is_ahead and number + 1 < frames:
                following = renderer.submit(render, number + 1)
            yield rendered
            if not is_ahead and number + 1 < frames:
                following = renderer.submit(render, number + 1)


if __name__ == "__main__":
    main()
