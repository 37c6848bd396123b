"""Decoding of one frame: model inputs and row contents from its files, with every check of a single frame."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.columns import BY_NAME, FILE_COLUMNS, TEXT_COLUMNS, is_picture
from sflow_pipeline.conversion.frame.region_picture import draw_regions
from sflow_pipeline.conversion.frame.source_reading import compute_read_digest, read_frame_files
from sflow_pipeline.conversion.frame_content import check_content, has_one_color
from sflow_pipeline.conversion.resize import load_array, resize_carried, resize_nearest, resize_picture
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import FrameError
from sflow_pipeline.frames import FrameRef
from sflow_pipeline.label_spaces import UNMAPPED, LabelEncoding
from sflow_pipeline.storage import image_codec
from sflow_pipeline.storage.image_header import read_header
from sflow_pipeline.storage.instance_codec import decode_instance


@dataclass(slots=True)
class DecodedFrame:
    """A frame ready for the model.

    Attributes:
        ref: identity and paths.
        render: (h, w, 3) uint8 RGB, of the output's size; drawn from the label where there is no picture, or a blank
            one that images do not follow.
        label_bytes: the label file: untouched, or of the output's size.
        class_index: (h, w) uint8 channels of the bundle's label space.
        instance_map: (h, w) numbers that tell objects apart, where the bundle paints from them or variants differ in
            the paint of vehicles.
        files: optional file columns -> bytes to write.
        texts: optional text columns -> text to write.
        source_sha256, label_sha256: of the files ``ref.source`` and ``ref.label``.
        motion: (h, w, 2) px to the next frame, NaN where it is not known, where images are smoothed along it.
        has_render: ``render`` is the simulator's.
    """

    ref: FrameRef
    render: NDArray[np.uint8]
    label_bytes: bytes
    class_index: NDArray[np.uint8]
    files: dict[str, bytes]
    texts: dict[str, str]
    source_sha256: str
    label_sha256: str
    instance_map: NDArray[np.int64] | None = None
    motion: NDArray[np.float32] | None = None
    has_render: bool = True


def decode_frame(source: SourceFrame, settings: ConversionSettings) -> DecodedFrame:
    """Read, check and decode one frame.

    Raises:
        FrameError: it cannot be converted; the reason is for the quarantine.
    """
    files = read_frame_files(source, settings.source, by_content=settings.job.content_hash)
    try:
        return _decode_files(source, files, settings)
    except FrameError as error:
        error.read_digest = compute_read_digest(files)
        raise


def _decode_files(source: SourceFrame, data: Mapping[str, bytes], settings: ConversionSettings) -> DecodedFrame:
    ref = source.ref
    render = image_codec.decode_rgb(data["render"], name=ref.render) if ref.render else None
    source_px = image_codec.read_size_px(data["label"], name=ref.label) if render is None else _get_size_px(render)
    picture = _name_picture(ref)
    label_map = settings.label_format.read_for_network(
        data["label"], data.get("label_table"), ref.label, source_px, picture
    )
    check_content(
        render,
        label_map,
        settings.void_ids,
        (ref.source, ref.label),
        most_void=settings.most_void,
        follows_render=settings.appearance != 0,
    )
    is_drawn = render is None or (settings.has_blank_renders and has_one_color(render))
    _check_carried(data, source, source_px, settings)
    class_index = _to_channels(label_map, ref.label, settings)
    instance_map: NDArray[np.int64] | None = None
    if settings.use_instances and "instance" not in data:
        raise FrameError(
            f"{ref.source}: has no instance file, and the bundle paints from instance boundaries",
            hint="render instances too, or use a bundle that was trained without",
            reason="no_instance",
        )
    if "instance" in data and (settings.use_instances or settings.repaints_vehicles or is_drawn):
        instance_map = decode_instance(data["instance"], name=str(ref.instance))
    motion = _decode_motion(data, ref, settings, (source_px[1], source_px[0]))
    label_bytes = data["label"]
    digests = (hashlib.sha256(data.get("render", label_bytes)).hexdigest(), hashlib.sha256(label_bytes).hexdigest())
    files = {name: data[name] for name in FILE_COLUMNS if name in data and name in settings.columns}
    size_px = settings.job.size
    if size_px is not None and size_px != source_px:
        if is_drawn:
            label_map = resize_nearest(label_map, size_px)
        if render is not None:
            render = resize_picture(render, size_px)
        label_bytes = resize_label(label_bytes, ref.label, settings.label_format.encoding, size_px)
        class_index = resize_nearest(class_index, size_px)
        instance_map = None if instance_map is None else resize_nearest(instance_map, size_px)
        for name, content in list(files.items()):
            if not BY_NAME[name].has_pixels:
                continue
            path = str(getattr(ref, name))
            files[name] = (
                image_codec.encode_rgb(render)
                if name == "render" and render is not None
                else resize_carried(content, name, path, size_px)
            )
    _check_exact({"label": label_bytes, **files}, ref, settings)
    texts = {
        name: _decode_text(data[name], str(getattr(ref, name)))
        for name in TEXT_COLUMNS
        if name in data and name in settings.columns
    }
    if render is None or is_drawn:
        render = draw_regions(label_map, instance_map)
    return DecodedFrame(
        ref, render, label_bytes, class_index, files, texts, *digests, instance_map, motion, has_render=not is_drawn
    )


def _get_size_px(picture: NDArray[np.uint8]) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


def _name_picture(ref: FrameRef) -> str:
    """The file whose size all files of a frame have, for errors."""
    return f"its picture {ref.render}" if ref.render else f"its label {ref.label}"


def _decode_motion(
    data: Mapping[str, bytes], ref: FrameRef, settings: ConversionSettings, shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """The motion to the next frame at the output's size; None without a flow file, or where nothing is smoothed."""
    motion = None if settings.motion is None else settings.motion.decode(data, ref, shape)
    size_px = settings.job.size
    if motion is None or size_px is None or size_px == (shape[1], shape[0]):
        return motion
    ratio = np.array([size_px[0] / shape[1], size_px[1] / shape[0]], np.float32)
    return resize_nearest(motion, size_px) * ratio


