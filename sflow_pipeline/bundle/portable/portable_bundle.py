"""Portable bundle: a folder with a bundle's networks, a card, and all numbers that another program needs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sflow_pipeline.bundle.alpha import ALPHA_PRESETS
from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.portable.card import build_card
from sflow_pipeline.bundle.portable.network_files import build_network_files, load_format
from sflow_pipeline.errors import UsageError
from sflow_pipeline.storage.write_errors import translate_write_errors
from sflow_pipeline.storage.write_whole import write_whole

INTERFACE_FILE, CARD_FILE = "interface.json", "README.md"


@dataclass(frozen=True)
class PortableBundle:
    """What was written.

    Attributes:
        path: folder.
        format: one of ``FORMATS``.
        files: sha256 of each file of the networks, by name.
        size_bytes: of them together.
        difference: to torch, mean over random frames, in grey levels.
    """

    path: str
    format: str
    files: dict[str, str]
    size_bytes: int
    difference: float


def export_bundle(bundle: Bundle, dest: Path, to: str) -> PortableBundle:
    """Write networks, ``interface.json`` and a card to a folder that is new or holds an earlier export to the format.

    Args:
        to: one of ``FORMATS``.

    Raises:
        UsageError: the folder holds something else, or the networks cannot be exported.
        MissingExtraError: the format needs something that is not installed.
        BundleError: the weights are damaged.
        OutputError: the disk is full, the folder is read-only, ….
    """
    portable = load_format(to)
    known = (*portable.files, INTERFACE_FILE, CARD_FILE)
    there = [path.name for path in _list_folder(dest)] if dest.exists() else []
    others = [name for name in there if name not in known]
    if others or (there and not _is_export(dest, to)):
        raise UsageError(
            f"{dest}: holds {(others or there)[0]}, which is no file of an earlier export to {to}",
            hint=f"name a new folder, or one that an earlier `models export --to {to}` wrote",
        )
    files, difference = build_network_files(bundle, portable)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    exported = PortableBundle(str(dest), to, digests, sum(map(len, files.values())), difference)
    interface = json.dumps(_describe_interface(bundle, exported), indent=1, ensure_ascii=False) + "\n"
    with translate_write_errors(str(dest)):
        dest.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_whole(dest / name, data)
    write_whole(dest / INTERFACE_FILE, interface.encode())
    card = build_card(bundle, portable, digests, exported.size_bytes, difference)
    write_whole(dest / CARD_FILE, card.encode())
    return exported


def _is_export(dest: Path, to: str) -> bool:
    """Whether the folder describes networks exported to this format."""
    try:
        interface = json.loads((dest / INTERFACE_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(interface, dict) and interface.get("format") == to and "bundle" in interface


def _list_folder(dest: Path) -> list[Path]:
    if not dest.is_dir():
        raise UsageError(f"{dest}: is a file, and a folder was expected", hint="name a new folder")
    return sorted(dest.iterdir())


def _describe_interface(bundle: Bundle, exported: PortableBundle) -> dict[str, Any]:
    painting = bundle.for_labels_alone
    palettes = painting.read_weights()["palettes"]["rgb"].tolist() if painting.recipe.generator.use_palette else []
    inputs = {
        "render": "uint8 (batch, height, width, 3): RGB of the simulator",
        "class_index": "uint8 (batch, height, width): number under `channels` of each pixel's class",
        "alpha": "float32 (batch, 5): weights of the edges' scales, one of `alphas` or others that sum to 1",
    }
    if palettes:
        inputs["colors"] = "float32 (batch, 3, height, width): each pixel's class in one of `palettes`, -1 to 1"
    return {
        "bundle": {"name": bundle.name, "version": bundle.metadata.version, "digest": bundle.digest},
        "format": exported.format,
        "files": exported.files,
        "label_space": bundle.label_space.name,
        "channels": [item.name for item in bundle.label_space.classes],
        "inputs": inputs,
        "outputs": {
            "image": "uint8 (batch, height, width, 3): RGB",
            "edge": "uint8 (batch, height, width): strength of the edges that the image follows",
        },
        "alphas": {name: list(weights) for name, weights in ALPHA_PRESETS.items()},
        "palettes": palettes,
    }
