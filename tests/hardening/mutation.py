"""Damage to a file, drawn from a seeded generator."""

import random
import re

_MAGIC = (b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0\0\0\0\0", b"\xff" * 8)
_WORDS = (
    "null", "-1", "1e999", "NaN", "9" * 40, "9" * 5000, '"', "{}", "[]", "[" * 200, "[[1]]", "true", "\u2028", "\x00",
    "../../x", "/etc/passwd", "a" * 300, "'", ": ", "&a [*a]", "!!python/object:os.system", "2001-99-99", "é\ud800",
)  # fmt: skip


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to three kinds of damage."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        kinds = [_flip, _flip, _cut, _overwrite, _insert, _delete, _repeat, _replace]
        if _is_text(data):
            kinds += [_edit_text] * 8
        data = draw.choice(kinds)(data, draw)
    return data


def _is_text(data: bytes) -> bool:
    return 0 < len(data) < 1 << 18 and all(byte >= 32 or byte in b"\t\r\n" for byte in data[:400])


def _place(data: bytes, draw: random.Random) -> int:
    """Anywhere, but more often near the ends, where headers and footers are."""
    if not data:
        return 0
    near = min(len(data) - 1, draw.randrange(1, 200))
    return draw.choice((draw.randrange(len(data)), near, len(data) - 1 - near))


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8)) if data else 0):
        changed[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: _place(data, draw)]


def _overwrite(data: bytes, draw: random.Random) -> bytes:
    start = _place(data, draw)
    return data[:start] + (magic := draw.choice(_MAGIC)) + data[start + len(magic) :]


def _insert(data: bytes, draw: random.Random) -> bytes:
    start = _place(data, draw)
    return data[:start] + draw.randbytes(draw.choice((1, 4, 64))) + data[start:]


def _delete(data: bytes, draw: random.Random) -> bytes:
    start = _place(data, draw)
    return data[:start] + data[start + draw.choice((1, 4, 64, 4096)) :]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    start = _place(data, draw)
    part = data[start : start + draw.choice((1, 16, 512))]
    return data[:start] + part * draw.choice((2, 50)) + data[start:]


def _replace(data: bytes, draw: random.Random) -> bytes:
    return draw.choice(
        (b"", b"\n", b"null", draw.randbytes(100), b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes(len(data)))
    )


def _edit_text(data: bytes, draw: random.Random) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    words = list(re.finditer(r'"[^"\n]*"|[\w.-]+|[\[\]{}:,]', text))
    if not words:
        return data
    word = draw.choice(words)
    new = draw.choice((*_WORDS, "", draw.choice(words)[0], f'"{draw.choice(_WORDS)}"'))
    return (text[: word.start()] + new + text[word.end() :]).encode("utf-8", "surrogatepass")
