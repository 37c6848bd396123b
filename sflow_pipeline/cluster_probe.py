"""Probe of a cluster's address: whether Ray answers there. Ray itself tries a wrong one for minutes."""

import os
import re
import socket

_TIMEOUT_S = 10.0
_ADDRESS = re.compile(r"(?P<client>ray://)?\[?(?P<host>[^/\]]+?)\]?:(?P<port>\d{1,5})")
#: A client's first bytes in HTTP/2, which gRPC speaks, and the start of what every server answers: a SETTINGS frame.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_BYTES, _TYPE_BYTE, _SETTINGS = 9, 3, 4
_CHECK = "/ray.rpc.NodeInfoGcsService/CheckAlive"


def probe_cluster(address: str) -> None:
    """Ask an address of the form ``host:port`` or ``ray://host:port`` whether it is Ray's; others are not asked.

    Raises:
        OSError: nothing answers there, or not as Ray does.
    """
    if address.startswith(("http://", "https://")):
        raise ConnectionError("it is a dashboard's, for `ray job submit`: use HOST:6379 inside the cluster")
    matched = _ADDRESS.fullmatch(address)
    if matched is None:
        return
    place = matched["host"], int(matched["port"])
    with socket.create_connection(place, _TIMEOUT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
            return
        connection.settimeout(_TIMEOUT_S)
        connection.sendall(_PREFACE)
        answer = b""
        try:
            while len(answer) < _FRAME_BYTES and (data := connection.recv(_FRAME_BYTES)):
                answer += data
        except TimeoutError:
            raise TimeoutError(f"its port is open and silent for {_TIMEOUT_S:.0f} s, as no port of Ray is") from None
    if len(answer) < _FRAME_BYTES or answer[_TYPE_BYTE] != _SETTINGS:
        raise ConnectionError("another program than Ray answers there")
    _check_service(address.removeprefix("ray://"), is_client=matched["client"] is not None)


def _check_service(target: str, *, is_client: bool) -> None:
    """Tell Ray's own port, by default 6379, from that of its clients, 10001, and from other programs' with gRPC."""
    try:
        import grpc  # comes with Ray's clients and its dashboard
    except ImportError:
        return
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(_CHECK)(b"", timeout=_TIMEOUT_S)
            is_gcs = True
        except grpc.RpcError as error:
            is_gcs = error.code() is not grpc.StatusCode.UNIMPLEMENTED  # other errors, such as of a token, are Ray's
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise ConnectionError(f"it answers, but not to a call: {error.code().name.lower()}") from None
    if is_gcs and is_client:
        raise ConnectionError(f"it is Ray's own port, not that of clients: use {target}, or ray:// with port 10001")
    if not is_gcs and not is_client:
        raise ConnectionError(f"it is not Ray's own port: use ray://{target} if it is that of clients")
