"""Card of a portable bundle: what it holds, what it leaves out, and how it is run."""

from collections.abc import Mapping

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.bundle.portable.format import PortableFormat
from sflow_pipeline.markdown import draw_table, escape_markdown

_INTRODUCTION = """Laplacian edges, DNED and generator of a bundle of sflow-pipeline as one graph, from bytes to bytes.
"""
_LIMITS = """It computes what `sflow-pipeline convert --appearance palette` does: images follow edges, classes and a
palette. Following the render's own colours (`--appearance` above 0), the gate and everything else that `convert` does
around the networks is not part of it. `sflow-pipeline convert --appearance palette --backend FOLDER` runs these files
in the whole pipeline, to compare a dataset of them with torch's.
"""
_EXAMPLE = """```python
import json, numpy as np
{load}interface = json.load(open("interface.json"))
# render: (h, w, 3) uint8 RGB; class_index: (h, w) uint8, positions in interface["channels"]
inputs = {{"render": render[None], "class_index": class_index[None],
          "alpha": np.array([interface["alphas"]["even"]], np.float32)}}
if interface["palettes"]:
    palette = np.array(interface["palettes"][0], np.float32)          # (classes, 3), the typical one
    colors = palette[class_index].transpose(2, 0, 1)
    inputs["colors"] = np.ascontiguousarray(colors)[None]             # (1, 3, h, w)
image, edge = run(inputs)                                             # image[0]: (h, w, 3) uint8 RGB
```
"""


def build_card(
    bundle: Bundle, portable: PortableFormat, digests: Mapping[str, str], size_bytes: int, difference: float
) -> str:
    """Markdown.

    Args:
        digests: sha256 of each file of the networks, by name.
        size_bytes: of them together.
        difference: to torch, in grey levels.
    """
    metadata = bundle.metadata
    facts = [
        ("bundle", escape_markdown(f"{bundle.name} {metadata.version}") + f", digest `{bundle.digest[:16]}`"),
        *((name, f"sha256 `{digest[:16]}`") for name, digest in digests.items()),
        ("size", f"{size_bytes / 1e6:.1f} MB, fp32"),
        ("difference to torch", f"{difference:.3f} grey levels on average, on random frames"),
        ("frames", "any batch, height and width"),
        ("classes", f"{escape_markdown(bundle.label_space.name)}, in the order of interface.json"),
        ("training data", escape_markdown(metadata.training_data) or "not stated"),
        ("licence of that data", escape_markdown(metadata.training_data_licence) or "not stated"),
    ]
    parts = (
        f"# {escape_markdown(bundle.name)} as {portable.title}\n",
        _INTRODUCTION,
        draw_table(("fact", "value"), facts),
        _LIMITS,
        "## Use\n",
        _EXAMPLE.format(load=portable.example),
        portable.remark,
    )
    return "\n".join(part for part in parts if part)