def resize_label(data: bytes, path: str, encoding: LabelEncoding, size_px: tuple[int, int]) -> bytes:
    """The label file that a row holds when its size is not the source's: encoded as the source is, nearest pixels."""
    if encoding not in ("ids", "palette"):  # other channels hold instances, or part of an id
        return image_codec.encode_plane(resize_nearest(image_codec.decode_plane(data, name=path), size_px))
    plane = image_codec.decode_label(data, encoding, name=path)
    return image_codec.encode_label(resize_nearest(plane, size_px))


def _to_channels(
    label_map: NDArray[np.uint16] | NDArray[np.uint8], path: str, settings: ConversionSettings
) -> NDArray[np.uint8]:
    channels: NDArray[np.uint8] = settings.channel_table[label_map]
    if int(channels.max()) == UNMAPPED:
        unknown = settings.mapping.find_unmapped(label_map)
        share = sum(unknown.values()) / label_map.size
        raise FrameError(
            f"{path}: ids {', '.join(map(str, unknown))} on {share:.2%} of the pixels are not in label space "
            f"{settings.source_space.name}",
            hint="name the label space that the labels follow with --label-space, or convert with --unknown-ids ignore",
            reason="unknown_id",
        )
    return channels


def _check_carried(
    data: Mapping[str, bytes], source: SourceFrame, source_px: tuple[int, int], settings: ConversionSettings
) -> None:
    """Pictures that travel along must have the frame's size; depth must be a number, unless NaN means something."""
    for modality, content in data.items():
        path = str(getattr(source.ref, modality))
        if modality in ("render", "label") or not BY_NAME[modality].has_pixels:
            continue
        if is_picture(path):
            size_px = image_codec.read_size_px(content, name=path)
        elif path.lower().endswith(".npy"):
            array = load_array(content, path)
            size_px = (array.shape[1], array.shape[0])
            numbers_wanted = modality == "depth" and array.dtype.kind == "f" and not settings.allow_nan_depth
            if numbers_wanted and bool(np.isnan(array).any()):
                raise FrameError(
                    f"{path}: depth is not a number on {np.isnan(array).mean():.2%} of the pixels",
                    hint="write infinity where there is nothing, or leave depth out with --include",
                    reason="nan_depth",
                )
        else:
            continue
        image_codec.check_size(size_px, source_px, name=path, picture=_name_picture(source.ref))


def _check_exact(written: Mapping[str, bytes], ref: FrameRef, settings: ConversionSettings) -> None:
    """Refuse files whose numbers `datasets` would change, in columns that it decodes as pictures.

    There are none unless files changed after labels were counted, which chooses the columns.
    """
    for name in written.keys() & set(settings.picture_columns):
        content = written[name]
        path = str(getattr(ref, name))
        header = read_header(content, name=path)
        if not header.is_exact_as_picture:
            kind = "grey" if header.channels < 3 else "colour"
            raise FrameError(
                f"{path}: {header.bits}-bit {kind} among {name} files that libraries for pictures decode exactly; of "
                "this one they would change the numbers",
                hint="run again: the column then holds bytes, which nothing changes",
                reason="other_bit_depth",
            )


def _decode_text(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError(
            f"{path}: not text in UTF-8", hint="write JSON, or leave the column out with --include", reason="unreadable"
        ) from None
