"""``sflow-pipeline models``: what is done with bundles as files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sflow_pipeline.errors import UsageError


def models_export_command(
    bundle: Annotated[str, typer.Argument(help="Name (`list bundles`) or folder of a bundle.", metavar="BUNDLE")],
    dest: Annotated[str, typer.Argument(help="Folder to write: new, or an earlier export.", metavar="DEST")],
    to: Annotated[str, typer.Option("--to", help="Format: onnx, openvino or torchscript.", metavar="FORMAT")] = "onnx",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a bundle's networks for other programs and runtimes: their files, interface.json and a card.

    One graph holds edge extractor, DNED and generator, from a rendered frame and its classes to an image, for any batch
    and size. It is compared with torch before it is written. onnx and openvino need the extra `export`.
    `convert --appearance palette --backend DEST` runs it in torch's place.

    Examples:

      sflow-pipeline models export sflow sflow-onnx
      sflow-pipeline models export sflow sflow-openvino --to openvino
      sflow-pipeline models export runs/mine/bundle mine-onnx --json
    """
    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.bundle.portable import FORMATS

    if to not in FORMATS:
        raise UsageError(f"models export --to {to}: no such format", hint=f"it is one of {', '.join(FORMATS)}")
    found = load_bundle(bundle)
    from sflow_pipeline.bundle.portable.portable_bundle import export_bundle

    exported = export_bundle(found, Path(dest), to)
    if as_json:
        typer.echo(json.dumps(asdict(exported), indent=2))
        return
    typer.echo(f"{exported.path}: {exported.size_bytes / 1e6:.1f} MB")
    typer.echo(f"difference to torch: {exported.difference:.3f} grey levels on average")
