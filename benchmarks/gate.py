"""CPU time of the gate as a share of the conversion's: `convert --gate score` of one dump, one thread."""

import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measurement import Measurement, Options
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.gate.label_gate import LabelGate

_SIZES_PX = ((480, 360), (1024, 512))


def measure(options: Options) -> list[Measurement]:
    """See the package."""
    return [_measure(size_px, options.frames or 12) for size_px in _SIZES_PX]


def _measure(size_px: tuple[int, int], frames: int) -> Measurement:
    spent = []
    judge = LabelGate.judge

    def judge_on_the_clock(*args: Any) -> Any:
        started = time.thread_time()
        try:
            return judge(*args)
        finally:
            spent.append(time.thread_time() - started)

    LabelGate.judge = judge_on_the_clock  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            _write_dump(Path(folder) / "sim", size_px, frames)
            job = build_job({"sim_dir": f"{folder}/sim", "out_dir": f"{folder}/out", "workers": 1, "device": "cpu"})
            started = time.process_time()
            convert(job)
            total = time.process_time() - started
    finally:
        LabelGate.judge = judge  # type: ignore[method-assign]
    # The first frame is slower, the kernels are chosen then.
    gate = sum(spent[1:]) / max(1, len(spent) - 1) * len(spent)
    width, height = size_px
    details = {"frames": frames, "gate_s": gate, "conversion_s": total}
    return Measurement(f"gate / conversion, {width}x{height}", gate / total, goal=("at most", 0.1), details=details)


def _write_dump(root: Path, size_px: tuple[int, int], frames: int) -> None:
    rng = np.random.default_rng(0)
    width, height = size_px
    for kind in ("rgb", "semantic"):
        (root / "town" / kind).mkdir(parents=True)
    (root / "dataset.yaml").write_text("label_space: camvid11\n")
    for i in range(frames):
        label = cv2.resize(rng.integers(0, 11, (9, 16)).astype(np.uint8), size_px, interpolation=cv2.INTER_NEAREST)
        render = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
        cv2.imwrite(str(root / f"town/rgb/{i:04}.png"), cv2.resize(render, size_px, interpolation=cv2.INTER_CUBIC))
        cv2.imwrite(str(root / f"town/semantic/{i:04}.png"), label)
