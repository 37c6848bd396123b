"""Canonical JSON: the same content gives the same bytes."""

import hashlib
import json


def encode_json(content: object) -> bytes:
    """Readable JSON with sorted keys; lone surrogates are escaped.

    >>> encode_json({"b": 1, "a": "ä"}).decode()
    '{\\n  "a": "ä",\\n  "b": 1\\n}\\n'
    """
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def compute_digest(content: object) -> str:
    """sha256 hex of a JSON-like value, independent of key order.

    >>> compute_digest({"a": 1, "b": 2}) == compute_digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(encode_compact(content).encode()).hexdigest()


def encode_compact(content: object) -> str:
    """JSON in ASCII with sorted keys and no spaces, of which ``compute_digest`` is.

    >>> encode_compact({"b": 1, "a": "ä"})
    '{"a":"\\\\u00e4","b":1}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
