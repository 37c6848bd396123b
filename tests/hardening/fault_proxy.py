"""A proxy in front of an object store that answers badly: errors of the server, slowly, not at all, or hangs up."""

import random
import socket
import threading
import time
from contextlib import suppress
from typing import BinaryIO

FAULTS = ("500", "503", "slow", "silent", "reset", "outage")
_SILENCE_S = 20.0
_SLOW_S = 0.15
#: Of all requests, of which a run makes some hundreds: a refusal costs its client a tenth of a second, an answer that
#: does not come ten seconds.
_SHARES = {"silent": 0.01}
_SHARE = 0.25
_REASONS = {"500": "Internal Server Error", "503": "Slow Down"}
_CODES = {"500": "InternalError", "503": "SlowDown"}


def serve(listener: socket.socket, store: tuple[str, int], fault: str, seed: int) -> None:
    """Pass connections on to ``store`` for ever; a share of the requests meets the fault, drawn from the seed.

    ``outage`` begins with some request and does not end: every answer is a 503.
    """
    draw = random.Random(seed)
    state = _State(fault, draw, _SHARES.get(fault, _SHARE) if fault else 0.0)
    while True:
        client, _address = listener.accept()
        threading.Thread(target=_pass_on, args=(client, store, state), daemon=True).start()


class _State:
    def __init__(self, fault: str, draw: random.Random, share: float) -> None:
        self._fault, self._draw, self._share = fault, draw, share
        self._lock = threading.Lock()
        self._begins = draw.randrange(5, 60)
        self._requests = 0

    def next_fault(self) -> str:
        """What happens to the next request; nothing where empty."""
        with self._lock:
            self._requests += 1
            if self._fault == "outage":
                return "503" if self._requests >= self._begins else ""
            return self._fault if self._draw.random() < self._share else ""


def _pass_on(client: socket.socket, store: tuple[str, int], state: _State) -> None:
    """One connection, request by request."""
    with (
        suppress(OSError),
        client,
        client.makefile("rb") as requests,
        socket.create_connection(store) as server,
        server.makefile("rb") as answers,
    ):
        while head := _read_head(requests):
            if b"100-continue" in head.lower():
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
            body = _read_body(requests, head)
            fault = state.next_fault()
            if fault == "reset":
                return
            if fault == "silent":
                time.sleep(_SILENCE_S)
                return
            if fault == "slow":
                time.sleep(_SLOW_S)
            if fault in _REASONS:
                client.sendall(_refuse(fault))
                continue
            server.sendall(head + body)
            answer = _read_head(answers)
            has_body = not head.startswith(b"HEAD") and not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304"))
            client.sendall(answer + (_read_body(answers, answer) if has_body else b""))
            if b"connection: close" in answer.lower():
                return


def _refuse(fault: str) -> bytes:
    text = f"<Error><Code>{_CODES[fault]}</Code><Message>{_REASONS[fault]}</Message></Error>".encode()
    return (
        f"HTTP/1.1 {fault} {_REASONS[fault]}\r\nContent-Type: application/xml\r\nContent-Length: {len(text)}\r\n\r\n"
    ).encode() + text


def _read_head(stream: BinaryIO) -> bytes:
    """Up to and with the empty line; nothing at the end of the connection."""
    lines = []
    while (line := stream.readline()) != b"\r\n":
        if not line:
            return b""
        lines.append(line)
    return b"".join((*lines, b"\r\n"))


def _read_body(stream: BinaryIO, head: bytes) -> bytes:
    """The body as it is sent: of a stated length, or in chunks, as clients put objects."""
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"chunked" not in fields.get(b"transfer-encoding", b""):
        return _read_exactly(stream, int(fields.get(b"content-length", b"0")))
    parts = []
    while True:
        size = stream.readline()
        length = int(size.split(b";")[0], 16)
        parts.append(size)
        if length == 0:
            break
        parts.append(_read_exactly(stream, length + 2))
    while (trailer := stream.readline()) not in (b"\r\n", b""):
        parts.append(trailer)
    return b"".join((*parts, b"\r\n"))


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise OSError("the connection ended within a message")
    return data
