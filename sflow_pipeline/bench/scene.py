"""Sample frames of one size, and the functions that do every stage of a conversion to them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bench.operations import Operations, count_operations
from sflow_pipeline.bench.options import Painter as Against
from sflow_pipeline.bench.options import run_painter
from sflow_pipeline.bundle.portable.exported_networks import read_export
from sflow_pipeline.bundle.translator import Translation, Translator
from sflow_pipeline.config.job import build_job
from sflow_pipeline.conversion.engines.in_process import find_threads
from sflow_pipeline.conversion.frame.decode import decode_frame
from sflow_pipeline.conversion.gate.label_gate import build_gate_factory
from sflow_pipeline.conversion.job.backend import build_export_factory
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.painting.look import draw_look
from sflow_pipeline.conversion.painting.paint import Painter
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard.shard import convert_frames, convert_shard
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.networks.device import Device
from sflow_pipeline.storage.image_codec import decode_rgb, encode_rgb
from sflow_pipeline.storage.shard_file import ShardFileWriter
from sflow_pipeline.street.write_dump import write_sample_dump


class Scene:
    """Frames of the built-in simulator at one size, and a bundle at one precision and batch size.

    Args:
        folder: empty; the frames and what is converted go there.
        bundle: name or path; the default bundle where None.
        size_px: of the frames.
        device: with its precision.
        batch_size: frames that are translated at once.
        frames: to draw; rounded up to two whole batches at least.
        against: generator to compare with, and its name.
        backend: folder of exported networks to compare with; images then follow labels and edges alone.

    Attributes:
        model_operations: of the whole translator, per frame.
    """

    def __init__(
        self,
        folder: Path,
        bundle: str | None,
        size_px: tuple[int, int],
        device: Device,
        batch_size: int,
        frames: int,
        against: tuple[str, Against] | None = None,
        backend: str | None = None,
    ) -> None:
        self.size_px, self.device, self.batch_size = size_px, device, batch_size
        self.count = batch_size * max(2, -(-frames // batch_size))
        write_sample_dump(folder / "sim", sequences=1, frames=self.count, size=size_px, seed=7)
        fields = {
            "sim_dir": str(folder / "sim"),
            "out_dir": str(folder / "out"),
            "device": device.name,
            "precision": device.precision,
            "batch_size": batch_size,
            "shard_frames": self.count,
            "contradictions": "ignore",
            "appearance": "auto" if backend is None else "palette",
            "smooth": 0.0,
        }
        resolved = resolve_job(build_job(fields if bundle is None else {**fields, "bundle": bundle}))
        self._settings: ConversionSettings = resolved.settings
        self._frames = resolved.frames
        self._decoded = [decode_frame(frame, self._settings) for frame in self._frames]
        translator = Translator(resolved.bundle, device.name, device.precision)
        gate_factory = build_gate_factory(self._settings, resolved.bundle)
        build_painter = PainterFactory(self._settings, lambda: translator, gate_factory)
        painter = build_painter()
        self._painter, self._second = painter, build_painter.build_second(painter)
        self._gate = painter.gate
        self._against = against
        self._exported: Painter | None = None
        if backend is not None:
            networks = read_export(Path(backend), resolved.bundle, resolved.bundle.name)
            self._exported = Painter(build_export_factory(networks, resolved.bundle)(), self._gate, self._settings)
            self._exported_name = f"model by {networks.format}"
        self._batches = [self._decoded[i : i + batch_size] for i in range(0, self.count, batch_size)]
        self._looks = [draw_look(item.ref.sequence_id, 0, 0, self._settings) for item in self._decoded]
        # The first batch of all: a GPU replays later ones as a CUDA graph, whose operations nobody can count.
        counted = count_operations(lambda: painter.translate(self._batches[0], self._looks[:batch_size]))
        self.model_operations = Operations(counted.flop / batch_size, counted.bytes / batch_size)
        self._images: list[Translation] = [
            painter.translate(batch, self._looks[: len(batch)]) for batch in self._batches
        ]
        self._rows = [row for result in convert_frames(self._task(), self._settings, painter) for row in result.rows]
        self.image_bytes = round(float(np.mean([len(encode_rgb(image)) for image in self._photos()])))
        self.source_bytes = round(float(np.mean([len(data) for data in self._read_renders()])))
        self.row_bytes = round(sum(_count_bytes(row) for row in self._rows) / max(1, len(self._rows)))

    def list_stages(self) -> dict[str, Callable[[], object]]:
        """Stage -> what does it to all ``count`` frames."""
        stages: dict[str, Callable[[], object]] = {
            "decode": lambda: [decode_frame(frame, self._settings) for frame in self._frames],
            "model": lambda: self._translate(self._painter),
            "gate": self._judge,
            "encode": lambda: [encode_rgb(image) for image in self._photos()],
            "write": self._write,
            "pipeline": self._convert,
        }
        if (exported := self._exported) is not None:
            stages[self._exported_name] = lambda: self._translate(exported)
        if self._against is not None:
            name, paint = self._against
            run_painter(paint, name, self._decoded[0].class_index, self._decoded[0].render)
            stages[name] = lambda: [paint(item.class_index, item.render) for item in self._decoded]
        return stages

    def list_bare_stages(self) -> dict[str, Callable[[], object]]:
        """Stage -> the least that it must do, by the library that does it."""
        renders = self._read_renders()
        return {"decode": lambda: [decode_rgb(data, check_first=False) for data in renders]}

    def _translate(self, painter: Painter) -> None:
        for batch in self._batches:
            painter.translate(batch, self._looks[: len(batch)])

    def _judge(self) -> None:
        for batch, images in zip(self._batches, self._images, strict=True):
            self._gate.judge(batch, images)

    def _write(self) -> None:
        settings = self._settings
        with ShardFileWriter(settings.out, "write/shard", settings.row_schema, settings.job.format) as writer:
            for row in self._rows:
                writer.add(row)
            writer.publish()

    def _convert(self) -> None:
        helpers = find_threads(self._settings)
        convert_shard(self._task(), self._settings, self._painter, helpers=helpers, second=self._second)

    def _task(self) -> ShardTask:
        return ShardTask("bench", "train", "bench", self._frames)

    def _photos(self) -> list[NDArray[np.uint8]]:
        return [image for translation in self._images for image in translation.photo]

    def _read_renders(self) -> list[bytes]:
        return [self._settings.source.read_bytes(frame.ref.render) for frame in self._frames]


def _count_bytes(row: Mapping[str, object]) -> int:
    return sum(len(value["bytes"]) for value in row.values() if isinstance(value, dict))
