"""How much slower the differentiable Farnebäck flow is than OpenCV's."""

import time
from statistics import median
from typing import Any

from measurement import Measurement, Options

SIZE_PX = (480, 360)


def measure(options: Options) -> list[Measurement]:
    """CPU seconds of a pair's flow in torch, forward and with its gradient, over OpenCV's, in turns; one thread."""
    import cv2
    import torch

    from sflow_pipeline.networks.motion.farneback import DEFAULT_SETTINGS, compute_farneback_flow
    from sflow_pipeline.street import StreetSequence

    street = StreetSequence(seed=1, sequence_index=0, frames=2, size=SIZE_PX, look="camera")
    grey = [cv2.cvtColor(frame.render, cv2.COLOR_RGB2GRAY) for frame in street.render_frames()]
    pictures = [torch.from_numpy(picture)[None, None].float().requires_grad_() for picture in grey]
    settings, none = DEFAULT_SETTINGS, None
    numbers: tuple[Any, ...] = (
        settings.pyr_scale, settings.levels, settings.winsize, settings.iterations, settings.poly_n,
        settings.poly_sigma, 0,
    )  # fmt: skip
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        turns = []
        for _ in range(1 + (options.repeats or options.frames or 3)):
            started = time.thread_time()
            cv2.calcOpticalFlowFarneback(grey[0], grey[1], none, *numbers)  # type: ignore[call-overload]
            opencv = time.thread_time()
            flow = compute_farneback_flow(*pictures)
            forward = time.thread_time()
            flow.square().mean().backward()
            turns.append((opencv - started, forward - opencv, time.thread_time() - opencv))
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    turns = turns[1:]
    return [
        Measurement(f"Farnebäck flow in torch, {name} / OpenCV's forward", median(turn[i] / turn[0] for turn in turns))
        for i, name in ((1, "forward"), (2, "forward and backward"))
    ]
