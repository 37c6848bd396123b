"""Addresses without the secrets in them, for everything that people or files get to see."""

import re
import shlex
from pathlib import PurePosixPath
from urllib.parse import unquote

_SECRET_NAME = re.compile(r"key|secret|token|passw|credential|signature|^sig$", re.IGNORECASE)
_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_FILE = re.compile(r"file:(?://(?:localhost)?)?(?=/(?!/))", re.IGNORECASE)
_MARK = "***"


def redact_address(address: str) -> str:
    """An address with its keys and secret query values replaced; any other text as it is.

    >>> redact_address("s3://KEY:SECRET@bucket/dump?region=eu&session_token=abc")
    's3://***@bucket/dump?region=eu&session_token=***'
    >>> redact_address("/data/dump")
    '/data/dump'
    """
    return _replace(address, _MARK)


def strip_secrets(address: str) -> str:
    """An address to be stored: without keys and secret query values, so that the reader's environment gives them.

    >>> strip_secrets("s3://KEY:SECRET@bucket/dump?session_token=abc&region=eu")
    's3://bucket/dump?region=eu'
    """
    return _replace(address, "")


def find_local(address: str) -> str:
    """The plain path of a ``file:`` address of this machine (RFC 8089); any other address or path as it is.

    >>> find_local("file:///data/my%20dump"), find_local("file:/data"), find_local("file://localhost/data")
    ('/data/my dump', '/data', '/data')
    >>> find_local("s3://bucket/my%20dump"), find_local("data/my%20dump"), find_local("file://other/data")
    ('s3://bucket/my%20dump', 'data/my%20dump', 'file://other/data')
    """
    found = _FILE.match(address)
    return unquote(address[found.end() :]) if found else address


def join_address(address: str, path: str) -> str:
    """The address of something in a folder; a query stays at the end.

    >>> join_address("s3://KEY:SECRET@bucket/out/?region=eu", "report")
    's3://KEY:SECRET@bucket/out/report?region=eu'
    >>> join_address("/data/out", "report")
    '/data/out/report'
    """
    place, mark, query = address.partition("?") if "://" in address else (address, "", "")
    return f"{place.rstrip('/')}/{path}{mark}{query}"


def quote_address(address: str) -> str:
    """The address as a word of a shell command that no option is.

    >>> quote_address("out"), quote_address("my out"), quote_address("-out")
    ('out', "'my out'", './-out')
    """
    return shlex.quote(f"./{address}" if address.startswith("-") else address)


def name_folder(uri: str, otherwise: str = "") -> str:
    """The last part of a path or URI, without keys and query; ``otherwise`` for a path without a name, such as ``..``.

    >>> name_folder("/data/out/"), name_folder("s3://KEY:SECRET@bucket/a/out?region=eu"), name_folder("s3://K:S@b")
    ('out', 'out', 'b')
    >>> name_folder("../.."), name_folder(".", otherwise="Frames")
    ('../..', 'Frames')
    """
    place = strip_secrets(uri).partition("?")[0] if "://" in uri else uri
    name = PurePosixPath(place.rstrip("/")).name
    return name if name.strip(".") else otherwise or place


def redact_text(text: str) -> str:
    """A text with every address in it redacted.

    >>> redact_text("cannot reach s3://KEY:SECRET@bucket/x: timeout")
    'cannot reach s3://***@bucket/x: timeout'
    """
    return _ADDRESS.sub(lambda match: redact_address(match[0]), text) if "://" in text else text


def _replace(address: str, mark: str) -> str:
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    # Keys may hold slashes that nobody escaped: everything before the last @ is theirs.
    place, has_query, query = rest.partition("?")
    user, at, host = place.rpartition("@")
    if at and (":" in user or "/" in user or scheme.startswith("s3")):  # elsewhere a name alone is no secret
        user = mark
    pairs = []
    for pair in query.split("&"):
        name, equals, _value = pair.partition("=")
        if not (equals and _SECRET_NAME.search(name)):
            pairs.append(pair)
        elif mark:
            pairs.append(f"{name}={mark}")
    return f"{scheme}://{user}{'@' if user else ''}{host}" + (f"?{'&'.join(pairs)}" if has_query and pairs else "")
