"""Builds a worker's painters: one, and beside a GPU a second one that judges while the first one translates."""

from dataclasses import dataclass

from sflow_pipeline.conversion.gate.gate import EdgeGate, Gate, GateFactory
from sflow_pipeline.conversion.painting.paint import Painter
from sflow_pipeline.conversion.painting.translator_factory import GraphedTranslator, TranslatorFactory
from sflow_pipeline.conversion.settings import ConversionSettings


@dataclass(frozen=True)
class PainterFactory:
    """Builds a worker's painter; picklable.

    Attributes:
        settings: of the conversion.
        build_translator: makes the model.
        build_gate: makes the gate; the edge score where None.
    """

    settings: ConversionSettings
    build_translator: TranslatorFactory
    build_gate: GateFactory | None = None

    def __call__(self) -> Painter:
        return Painter(self.build_translator(), self._build_gate(), self.settings)

    def build_second(self, first: Painter) -> Painter | None:
        """A painter with the same model and a gate of its own, for every second batch, in another thread.

        None on a CPU, which is busy with one, where an image depends on those of other batches, and for models that may
        not be called by two threads.
        """
        settings = self.settings
        depends = settings.motion is not None or settings.needs_order
        if settings.device == "cpu" or depends or not isinstance(first.translator, GraphedTranslator):
            return None
        return Painter(first.translator, self._build_gate(), settings)

    def _build_gate(self) -> Gate:
        return EdgeGate(self.settings.edge_threshold) if self.build_gate is None else self.build_gate()
