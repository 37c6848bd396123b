"""``sflow-pipeline models``: what is done with bundles as files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sflow_pipeline.errors import UsageError

_FORMATS = ("onnx",)


def models_export_command(
    bundle: Annotated[str, typer.Argument(help="Name (`list bundles`) or folder of a bundle.", metavar="BUNDLE")],
    dest: Annotated[str, typer.Argument(help="Folder to write: new, or an earlier export.", metavar="DEST")],
    to: Annotated[str, typer.Option("--to", help="Format: onnx.", metavar="FORMAT")] = "onnx",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a bundle's networks for runtimes other than torch: networks.onnx, interface.json and a card.

    One graph holds edge extractor, DNED and generator, from a rendered frame and its classes to an image, for any batch
    and size. It is compared with torch before it is written, and needs the extra `export`. `convert` runs torch alone.

    Examples:

      sflow-pipeline models export sflow sflow-onnx
      sflow-pipeline models export runs/mine/bundle mine-onnx --json
    """
    if to not in _FORMATS:
        raise UsageError(f"models export --to {to}: no such format", hint=f"it is one of {', '.join(_FORMATS)}")
    from sflow_pipeline.bundle import load_bundle
    from sflow_pipeline.bundle.portable_bundle import export_to_onnx

    exported = export_to_onnx(load_bundle(bundle), Path(dest))
    if as_json:
        typer.echo(json.dumps(asdict(exported), indent=2))
        return
    typer.echo(f"{exported.path}: {exported.size_bytes / 1e6:.1f} MB")
    typer.echo(f"difference to torch: {exported.difference:.3f} grey levels on average")
