"""Stream of a shard's decoded frames: decoded ahead of their use, cut into batches, with those that follow."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import chain, islice

from sflow_pipeline.conversion.frame.decode import DecodedFrame, decode_frame
from sflow_pipeline.conversion.painting.fatal_errors import reraise_fatal
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard_task import SetAside, ShardTask
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.errors import FrameError

#: A frame, decoded, or the error that decoding it raised.
Decoded = tuple[SourceFrame, DecodedFrame | Exception]


def decode_ahead(task: ShardTask, depth: int, submit: Callable[..., Future[DecodedFrame]]) -> Iterator[Decoded]:
    """Decode a shard's frames and neighbours in order, ``depth`` of them ahead of their use.

    Args:
        task: the shard.
        depth: how many.
        submit: runs a function on its arguments and the settings, later.
    """
    decoding: deque[tuple[SourceFrame, Future[DecodedFrame]]] = deque()
    waiting = task.read_frames
    while True:
        while len(decoding) <= depth and (frame := next(waiting, None)) is not None:
            decoding.append((frame, submit(_decode, frame, task.set_aside.get(frame.ref.sample_id))))
        if not decoding:
            return
        frame, future = decoding.popleft()
        try:
            yield frame, future.result()
        except Exception as error:  # noqa: BLE001  a fault of the frame or of the code: the other frames go on
            reraise_fatal(error)
            yield frame, error


def cut_batches(frames: Iterable[Decoded], batch_size: int) -> Iterator[list[Decoded]]:
    """Group frames in order: at most ``batch_size`` decoded ones of one size; failed ones keep their place."""
    batch: list[Decoded] = []
    shapes: list[tuple[int, ...]] = []
    for source, decoded in frames:
        shape = decoded.class_index.shape if isinstance(decoded, DecodedFrame) else None
        if shape is not None and shapes and (len(shapes) == batch_size or shape != shapes[0]):
            yield batch
            batch, shapes = [], []
        batch.append((source, decoded))
        if shape is not None:
            shapes.append(shape)
    if batch:
        yield batch


def look_ahead(
    batches: Iterable[list[Decoded]], after: Iterable[DecodedFrame], count: int
) -> Iterator[tuple[list[Decoded], list[DecodedFrame]]]:
    """Each batch with the frames that follow it, ``count`` or more, those ``after`` the last batch among them."""
    waiting: deque[list[Decoded]] = deque()

    def list_following() -> list[DecodedFrame]:
        later = chain.from_iterable(islice(waiting, 1, None))
        return [decoded for _, decoded in later if isinstance(decoded, DecodedFrame)]

    for batch in batches:
        waiting.append(batch)
        while waiting and len(following := list_following()) >= count:
            yield waiting.popleft(), following
    rest = list(after)
    while waiting:
        following = [*list_following(), *rest]
        yield waiting.popleft(), following


def keep_decoded(frames: Iterable[Decoded], on_fault: Callable[[str, str], None]) -> Iterator[DecodedFrame]:
    """The neighbours that could be decoded."""
    for source, decoded in frames:
        if isinstance(decoded, DecodedFrame):
            yield decoded
        elif isinstance(decoded, FrameError) and decoded.read_digest is not None:
            on_fault(source.ref.sample_id, decoded.read_digest)


def _decode(frame: SourceFrame, why: SetAside | None, settings: ConversionSettings) -> DecodedFrame:
    if why is not None:
        raise FrameError(why.message, hint=why.hint, reason=why.reason)
    return decode_frame(frame, settings)
