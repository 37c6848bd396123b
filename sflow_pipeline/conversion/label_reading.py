"""From a label file's bytes to class ids of the dump's label space, whichever way the pixels hold them."""

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelSpace, PaletteReading, from_colors, from_table
from sflow_pipeline.simulators import LabelEncoding, read_label_table
from sflow_pipeline.storage import image_codec


def read_label(
    data: bytes, table: bytes | None, *, encoding: LabelEncoding, space: LabelSpace, simulator: str, path: str
) -> PaletteReading:
    """Decode a label file.

    Args:
        data: the file.
        table: the frame's label table, where ``encoding`` is ``table``.
        encoding: how pixels hold ids.
        space: the dump's label space.
        simulator: whose tables they are.
        path: what to call the file in errors.

    Returns:
        (h, w) uint8 or uint16 ids, colours that no class has as 65535, and those colours.

    Raises:
        FrameError: as ``image_codec.decode_label``; ``missing`` or ``unreadable`` for the table.
    """
    label = image_codec.decode_label(data, encoding, name=path)
    if encoding == "palette":
        return from_colors(label, space)
    if encoding == "table":
        if table is None:
            raise FrameError(
                f"{path}: nothing says what its colours mean", hint="restore its label table", reason="missing"
            )
        return from_table(label, read_label_table(simulator, table, path), space)
    return PaletteReading(label, {})
