"""A training run on one self-contained page, written anew while it goes on: curves and the newest pictures."""

import base64
from html import escape
from pathlib import Path

from sflow_pipeline.errors import TrainingError
from sflow_pipeline.report.training_curves import draw_training_curves
from sflow_pipeline.storage.write_whole import write_whole

PAGE_NAME = "preview.html"
_NEWEST = 4
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}img,svg{max-width:100%;height:auto;display:block}
"""


def write_training_page(out: Path) -> Path:
    """Write ``out/preview.html``: the loss curves and the newest sample strips, newest first; nothing is linked.

    Args:
        out: the folder of a training run. What it does not hold yet is left out and said.

    Returns:
        The page, which asks the browser to load it again every half minute.
    """
    parts = [f"<h1>{escape(out.name)}</h1>"]
    for folder, title in ((out, "Losses"), (out / "segmenter", "Segmenter")):
        try:
            curves = draw_training_curves(folder / "losses.csv")
        except (OSError, TrainingError):
            continue  # not there yet
        parts += [f"<h2>{title}</h2>", curves]
    strips = sorted((path for path in (out / "samples").glob("*.png") if path.stem.isdecimal()), reverse=True)[:_NEWEST]
    if len(parts) == 1 and not strips:
        parts.append("<p>Nothing yet: losses come with the first checkpoint, pictures as the recipe says.</p>")
    for strip in strips:
        parts.append(f"<h2>After {int(strip.stem):,} images</h2><p>Photo, Laplacian edges, DNED edges, fake.</p>")
        picture = base64.b64encode(strip.read_bytes()).decode()
        parts.append(f'<img alt="held-out photos" src="data:image/png;base64,{picture}">')
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="30">'
    page = f"{head}<title>{escape(out.name)}</title><style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    path = out / PAGE_NAME
    write_whole(path, page.encode())  # a browser never reads half a page
    return path
