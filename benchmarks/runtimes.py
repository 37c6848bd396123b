"""The translator with DNED and generator run by OpenVINO and ONNX Runtime, beside torch: what decision 23 rests on.

    pip install onnxruntime nncf    # whatever of them is there is measured; OpenVINO is in the extra `export`
    python benchmarks/runtimes.py --size 512x256 --rounds 6

Processor time of one thread, all in turns; difference of images to torch's in fp32, in grey levels, on frames that
were not among those of the calibration. Files have one fixed size, which is the runtimes' best case.
"""

import argparse
import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.engines.memory_reuse import reused_memory
from sflow_pipeline.conversion.engines.threads import single_threaded
from sflow_pipeline.conversion.frame.decode import decode_frame
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.street.write_dump import write_sample_dump

#: Frames that int8 is calibrated with, and all frames.
_CALIBRATED, _FRAMES = 3, 8
#: DNED and generator.
Networks = tuple[nn.Module, nn.Module]


class Recorder(nn.Module):
    """A network that keeps what it is given."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside
        self.given: list[list[Tensor]] = []

    def forward(self, *inputs: Tensor) -> Any:
        self.given.append([tensor.float().clone() for tensor in inputs])
        return self.inside(*inputs)


class Elsewhere(nn.Module):
    """A network that another runtime runs: arrays in, an array out."""

    def __init__(self, run: Callable[[list[Any]], Any]) -> None:
        super().__init__()
        self._run = run

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.from_numpy(np.array(self._run([np.ascontiguousarray(x.float().numpy()) for x in inputs])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="512x256")
    parser.add_argument("--rounds", type=int, default=6)
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    warnings.simplefilter("ignore")  # of the tracer
    with tempfile.TemporaryDirectory(prefix="sflow-bench-") as temporary, single_threaded(), reused_memory():
        folder = Path(temporary)
        frames = draw_frames(folder, (width, height))
        slow, fast = (Translator(load_bundle(), "cpu", precision) for precision in ("fp32", "bf16"))
        plain = slow.networks
        recorders = Recorder(plain[0]), Recorder(plain[1])
        place(slow, recorders)
        for frame in frames[:_CALIBRATED]:
            slow.translate(**frame)
        paths = export(folder / "dned.onnx", recorders[0]), export(folder / "generator.onnx", recorders[1])
        ways = {"torch fp32": (slow, plain), "torch bf16": (fast, fast.networks)}
        ways |= {name: (slow, networks) for name, networks in open_elsewhere(paths, recorders[1].given).items()}
        compare(ways, frames[_CALIBRATED:], chosen.rounds)


def draw_frames(folder: Path, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Arguments of ``Translator.translate`` for frames of the built-in simulator, at appearance 1."""
    write_sample_dump(folder / "sim", sequences=1, frames=_FRAMES, size=size, seed=11)
    stated = {"sim_dir": str(folder / "sim"), "out_dir": str(folder / "out"), "precision": "fp32", "device": "cpu"}
    resolved = resolve_job(build_job({**stated, "contradictions": "ignore"}))
    decoded = [decode_frame(frame, resolved.settings) for frame in resolved.frames]
    look = {"alpha": np.full((1, 5), 0.2, np.float32), "appearance": np.ones(1, np.float32)}
    return [{"class_index": item.class_index[None], "render": item.render[None], **look} for item in decoded]


def export(path: Path, recorder: Recorder) -> Path:
    with torch.inference_mode():
        names = [f"input{i}" for i in range(len(recorder.given[0]))]
        torch.onnx.export(
            recorder.inside, tuple(recorder.given[0]), str(path), input_names=names, opset_version=18, dynamo=False
        )
    return path


def open_elsewhere(paths: tuple[Path, Path], given: Sequence[Sequence[Tensor]]) -> dict[str, Networks]:
    """Name -> DNED and generator, by what is installed."""
    import openvino

    core = openvino.Core()

    def by_openvino(model: Any, precision: str) -> nn.Module:
        hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        request = core.compile_model(model, "CPU", hints).create_infer_request()
        return Elsewhere(lambda arrays: request.infer(arrays)[0])

    def by_onnx_runtime(path: Path) -> nn.Module:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [item.name for item in session.get_inputs()]
        return Elsewhere(lambda arrays: session.run(None, dict(zip(names, arrays, strict=True)))[0])

    dned, generator = (core.read_model(path) for path in paths)
    found: dict[str, Networks] = {
        f"OpenVINO {name}": (by_openvino(dned, name), by_openvino(generator, name)) for name in ("f32", "bf16")
    }
    if importlib.util.find_spec("onnxruntime"):
        found["ONNX Runtime fp32"] = by_onnx_runtime(paths[0]), by_onnx_runtime(paths[1])
    if importlib.util.find_spec("nncf"):
        import nncf

        frames = nncf.Dataset(list(given), lambda inputs: [tensor.numpy() for tensor in inputs])
        preset = nncf.QuantizationPreset.MIXED
        int8 = nncf.quantize(core.read_model(paths[1]), frames, preset=preset, subset_size=len(given))
        found["OpenVINO, generator int8, rest bf16"] = by_openvino(dned, "bf16"), by_openvino(int8, "bf16")
    return found


def place(translator: Translator, networks: Networks) -> None:
    translator._dned, translator._generator.inside = networks  # type: ignore[assignment]


def compare(ways: dict[str, tuple[Translator, Networks]], frames: list[dict[str, Any]], rounds: int) -> None:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    differences: dict[str, list[Any]] = {name: [] for name in ways}
    for number in range(1 + rounds):  # the first warms up
        images = {}
        for name, (translator, networks) in ways.items():
            place(translator, networks)
            started = time.process_time()
            images[name] = translator.translate(**frames[number % len(frames)]).photo.astype(int)
            taken[name].append(time.process_time() - started)
        for name, image in images.items():
            differences[name].append(np.abs(image - images["torch fp32"]))
    print("| runtime | ms | of torch bf16 | of torch fp32 | difference, mean | largest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, times in taken.items():
        of_bf16, of_fp32 = (
            median(a / b for a, b in zip(times[1:], taken[other][1:], strict=True))
            for other in ("torch bf16", "torch fp32")
        )
        mean, largest = np.mean(differences[name]), np.max(differences[name])
        print(f"| {name} | {1e3 * median(times[1:]):.0f} | {of_bf16:.2f} | {of_fp32:.2f} | {mean:.2f} | {largest} |")


if __name__ == "__main__":
    main()
