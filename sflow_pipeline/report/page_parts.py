"""Parts of HTML pages: one file with its style, script and pictures inside."""

import base64
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

_LONGEST_TEXT = 160


def build_page(title: str, parts: Iterable[str], *, script: str = "") -> str:
    """A whole page that loads nothing: a content security policy keeps it from every address.

    Args:
        title: of the page.
        parts: HTML.
        script: the only JavaScript that the page may run.

    >>> page = build_page("a < b", ["<p>x</p>"])
    >>> "<title>a &lt; b</title>" in page, "script-src 'none'" in page
    (True, True)
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'"
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{read_resource('page.css')}</style></head>"
    )
    code = f"<script>{script}</script>" if script else ""
    return f"{head}<body>{''.join(parts)}{code}</body></html>\n"


def build_table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of plain text."""
    names = list(names)
    head = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>" if any(names) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def build_json_block(name: str, content: Any) -> str:
    """Data for the page's script; no text in it can end the block or begin a tag.

    >>> build_json_block("x", ["</script>"])
    '<script type="application/json" id="x">["\\\\u003c/script\\\\u003e"]</script>'
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'


def clip(text: object, longest: int = _LONGEST_TEXT) -> str:
    """Text of limited length, so that a name cannot fill the page; it still needs escaping.

    >>> clip("abcdef", 4)
    'abc…'
    """
    whole = str(text)
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


@cache
def read_resource(name: str) -> str:
    """The style or script of pages, as packaged."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
