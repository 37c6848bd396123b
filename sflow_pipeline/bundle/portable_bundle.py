"""Portable bundle: a bundle's networks as an ONNX file, with a card and all numbers that another program needs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sflow_pipeline.bundle.alpha import ALPHA_PRESETS
from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.errors import UsageError
from sflow_pipeline.markdown import draw_table, escape_markdown
from sflow_pipeline.storage.write_errors import translate_write_errors
from sflow_pipeline.storage.write_whole import write_whole

NETWORKS_FILE, INTERFACE_FILE, CARD_FILE = "networks.onnx", "interface.json", "README.md"


@dataclass(frozen=True)
class PortableBundle:
    """What was written.

    Attributes:
        path: folder.
        sha256: of the ONNX file.
        size_bytes: of it.
        difference: to torch, mean over random frames, in grey levels.
    """

    path: str
    sha256: str
    size_bytes: int
    difference: float


def export_to_onnx(bundle: Bundle, dest: Path) -> PortableBundle:
    """Write ``networks.onnx``, ``interface.json`` and a card to a folder that is new or holds an earlier export.

    Raises:
        UsageError: the folder holds something else, or the networks cannot be exported.
        MissingExtraError: ONNX or OpenVINO is not installed.
        BundleError: the weights are damaged.
        OutputError: the disk is full, the folder is read-only, ….
    """
    others = [] if not dest.exists() else [p.name for p in _list_folder(dest) if p.name not in _FILES]
    if others:
        raise UsageError(
            f"{dest}: holds {others[0]}, which is no file of an earlier export",
            hint="name a new folder, or one that an earlier `models export` wrote",
        )
    from sflow_pipeline.bundle.onnx_file import build_onnx_file

    data, difference = build_onnx_file(bundle)
    exported = PortableBundle(str(dest), hashlib.sha256(data).hexdigest(), len(data), difference)
    interface = json.dumps(_describe_interface(bundle, exported), indent=1, ensure_ascii=False) + "\n"
    with translate_write_errors(str(dest)):
        dest.mkdir(parents=True, exist_ok=True)
    write_whole(dest / NETWORKS_FILE, data)
    write_whole(dest / INTERFACE_FILE, interface.encode())
    write_whole(dest / CARD_FILE, _build_card(bundle, exported).encode())
    return exported


_FILES = (NETWORKS_FILE, INTERFACE_FILE, CARD_FILE)


def _list_folder(dest: Path) -> list[Path]:
    if not dest.is_dir():
        raise UsageError(f"{dest}: is a file, and a folder was expected", hint="name a new folder")
    return sorted(dest.iterdir())


def _describe_interface(bundle: Bundle, exported: PortableBundle) -> dict[str, Any]:
    inputs = {
        "render": "uint8 (batch, height, width, 3): RGB of the simulator",
        "class_index": "uint8 (batch, height, width): number under `channels` of each pixel's class",
        "alpha": "float32 (batch, 5): weights of the edges' scales, one of `alphas` or others that sum to 1",
    }
    if bundle.recipe.generator.use_palette:
        inputs["colors"] = "float32 (batch, 3, height, width): each pixel's class in one of `palettes`, -1 to 1"
    return {
        "bundle": {"name": bundle.name, "version": bundle.metadata.version, "digest": bundle.digest},
        "networks_sha256": exported.sha256,
        "label_space": bundle.label_space.name,
        "channels": [item.name for item in bundle.label_space.classes],
        "inputs": inputs,
        "outputs": {
            "image": "uint8 (batch, height, width, 3): RGB",
            "edge": "uint8 (batch, height, width): strength of the edges that the image follows",
        },
        "alphas": {name: list(weights) for name, weights in ALPHA_PRESETS.items()},
        "palettes": bundle.read_weights()["palettes"]["rgb"].tolist() if bundle.recipe.generator.use_palette else [],
    }


_INTRODUCTION = """Laplacian edges, DNED and generator of a bundle of sflow-pipeline as one graph, from bytes to bytes,
for runtimes other than torch.
"""
_LIMITS = """It computes what `sflow-pipeline convert --appearance palette` does: images follow edges, classes and a
palette. Following the render's own colours (`--appearance` above 0), the gate and everything else that `convert` does
around the networks is not part of it.
"""
_EXAMPLE = """```python
import json, numpy as np, onnxruntime
interface = json.load(open("interface.json"))
session = onnxruntime.InferenceSession("networks.onnx")
# render: (h, w, 3) uint8 RGB; class_index: (h, w) uint8, positions in interface["channels"]
inputs = {"render": render[None], "class_index": class_index[None],
          "alpha": np.array([interface["alphas"]["even"]], np.float32)}
if interface["palettes"]:
    palette = np.array(interface["palettes"][0], np.float32)          # (classes, 3), the typical one
    inputs["colors"] = palette[class_index].transpose(2, 0, 1)[None]  # (1, 3, h, w)
image, edge = session.run(None, inputs)                               # image[0]: (h, w, 3) uint8 RGB
```
"""


def _build_card(bundle: Bundle, exported: PortableBundle) -> str:
    metadata = bundle.metadata
    facts = [
        ("bundle", escape_markdown(f"{bundle.name} {metadata.version}") + f", digest `{bundle.digest[:16]}`"),
        ("networks.onnx", f"{exported.size_bytes / 1e6:.1f} MB, sha256 `{exported.sha256[:16]}`, fp32"),
        ("difference to torch", f"{exported.difference:.3f} grey levels on average, on random frames"),
        ("sizes", "any batch, height and width"),
        ("classes", f"{escape_markdown(bundle.label_space.name)}, in the order of interface.json"),
        ("training data", escape_markdown(metadata.training_data) or "not stated"),
        ("licence of that data", escape_markdown(metadata.training_data_licence) or "not stated"),
    ]
    parts = (
        f"# {escape_markdown(bundle.name)} as ONNX\n",
        _INTRODUCTION,
        draw_table(("fact", "value"), facts),
        _LIMITS,
        "## Use\n",
        _EXAMPLE,
    )
    return "\n".join(parts)
