"""The column table: every column of a dataset row, and everything that differs from column to column.

Schema, job field, help text, index, plain folder layout, resize rules, size estimate and ``Sample`` are derived from
it. A carried column (one that a dump may have and that travels unchanged) is one entry here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: Endings of files that hold an encoded picture.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_PLANE_FILES = (".png", ".npy", ".npz", ".exr", ".tif", ".tiff", ".flo", ".pfm")


@dataclass(frozen=True)
class Column:
    """One column of a dataset row.

    Attributes:
        name: of the column; of a carried one also the modality of ``FrameRef``.
        holds: ``picture``: an RGB file; ``plane``: a file with numbers per pixel; ``file``: any other file; ``text``:
            UTF-8 text, JSON in general; otherwise a value: its Arrow type, ``alpha`` being five float32.
        group: ``identity``: names the row; ``content``: files and texts; ``origin``: how the row was made; ``score``:
            a measurement of the image.
        required: every row has it.
        optional: a job may leave it out.
        carried: copied from the dump.
        folder: folder of its files in the plain layout; empty where that layout cannot hold it.
        suffixes: file name endings in that folder.
        resizes: endings of the files that keep their meaning when resized by nearest pixel.
        is_motion: values are offsets in pixels, which scale with the size.
        better: which values of a score are better.
        bytes_per_pixel: size in a dataset, an upper estimate from noisy pictures.
    """

    name: str
    holds: Literal["picture", "plane", "file", "text", "string", "int32", "int64", "float32", "alpha"]
    group: Literal["identity", "content", "origin", "score"] = "content"
    required: bool = False
    optional: bool = False
    carried: bool = False
    folder: str = ""
    suffixes: tuple[str, ...] = ()
    resizes: tuple[str, ...] = ()
    is_motion: bool = False
    better: Literal["higher", "lower"] = "higher"
    bytes_per_pixel: float = 0.0

    @property
    def is_file(self) -> bool:
        """Whether rows hold a file: ``{bytes, path}``."""
        return self.holds in ("picture", "plane", "file")

    @property
    def has_pixels(self) -> bool:
        """Whether its files have the size of the frame."""
        return self.holds in ("picture", "plane")


def _carried_plane(name: str, resizes: tuple[str, ...], bytes_per_pixel: float, *, is_motion: bool = False) -> Column:
    return Column(
        name, "plane", optional=True, carried=True, folder=name, suffixes=_PLANE_FILES, resizes=resizes,
        is_motion=is_motion, bytes_per_pixel=bytes_per_pixel,
    )  # fmt: skip


def _value(name: str, holds: Literal["string", "int32", "int64", "float32", "alpha"]) -> Column:
    return Column(name, holds, "origin", required=True)


#: In the order of the row.
COLUMNS = (
    Column("sample_id", "string", "identity", required=True),
    Column("sequence_id", "string", "identity", required=True),
    Column("frame_index", "int64", "identity", required=True),
    Column("variant", "int32", "identity", required=True),
    Column("split", "string", "identity", required=True),
    Column("image", "picture", required=True, bytes_per_pixel=1.6),
    Column(
        "label", "plane", required=True, carried=True, folder="semantic", suffixes=PICTURE_SUFFIXES,
        resizes=(".png",), bytes_per_pixel=0.1,
    ),
    Column("label_table", "text", optional=True, carried=True, bytes_per_pixel=0.3),
    _carried_plane("instance", (".png", ".npy"), 0.3),
    _carried_plane("depth", (".png", ".npy"), 2.0),
    # Flow in pictures is encoded in one of many ways, with a scale and an offset that the file does not state.
    _carried_plane("flow", (".npy",), 4.0, is_motion=True),
    _carried_plane("occlusion", (".png", ".npy"), 0.3),
    Column(
        "boxes", "text", optional=True, carried=True, folder="boxes", suffixes=(".json",), bytes_per_pixel=0.3
    ),
    Column("boxes_file", "file", optional=True, carried=True, bytes_per_pixel=0.3),
    Column(
        "camera", "text", optional=True, carried=True, folder="camera", suffixes=(".json",), bytes_per_pixel=0.3
    ),
    Column(
        "render", "picture", optional=True, carried=True, folder="rgb", suffixes=PICTURE_SUFFIXES, bytes_per_pixel=1.6
    ),
    Column("edge", "plane", optional=True, bytes_per_pixel=0.3),
    _value("source_uri", "string"),
    _value("source_sha256", "string"),
    _value("label_sha256", "string"),
    _value("width_px", "int32"),
    _value("height_px", "int32"),
    _value("alpha", "alpha"),
    Column("palette", "int32", "origin"),
    Column("appearance", "float32", "origin"),
    Column("photo_colors", "float32", "origin"),
    Column("smooth", "float32", "origin"),
    Column("shifts", "int32", "origin"),
    _value("seed", "int64"),
    _value("bundle_digest", "string"),
    Column("attempts", "int32", "origin"),
    Column("edge_f1", "float32", "score", required=True),
    Column("boundary_f1", "float32", "score"),
    Column("clipped", "float32", "score", better="lower"),
    Column("pixel_accuracy", "float32", "score"),
    Column("miou", "float32", "score"),
    Column("rare_recall", "float32", "score"),
    Column("unfamiliar", "float32", "score", better="lower"),
    Column("render_pixel_accuracy", "float32", "score"),
    Column("render_miou", "float32", "score"),
    Column("weakest_class", "string", "score"),
    Column("failed_checks", "string", "score"),
)  # fmt: skip

BY_NAME = {column.name: column for column in COLUMNS}
IDENTITY_COLUMNS = tuple(column.name for column in COLUMNS if column.group == "identity")
#: Files and texts.
CONTENT_COLUMNS = tuple(column.name for column in COLUMNS if column.group == "content")
SCORE_COLUMNS = tuple(column.name for column in COLUMNS if column.group == "score")
#: What a job may include or leave out; the rest is in every row.
OPTIONAL_COLUMNS = tuple(column.name for column in COLUMNS if column.optional)
#: Optional columns that a user chooses among; a label table is never left out, because labels need it.
CHOSEN_COLUMNS = tuple(name for name in OPTIONAL_COLUMNS if name != "label_table")
FILE_COLUMNS = tuple(column.name for column in COLUMNS if column.is_file)
TEXT_COLUMNS = tuple(column.name for column in COLUMNS if column.holds == "text")
#: Kinds of files that a frame of a dump may have; the first two are required.
MODALITIES = ("render", "label", *(c.name for c in COLUMNS if c.carried and c.name not in ("render", "label")))


def estimate_row_bytes(size_px: tuple[int, int], columns: Iterable[str]) -> int:
    """Bytes of one row, an upper estimate.

    Args:
        size_px: (width, height) of the pictures.
        columns: the optional columns; image and label are in every row.

    >>> estimate_row_bytes((1000, 1000), ["edge"])
    2000000
    """
    per_pixel = sum(BY_NAME[name].bytes_per_pixel for name in ("image", "label", *columns))
    return round(size_px[0] * size_px[1] * per_pixel)


def is_picture(name: str) -> bool:
    """Whether a file has a picture's ending.

    >>> is_picture("0007.PNG"), is_picture("0007.json")
    (True, False)
    """
    return name.lower().endswith(PICTURE_SUFFIXES)
