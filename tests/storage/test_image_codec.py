"""Image bytes against independently built files: nothing changes a label value, nothing half-written passes."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from sflow_pipeline.errors import FrameError
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.image_header import read_palette


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def _png(width: int, height: int, bits: int, color_type: int, rows: list[bytes], extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_rgb_order_matches_opencv(picture: np.ndarray) -> None:
    from_opencv = cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
    np.testing.assert_array_equal(image_codec.decode_rgb(from_opencv), picture)
    np.testing.assert_array_equal(image_codec.decode_rgb(image_codec.encode_rgb(picture)), picture)


def test_encoding_is_deterministic_and_smaller_than_raw(picture: np.ndarray) -> None:
    smooth = cv2.GaussianBlur(picture, (0, 0), 6)
    assert image_codec.encode_rgb(smooth) == image_codec.encode_rgb(smooth.copy())
    assert len(image_codec.encode_rgb(smooth)) < 0.8 * smooth.nbytes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_ids_survive(dtype: type) -> None:
    label_map = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (31, 17)).astype(dtype)
    decoded = image_codec.decode_label(image_codec.encode_label(label_map), "ids")
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, label_map)


def test_indexed_label_returns_indices_even_when_colors_repeat() -> None:
    palette = _chunk(b"PLTE", bytes([10, 20, 30] * 4))
    data = _png(4, 2, 8, 3, [b"\x00\x01\x02\x03", b"\x03\x03\x00\x01"], palette)
    assert image_codec.decode_label(data, "ids").tolist() == [[0, 1, 2, 3], [3, 3, 0, 1]]
    assert image_codec.decode_label(data, "palette")[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("bits", "row"), [(1, b"\xa0"), (2, b"\x1b"), (4, b"\x01\x2f")])
@pytest.mark.parametrize("color_type", [0, 3])
def test_narrow_samples_are_not_scaled(bits: int, row: bytes, color_type: int) -> None:
    extra = _chunk(b"PLTE", bytes(range(3 * 2**bits))) if color_type == 3 else b""
    expected = {1: [1, 0, 1, 0], 2: [0, 1, 2, 3], 4: [0, 1, 2, 15]}[bits]
    assert image_codec.decode_label(_png(4, 1, bits, color_type, [row], extra), "ids").tolist() == [expected]


def test_transparency_does_not_change_ids() -> None:
    data = _png(3, 1, 8, 0, [b"\x00\x01\x02"], _chunk(b"tRNS", b"\0\1"))
    assert image_codec.decode_label(data, "ids").tolist() == [[0, 1, 2]]


def test_red_channel() -> None:
    bgra = np.zeros((2, 2, 4), np.uint8)
    bgra[..., 2] = [[1, 2], [3, 22]]
    bgra[..., 0] = 99
    data = cv2.imencode(".png", bgra)[1].tobytes()
    assert image_codec.decode_label(data, "red_channel").tolist() == [[1, 2], [3, 22]]


def test_color_where_ids_were_expected(picture: np.ndarray) -> None:
    with pytest.raises(FrameError) as caught:
        image_codec.decode_label(image_codec.encode_rgb(picture), "ids", name="a/semantic/1.png")
    assert caught.value.reason == "wrong_label_depth"
    assert "a/semantic/1.png" in caught.value.message
    assert "red_channel" in caught.value.hint


def test_gray_where_colors_were_expected() -> None:
    with pytest.raises(FrameError) as caught:
        image_codec.decode_label(image_codec.encode_label(np.zeros((2, 2), np.uint16)), "palette")
    assert caught.value.reason == "wrong_label_depth"


@pytest.mark.parametrize("encoding", ["ids", "red_channel", "palette"])
def test_jpeg_labels_are_refused(picture: np.ndarray, encoding: str) -> None:
    with pytest.raises(FrameError) as caught:
        image_codec.decode_label(_jpeg(picture), encoding)  # type: ignore[arg-type]
    assert caught.value.reason == "jpeg_label"


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_every_truncation_is_noticed(picture: np.ndarray, kind: str) -> None:
    data = image_codec.encode_rgb(picture) if kind == "png" else _jpeg(picture)
    image_codec.decode_rgb(data)
    for cut in {0, 1, 5, 20, 100, len(data) // 2, len(data) - 13, len(data) - 2, len(data) - 1}:
        for part, check_first in ((data[:cut], True), (data[:cut], False), (memoryview(data)[:cut], False)):
            with pytest.raises(FrameError) as caught:
                image_codec.decode_rgb(part, check_first=check_first)
            assert caught.value.reason in ("truncated", "unreadable"), cut


def test_truncated_jpeg_with_a_whole_thumbnail(picture: np.ndarray) -> None:
    thumbnail = _jpeg(picture[:8, :8])
    data = _jpeg(picture)
    exif = b"Exif\0\0" + thumbnail
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert image_codec.decode_rgb(data).shape == picture.shape
    with pytest.raises(FrameError):
        image_codec.decode_rgb(data[: len(data) * 3 // 4])


def test_flipped_byte_in_png_is_noticed(picture: np.ndarray) -> None:
    data = bytearray(image_codec.encode_rgb(picture))
    data[len(data) // 2] ^= 0xFF
    for check_first in (True, False):
        with pytest.raises(FrameError, match="checksum"):
            image_codec.decode_rgb(bytes(data), check_first=check_first)


def test_bomb_is_refused_from_the_header() -> None:
    bomb = _png(100_000, 100_000, 8, 2, [])
    with pytest.raises(FrameError) as caught:
        image_codec.read_size_px(bomb)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("kind", [".png", ".jpg"])
def test_size_comes_from_the_header(picture: np.ndarray, kind: str) -> None:
    data = cv2.imencode(kind, picture)[1].tobytes()
    assert image_codec.read_size_px(data[:700] if kind == ".jpg" else data[:33]) == (64, 48)


def test_other_files_are_named_unreadable() -> None:
    with pytest.raises(FrameError) as caught:
        image_codec.decode_rgb(b"GIF89a....", name="x.gif")
    assert caught.value.reason == "unreadable"


def test_planes_keep_depth_and_channel_order() -> None:
    plane = np.random.default_rng(2).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    data = cv2.imencode(".png", plane[:, :, ::-1])[1].tobytes()
    np.testing.assert_array_equal(image_codec.decode_plane(data), plane)
    np.testing.assert_array_equal(image_codec.decode_plane(image_codec.encode_plane(plane)), plane)


def _webp(picture: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("options", "kind"), [({"lossless": True}, b"VP8L"), ({"quality": 80}, b"VP8 ")])
def test_webp_is_read_with_its_size(picture: np.ndarray, options: dict, kind: bytes) -> None:
    data = _webp(picture, **options)
    assert data[12:16] == kind
    assert image_codec.read_size_px(data) == (64, 48)
    np.testing.assert_array_equal(image_codec.decode_rgb(data), np.asarray(Image.open(io.BytesIO(data))))


def test_webp_with_transparency_or_metadata_is_read_with_its_size(picture: np.ndarray) -> None:
    transparent = np.concatenate([picture, np.full((48, 64, 1), 9, np.uint8)], axis=2)
    for data in (_webp(transparent, quality=80), _webp(picture, lossless=True, icc_profile=b"none")):
        assert data[12:16] == b"VP8X"
        assert image_codec.read_size_px(data) == (64, 48)
        assert image_codec.decode_rgb(data).shape == (48, 64, 3)


@pytest.mark.parametrize("kept", [12, 29, 40, -1])
def test_cut_webp_is_refused(picture: np.ndarray, kept: int) -> None:
    with pytest.raises(FrameError) as caught:
        image_codec.decode_rgb(_webp(picture, lossless=True)[:kept])
    assert caught.value.reason == "truncated"


def test_webp_that_claims_too_much_or_holds_no_frame_is_refused(picture: np.ndarray) -> None:
    data = bytearray(_webp(picture, lossless=True, icc_profile=b"none"))
    data[24:30] = b"\xff" * 6
    with pytest.raises(FrameError) as caught:
        image_codec.decode_rgb(bytes(data))
    assert caught.value.reason == "too_large"
    with pytest.raises(FrameError, match="without a frame header"):
        image_codec.decode_rgb(b"RIFF\x20\0\0\0WEBPJUNK" + bytes(24))


def test_webp_labels_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(FrameError, match="a WebP file") as caught:
        image_codec.decode_label(_webp(picture, lossless=True), "red_channel")
    assert caught.value.reason == "jpeg_label"


def test_a_palette_of_broken_length_is_none():
    def chunk(kind: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0))
    for palette, colors in ((b"\1\2\3", ((1, 2, 3),)), (b"\1\2\3\4", ())):
        data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"PLTE", palette) + chunk(b"IEND", b"")
        assert read_palette(data) == colors


def test_colours_of_label_tables_have_eight_bits():
    colors = np.array([[[1, 2, 3, 255]]], np.uint8)
    assert image_codec.decode_label(image_codec.encode_plane(colors), "table").tolist() == colors.tolist()
    with pytest.raises(FrameError, match="16-bit colour") as caught:
        image_codec.decode_label(image_codec.encode_plane(colors.astype(np.uint16) * 257), "table")
    assert caught.value.reason == "wrong_label_depth"
