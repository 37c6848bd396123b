"""Header of a WebP file: size, and whether the file is whole."""

import struct

#: Bytes that hold the size in every kind of WebP.
HEAD_BYTES = 30
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F
_ALPHA_BIT = 0x10


def is_webp(data: bytes | memoryview) -> bool:
    """Whether a file says that it is WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp_size_px(data: bytes | memoryview) -> tuple[int, int, bool] | None:
    """(width, height, has alpha) of a WebP file of at least ``HEAD_BYTES``; None where its header makes no sense.

    Source: https://developers.google.com/speed/webp/docs/riff_container
    """
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height, bool(data[20] & _ALPHA_BIT)
    if kind == b"VP8 " and data[23:26] == _LOSSY_START:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF, False
    if kind == b"VP8L" and data[20] == _LOSSLESS_START:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    return None


def is_webp_whole(data: bytes | memoryview) -> bool:
    """Whether a WebP file has all the bytes that its header states.

    >>> is_webp_whole(b"RIFF" + struct.pack("<I", 4) + b"WEBP"), is_webp_whole(b"RIFF" + struct.pack("<I", 9) + b"WEBP")
    (True, False)
    """
    return 8 + int(struct.unpack_from("<I", data, 4)[0]) <= len(data)
