"""Painting: translates frames with the looks drawn for them, judges, tries again with another where the gate asks."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle.own_vehicle import find_own_vehicle
from sflow_pipeline.conversion.frame.decode import DecodedFrame
from sflow_pipeline.conversion.gate.gate import Gate, Judgement
from sflow_pipeline.conversion.painting.fatal_errors import describe_shortage, reraise_fatal
from sflow_pipeline.conversion.painting.image_history import ImageHistory
from sflow_pipeline.conversion.painting.look import Look, draw_look, fit_look
from sflow_pipeline.conversion.painting.own_vehicle import apply_own_vehicle, decode_own_vehicle_mask
from sflow_pipeline.conversion.painting.rig import name_rig
from sflow_pipeline.conversion.painting.rig_colors import Measured, RigColors
from sflow_pipeline.conversion.painting.smoothing_window import SmoothingWindow, translate_each
from sflow_pipeline.conversion.painting.translator_factory import FrameTranslator, GraphedTranslator
from sflow_pipeline.conversion.painting.variant_colors import draw_light, relight, repaint_vehicles
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.networks.memory_shortage import is_out_of_memory

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation


@dataclass(frozen=True)
class Painted:
    """One converted image.

    Attributes:
        photo: (h, w, 3) uint8 RGB.
        edge: (h, w) uint8, the edges that it was asked to follow.
        look: what was drawn for it.
        judgement: of the gate.
        attempts: how often it was painted.
    """

    photo: NDArray[np.uint8]
    edge: NDArray[np.uint8]
    look: Look
    judgement: Judgement
    attempts: int


class Painter:
    """Paints batches of frames with one translator and one gate.

    Args:
        translator: the model, on its device.
        gate: judges the images.
        settings: of the conversion.
    """

    def __init__(self, translator: FrameTranslator, gate: Gate, settings: ConversionSettings) -> None:
        self.translator = translator
        self.gate = gate
        self._settings = settings
        #: Frames that are translated at once: fewer than the settings say where memory was short.
        self.batch_size = settings.batch_size
        self._history: ImageHistory | None = None
        self._measured_colors: Measured = {}
        #: Renders of the batch at hand in the light and paint of its variant, by frame and variant.
        self._varied: dict[tuple[str, int], NDArray[np.uint8]] = {}
        self._window: SmoothingWindow | None = None
        self._colors = RigColors({}, settings)

    @property
    def graph_failure(self) -> str | None:
        """Why a GPU runs the networks kernel by kernel and not as CUDA graphs; None elsewhere."""
        return self.translator.graph_failure if isinstance(self.translator, GraphedTranslator) else None

    @property
    def unread_samples(self) -> Set[str]:
        """Ids of frames on which colours of this shard's rigs were to be measured, and that could not be read."""
        return self._colors.unread

    def begin(self, task: ShardTask, before: Sequence[DecodedFrame] = ()) -> None:
        """Forget earlier images: a shard of the same run begins.

        Args:
            task: the shard; its frames are painted in order.
            before: its neighbours before it that could be decoded.
        """
        self._colors = RigColors(task.samples, self._settings, task.killers, self._measured_colors)
        if self._settings.use_previous:
            self._history = ImageHistory(task.neighbours.steps)
        motion = self._settings.motion
        if motion is not None:
            # On a CPU every core has a worker of its own; beside a GPU they are free.
            has_gpu = self._settings.device != "cpu"
            self._window = SmoothingWindow(motion, task.neighbours.steps, before, is_parallel=has_gpu)

    def paint(
        self, frames: Sequence[DecodedFrame], variant: int, following: Sequence[DecodedFrame] = ()
    ) -> list[Painted | Exception]:
        """One variant of each frame.

        Args:
            frames: of one size, at most ``batch_size`` of the settings.
            variant: its number.
            following: the frames after them, where images are smoothed.

        Returns:
            per frame an image, accepted or not after the last attempt, or the error that its translation raised.

        Raises:
            SflowError: a fault of the job and not of a frame, such as too little memory.
        """
        if self._window is not None:
            self._window.move_to(frames, following)
        results: dict[int, Painted | Exception] = {}
        pending = list(range(len(frames)))
        for attempt in range(1 + self.gate.retries):
            chosen = [frames[i] for i in pending]
            looks = [self._draw_look(frame, variant, attempt) for frame in chosen]
            results.update(zip(pending, self._try(chosen, looks, attempt + 1, variant), strict=True))
            pending = [i for i in pending if _is_rejected(results[i])]
            if not pending:
                break
        if self._history is not None:
            for i, frame in enumerate(frames):
                if isinstance(painted := results[i], Painted) and painted.judgement.is_accepted:
                    self._history.keep(painted.photo, frame, painted.look.identity, variant)
        return [results[i] for i in range(len(frames))]

    def _try(
        self, frames: list[DecodedFrame], looks: list[Look], attempts: int, variant: int
    ) -> list[Painted | Exception]:
        """Translate and judge frames in batches, halved from the first one on that memory is too short for."""
        results: list[Painted | Exception] = []
        while len(results) < len(frames):
            part = slice(len(results), len(results) + self.batch_size)
            try:
                results += self._try_batch(frames[part], looks[part], attempts, variant)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    raise describe_shortage(self._settings.device) from error
                if isinstance(self.translator, GraphedTranslator):
                    self.translator.drop_graphs()
                self.batch_size = (self.batch_size + 1) // 2
        return results

    def _try_batch(
        self, frames: list[DecodedFrame], looks: list[Look], attempts: int, variant: int
    ) -> list[Painted | Exception]:
        """Translate and judge a batch; if it fails, each frame alone, so that one bad frame costs itself only."""
        self._varied = {}
        try:
            if self._window is None:
                translation = self.translate(frames, looks, self._find_previous(frames, looks, variant))
            else:
                first = partial(self._draw_look, variant=variant, attempt=0)
                translate = partial(translate_each, self.translate, self.batch_size)
                translation = self._window.translate(frames, looks, variant, translate, first)
            translation = self._keep_own_vehicles(frames, looks, translation)
            # An image in another paint is no worse for it: it is compared with what it was made from.
            has_other_colors = any(look.number and look.appearance for look in looks)
            followed = (
                [self._vary(f, look) for f, look in zip(frames, looks, strict=True)] if has_other_colors else None
            )
            judgements = self.gate.judge(frames, translation, followed)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            reraise_fatal(error)
            if len(frames) == 1:
                return [error]
            pairs = zip(frames, looks, strict=True)
            return [self._try_batch([frame], [look], attempts, variant)[0] for frame, look in pairs]
        return [
            Painted(translation.photo[i], translation.edge[i], looks[i], judgements[i], attempts)
            for i in range(len(frames))
        ]

    def translate(
        self, frames: Sequence[DecodedFrame], looks: Sequence[Look], previous: NDArray[np.uint8] | None = None
    ) -> "Translation":
        """The images of a batch, as they come from the model.

        Args:
            previous: (1, 2, h, w, 3) the frame before and its image, for a bundle that paints one frame from the other.
        """
        # GPU kernels are chosen by shape: with one batch shape, a frame's image does not depend on its neighbours.
        count = len(frames) if self._settings.device == "cpu" else self.batch_size
        rows = [min(i, len(frames) - 1) for i in range(count)]
        instance_maps = [frames[i].instance_map for i in rows]
        palettes = [looks[i].palette for i in rows]
        translation = self.translator.translate(
            np.stack([frames[i].class_index for i in rows]),
            np.stack([frames[i].render for i in rows]),
            np.stack([looks[i].alpha for i in rows]),
            instance_map=np.stack([plane for plane in instance_maps if plane is not None])
            if self._settings.use_instances
            else None,
            palette=np.array(palettes, np.int64) if self._settings.palettes else None,
            **self._stack_appearance([frames[i] for i in rows], [looks[i] for i in rows]),
            previous=previous,
        )
        return replace(translation, photo=translation.photo[: len(frames)], edge=translation.edge[: len(frames)])

    def _find_previous(self, frames: list[DecodedFrame], looks: list[Look], variant: int) -> NDArray[np.uint8] | None:
        if self._history is None:
            return None
        found = self._history.find(frames[0], looks[0].identity, variant)
        return None if found is None else np.stack([found.frame.render, found.photo])[None]

    def _draw_look(self, frame: DecodedFrame, variant: int, attempt: int) -> Look:
        return fit_look(draw_look(frame.ref.sequence_id, variant, attempt, self._settings), frame.render)

    def _keep_own_vehicles(
        self, frames: list[DecodedFrame], looks: list[Look], translation: "Translation"
    ) -> "Translation":
        """The images with the own vehicle as the job wants it; only images that follow a render can keep it."""
        treatment = self._settings.job.own_vehicle
        if treatment == "paint" or (treatment == "keep" and not self._settings.appearance):
            return translation
        channels = self._settings.target_space.vehicle_channels
        photos: list[NDArray[np.uint8]] | None = None
        for i, (frame, look) in enumerate(zip(frames, looks, strict=True)):
            mask = self._find_own_vehicle(frame, channels) if look.appearance or treatment == "mask" else None
            if mask is not None:
                photos = list(translation.photo) if photos is None else photos
                photos[i] = apply_own_vehicle(photos[i], frame.render, mask, treatment)
        return translation if photos is None else replace(translation, photo=np.stack(photos))

    def _find_own_vehicle(self, frame: DecodedFrame, channels: tuple[int, ...]) -> NDArray[np.bool_] | None:
        stated = self._settings.own_vehicle_mask
        if stated is not None:
            return decode_own_vehicle_mask(stated, *frame.class_index.shape)
        return find_own_vehicle(frame.class_index, channels)

    def _stack_appearance(self, frames: list[DecodedFrame], looks: list[Look]) -> dict[str, NDArray[Any] | None]:
        if self._settings.appearance is None:
            return {}
        return {
            "appearance": np.array([look.appearance for look in looks], np.float32),
            "photo_colors": np.array([look.photo_colors for look in looks], np.float32),
            "color_source": np.stack([self._vary(f, look) for f, look in zip(frames, looks, strict=True)])
            if any(look.number for look in looks)
            else None,
            "class_colors": self._stack_class_colors(frames, looks),
        }

    def _stack_class_colors(self, frames: list[DecodedFrame], looks: list[Look]) -> NDArray[np.float32] | None:
        """(b, classes, 4) mean colours and shares of each frame's drive, shares 0 for one that is alone."""
        table = np.zeros((len(frames), self._settings.target_space.num_classes, 4), np.float32)
        for row, frame, look in zip(table, frames, looks, strict=True):
            if not look.appearance:
                continue
            colors = self._colors.find(frame.ref.sequence_id, look.number, partial(self._recolor, look=look))
            if colors is not None:
                row[:, :3], row[:, 3] = colors.mean, colors.share
        return table if table.any() else None

    def _vary(self, frame: DecodedFrame, look: Look) -> NDArray[np.uint8]:
        """``_recolor``, once for each frame and variant of a batch: images are painted from it and compared with it."""
        key = (frame.ref.sample_id, look.number)
        if key not in self._varied:
            self._varied[key] = self._recolor(frame, look)
        return self._varied[key]

    def _recolor(self, frame: DecodedFrame, look: Look) -> NDArray[np.uint8]:
        """The render in the light and with the vehicles' paint of a variant; of variant 0 the render itself."""
        if not (look.number and look.appearance):
            return frame.render
        identity = (self._settings.job.seed, name_rig(frame.ref.sequence_id), look.number)
        is_vehicle = np.isin(frame.class_index, self._settings.target_space.vehicle_channels)
        painted = repaint_vehicles(frame.render, is_vehicle, frame.instance_map, *identity)
        return relight(painted, draw_light(*identity))


def _is_rejected(result: Painted | Exception) -> bool:
    return isinstance(result, Painted) and not result.judgement.is_accepted
