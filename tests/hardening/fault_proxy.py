"""A proxy in front of an object store that answers badly: errors of the server, slowly, not at all, or hangs up."""

import random
import socket
import threading
import time
from contextlib import suppress

FAULTS = ("500", "503", "slow", "silent", "reset", "outage")
_SILENCE_S = 20.0
#: Others meet a quarter of the requests; each of these costs its client some seconds.
_SHARES = {"silent": 0.05}
_REASONS = {"500": "Internal Server Error", "503": "Slow Down"}
_CODES = {"500": "InternalError", "503": "SlowDown"}


def serve(listener: socket.socket, store: tuple[str, int], fault: str, seed: int, share: float = 0.25) -> None:
    """Pass connections on to ``store`` for ever; ``share`` of the requests meet the fault, drawn from the seed.

    ``outage`` begins with some request and does not end: every answer is a 503.
    """
    draw = random.Random(seed)
    state = _State(fault, draw, _SHARES.get(fault, share) if fault else 0.0)
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
    with suppress(OSError), client, socket.create_connection(store) as server:
        while head := _read_head(client):
            length = _find_length(head)
            if b"100-continue" in head.lower():
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))
            body = _read_exactly(client, length)
            fault = state.next_fault()
            if fault == "reset":
                return
            if fault == "silent":
                time.sleep(_SILENCE_S)
                return
            if fault == "slow":
                time.sleep(0.4)
            if fault in _REASONS:
                client.sendall(_refuse(fault))
                continue
            server.sendall(head + body)
            _copy_answer(server, client, is_head=head.startswith(b"HEAD"))


def _refuse(fault: str) -> bytes:
    text = f"<Error><Code>{_CODES[fault]}</Code><Message>{_REASONS[fault]}</Message></Error>".encode()
    return (
        f"HTTP/1.1 {fault} {_REASONS[fault]}\r\nContent-Type: application/xml\r\nContent-Length: {len(text)}\r\n\r\n"
    ).encode() + text


def _read_head(stream: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _find_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _read_exactly(stream: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = stream.recv(min(length, 1 << 16))
        if not part:
            raise OSError("the connection ended within a message")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _copy_answer(server: socket.socket, client: socket.socket, *, is_head: bool) -> None:
    head = _read_head(server)
    has_body = not is_head and not head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304"))
    client.sendall(head + (_read_exactly(server, _find_length(head)) if has_body else b""))
