"""Frames in, frames out: a simulator's loop with a bundle in it, and percentiles of the time from one to the other.

Put your simulator in place of ``StreetSequence``. With two threads the next frame is rendered while one is painted; a
queue of one holds no frame longer than that.

    python examples/live_frames.py --size 1280x720 --frames 50
"""

import argparse
import time
from collections.abc import Iterator
from queue import Queue
from threading import Thread

import numpy as np

from sflow_pipeline import load_bundle
from sflow_pipeline.conversion.engines.memory_reuse import reuse_memory
from sflow_pipeline.street import LABEL_SPACE, StreetSequence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    chosen = parser.parse_args()
    width_px, height_px = map(int, chosen.size.split("x"))
    bundle = load_bundle()
    reuse_memory()  # large frames: a fifth of a CPU's time; the process keeps memory that it has freed

    def paint(render: np.ndarray, label_map: np.ndarray) -> np.ndarray:
        return bundle.paint(
            render, label_map, label_space=LABEL_SPACE, device=chosen.device, precision=chosen.precision
        )

    street = StreetSequence(seed=0, sequence_index=0, frames=chosen.frames + 2, size=(width_px, height_px), look="cg")
    latencies_ms = []
    for number, (began_s, render, label_map) in enumerate(render_ahead(street, chosen.frames + 2)):
        image = paint(render, label_map)  # (h, w, 3) uint8, for the camera topic, the encoder, the agent, …
        assert image.shape == render.shape
        if number >= 2:  # kernels are chosen with the first ones
            latencies_ms.append(1000 * (time.perf_counter() - began_s))
    p50, p90, p99 = np.percentile(latencies_ms, (50, 90, 99))
    print(f"{chosen.size}, {len(latencies_ms)} frames: 50 % within {p50:.0f} ms, 90 % {p90:.0f} ms, 99 % {p99:.0f} ms")


def render_ahead(street: StreetSequence, frames: int) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Moment at which each frame was rendered, render and label map; one frame ahead, in a thread of its own."""
    ready: Queue[tuple[float, np.ndarray, np.ndarray]] = Queue(maxsize=1)

    def render_all() -> None:
        for number in range(frames):
            frame = street.render_frame(number)
            ready.put((time.perf_counter(), frame.render, frame.label_map))

    Thread(target=render_all, daemon=True).start()
    for _ in range(frames):
        yield ready.get()


if __name__ == "__main__":
    main()
