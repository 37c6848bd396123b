"""Backend of a job: what runs the networks, torch or exported files in its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.painting.translator_factory import (
    BundleTranslatorFactory,
    FrameTranslator,
    TranslatorFactory,
)
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.errors import UsageError

if TYPE_CHECKING:
    from sflow_pipeline.bundle.portable.exported_networks import ExportedNetworks


@dataclass(frozen=True)
class ExportTranslatorFactory:
    """Builds the translator of exported networks; see ``PortableTranslator``."""

    networks: "ExportedNetworks"
    palettes: NDArray[np.float32] | None

    def __call__(self) -> FrameTranslator:
        from sflow_pipeline.bundle.portable.portable_translator import PortableTranslator

        return PortableTranslator(self.networks, self.palettes)


def check_backend(job: ConvertJob, bundle: Bundle, appearance: float | None) -> "ExportedNetworks":
    """The exported networks that a job names in ``backend``.

    Args:
        appearance: how far images follow their renders, resolved.

    Raises:
        UsageError: they are not of this bundle, are damaged, or cannot do what the job asks for.
        MissingExtraError: what runs them is not installed.
    """
    assert job.backend is not None
    if appearance:
        raise UsageError(
            f"backend {job.backend}: exported networks paint from labels and edges alone, and appearance "
            f"{job.appearance} follows renders",
            hint="add --appearance palette, or convert without --backend",
            fields=("backend", "appearance"),
        )
    for field, allowed in (("device", ("auto", "cpu")), ("precision", ("auto", "fp32")), ("shifts", (1,))):
        if (value := getattr(job, field)) not in allowed:
            raise UsageError(
                f"backend {job.backend}: exported networks run on the CPU, in fp32, one image a frame, and {field} is "
                f"{value}",
                hint=f"leave out --{field}, or convert without --backend",
                fields=("backend", field),
            )
    from sflow_pipeline.bundle.portable.exported_networks import read_export  # loads torch

    return read_export(Path(job.backend).expanduser(), bundle, job.bundle or bundle.name)


def choose_translator(job: ConvertJob, bundle: Bundle, settings: ConversionSettings) -> TranslatorFactory:
    """What workers build their translator with; weights are carried along."""
    if job.backend is None:
        return BundleTranslatorFactory(bundle.with_weights(), settings.device, settings.precision, job.shifts)
    networks = check_backend(job, bundle, settings.appearance)
    if networks.digest != settings.backend_digest:
        raise UsageError(
            f"backend {job.backend}: its files changed meanwhile", hint="run the command again", fields=("backend",)
        )
    return build_export_factory(networks, bundle)


def build_export_factory(networks: "ExportedNetworks", bundle: Bundle) -> ExportTranslatorFactory:
    """What workers build the translator of exported networks of this bundle with."""
    painting = bundle.for_labels_alone
    palettes = painting.read_weights()["palettes"]["rgb"].numpy() if painting.recipe.generator.use_palette else None
    return ExportTranslatorFactory(networks, palettes)
