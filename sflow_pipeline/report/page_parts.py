"""Parts of HTML pages: one file with its style and pictures inside."""

import base64
from collections.abc import Iterable
from html import escape

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.storage.image_codec import encode_jpeg

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2.2rem}p.lead{color:#555;margin-top:.2rem}
img{width:100%;height:auto;display:block}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .9rem .15rem 0;text-align:left;vertical-align:top}th{font-weight:600}td.n{text-align:right}
.chip{display:inline-block;width:.8em;height:.8em;border:1px solid #0003;margin-right:.4em;vertical-align:-1px}
.bar{display:inline-block;height:.8em;border:1px solid #0003;vertical-align:-1px}
.cols{display:flex;flex-wrap:wrap;gap:3rem}code{font-size:.85em}.warn{color:#a33}
figure{margin:0 0 1rem}figcaption{color:#777;font-size:.85em}
.frames{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:0 1rem}
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}p.lead{color:#999}}
"""


def build_page(title: str, parts: Iterable[str]) -> str:
    """A whole page; ``parts`` are HTML already.

    >>> build_page("a < b", ["<p>x</p>"])[:66]
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>a &lt;'
    """
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"


def build_table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of plain text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def embed_picture(picture: NDArray[np.uint8]) -> str:
    """(h, w, 3) RGB as the address of a picture that is part of the page."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture)).decode()
