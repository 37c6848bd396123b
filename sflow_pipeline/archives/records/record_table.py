"""Parts shared by all record splitters: text tables, JSON streams, and one small file per frame."""

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sflow_pipeline.archives.archive import Archive, build_archive

#: Gives the content of a file by its path relative to the record's folder.
Read = Callable[[str], bytes]
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<rest>(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_WORDS = {"True": True, "False": False, "true": True, "false": False}


def build_records(values: Mapping[str, Any]) -> Archive:
    """An archive of one JSON file per frame.

    Args:
        values: path of a file -> what it holds.
    """
    return build_texts({path: encode_json(value) for path, value in values.items()})


def build_texts(texts: Mapping[str, bytes]) -> Archive:
    """An archive of small files by path, which change only with their content."""
    marks = {path: zlib.crc32(text) for path, text in texts.items()}
    return build_archive(marks, {path: len(text) for path, text in texts.items()}, texts.__getitem__)


def encode_json(value: Any) -> bytes:
    """JSON in UTF-8, the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _pass(text: str, position: int, mark: str, last: str = "") -> int:
    """Position after ``mark``, or of ``last`` if that comes first."""
    position = _skip(text, position)
    if last and text.startswith(last, position):
        return position
    if not text.startswith(mark, position):
        raise ValueError(f"{mark!r} expected at character {position}")
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space is not None else position


def read_optional(read: Read, path: str) -> bytes | None:
    """A file that may not be there."""
    try:
        return read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def stream_json(data: bytes) -> Iterator[tuple[str, Any]]:
    """(key, item) of a JSON object: each item of its lists by itself, other values whole.

    Such files may have gigabytes once they are objects; this way one item at a time is.

    Raises:
        ValueError: it is not a JSON object.

    >>> list(stream_json(b'{"frames": [{"a": 1}, {}], "config": {"b": []}}'))
    [('frames', {'a': 1}), ('frames', {}), ('config', {'b': []})]
    """
    text = data.decode("utf-8")
    decode = json.JSONDecoder().raw_decode
    position = _pass(text, 0, "{")
    while not text.startswith("}", position):
        key, position = decode(text, position)
        position = _pass(text, position, ":")
        if text.startswith("[", position):
            position = _pass(text, position, "[")
            while not text.startswith("]", position):
                item, position = decode(text, position)
                yield str(key), item
                position = _pass(text, position, ",", last="]")
            position += 1
        else:
            value, position = decode(text, position)
            yield str(key), value
        position = _pass(text, position, ",", last="}")


def read_rows(data: bytes | None, separator: str | None = None) -> Iterator[tuple[list[str], list[str]]]:
    """(column names, fields) of every row of a text table whose first line names the columns; nothing of None.

    >>> list(read_rows(b"frame cameraID\\n0 1\\n"))
    [(['frame', 'cameraID'], ['0', '1'])]
    """
    lines = data.decode("utf-8", "replace").splitlines() if data is not None else []
    names = lines[0].split(separator) if lines else []
    for line in lines[1:]:
        if line.strip():
            yield names, line.split(separator)


def parse_field(text: str) -> float | str | bool:
    """A field of a text table as JSON has it.

    >>> [parse_field(text) for text in ("7", "-0.5", "False", "Car", "nan", "007")]
    [7, -0.5, False, 'Car', 'nan', '007']
    """
    number = _NUMBER.fullmatch(text)
    if number is None:
        return _WORDS.get(text, text)
    return float(text) if number["rest"] else int(text)
