"""The translator: a bundle's networks on a device."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sflow_pipeline.bundle.bundle import Bundle
from sflow_pipeline.errors import BundleError, FrameError, first_line
from sflow_pipeline.networks.appearance.appearance import build_appearance_map
from sflow_pipeline.networks.appearance.fidelity import ClassFidelity, hold_render, show_render
from sflow_pipeline.networks.appearance.palette import build_palette_map, darken_palette, measure_palette
from sflow_pipeline.networks.cuda_graphs import GraphedFunction, find_recorder
from sflow_pipeline.networks.device import place_network, resolve_device
from sflow_pipeline.networks.edges.dned import Dned, fuse_sides
from sflow_pipeline.networks.edges.edges import extract_edges
from sflow_pipeline.networks.generators.generator import build_generator
from sflow_pipeline.networks.motion.previous_image import add_previous, carry_image
from sflow_pipeline.networks.shifted_mean import ShiftedMean
from sflow_pipeline.tensors import build_boundary_map, build_semantic_map, to_bytes, to_unit_range


@dataclass(frozen=True)
class Translation:
    """A translated batch, on the host.

    Attributes:
        photo: (b, h, w, 3) uint8 RGB.
        edge: (b, h, w) uint8 edge strength of DNED, 255 = certain.
    """

    photo: NDArray[np.uint8]
    edge: NDArray[np.uint8]


class Translator:
    """Edge extractor, DNED and generator of one bundle, ready to run.

    Args:
        bundle: whose weights.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto`` (bf16 where it is faster, see ``resolve_device``), ``fp32`` or ``bf16``.
        shifts: copies of a frame, shifted against the generator's strides, of which an image is the mean.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", precision: str = "auto", shifts: int = 1) -> None:
        placed = resolve_device(device, precision)
        self.device, self.precision, self.dtype = placed.name, placed.precision, placed.dtype
        self.classes = bundle.label_space.num_classes
        self.threshold = bundle.recipe.edges.threshold
        self._use_appearance = bundle.recipe.generator.use_appearance
        self._use_previous = bundle.recipe.generator.use_previous
        self._palette_bundle, self._shifts = bundle.palette_bundle, shifts
        self.use_instances = bundle.recipe.generator.use_instances is True
        weights = bundle.read_weights()
        self._generator = ShiftedMean(build_generator(bundle.recipe.generator, self.classes), shifts)
        self._dned = Dned(bundle.recipe.dned.widths)
        try:
            self._generator.inside.load_state_dict(weights["generator"])
            self._dned.load_state_dict(weights["dned"])
            palettes = weights["palettes"]["rgb"] if bundle.recipe.generator.use_palette else None
        except (KeyError, RuntimeError) as error:
            raise BundleError(
                f"bundle {bundle.path}: weights do not fit recipe.yaml ({first_line(error)})",
                hint="restore the whole folder: weights and recipe belong together",
            ) from error
        for network in (self._generator, self._dned):
            place_network(network.eval().requires_grad_(False), self.device, self.dtype)
        self._fidelity = ClassFidelity.build(bundle.label_space, self.device)
        self._palettes = None if palettes is None else palettes.to(self.device, self.dtype)
        self._graphed: GraphedFunction | None = None
        if self.device != "cpu":
            self._graphed = GraphedFunction(self._paint, self.device, find_recorder(self.device))

    @property
    def networks(self) -> tuple[Dned, nn.Module]:
        """DNED and the generator, without shifts."""
        return self._dned, self._generator.inside

    @cached_property
    def _palette_translator(self) -> "Translator":
        assert self._palette_bundle is not None
        return Translator(self._palette_bundle, self.device, self.precision, self._shifts)

    @torch.inference_mode()
    def translate(
        self,
        class_index: NDArray[np.uint8],
        render: NDArray[np.uint8],
        alpha: NDArray[np.float32],
        instance_map: NDArray[np.int64] | None = None,
        palette: NDArray[np.int64] | None = None,
        appearance: NDArray[np.float32] | None = None,
        photo_colors: NDArray[np.float32] | None = None,
        color_source: NDArray[np.uint8] | None = None,
        class_colors: NDArray[np.float32] | None = None,
        previous: NDArray[np.uint8] | None = None,
    ) -> Translation:
        """Translate a batch.

        On a CPU a frame's result is the same in any batch: frames are translated one by one, because kernels are chosen
        by batch size and differ in rounding, and batches are no faster there. On a GPU the batch is translated at once,
        from the third of a shape on as a CUDA graph; results are the same for batches of the same shape.

        Args:
            class_index: (b, h, w) channel of each pixel's class in the bundle's label space.
            render: (b, h, w, 3) RGB, the simulator's picture, of which the edges are used, and colours and light as
                far as ``appearance`` says.
            alpha: (b, 5) ensemble weights of DNED's sides, each row summing to 1.
            instance_map: (b, h, w) numbers that tell objects apart; for bundles that were trained with instances, and
                ignored by others.
            palette: (b,) number of the bundle's palette that each frame is painted with, None for the typical one;
                ignored by bundles without palettes.
            appearance: (b,) how far each image follows its render: 0 (edges and palette alone, as when None) to 1 (full
                detail), see ``networks.appearance``; ignored by bundles without an appearance map.
            photo_colors: (b,) how far the mean colour of each class is moved from the render's to the palette's, 0
                to 1; 0 when None.
            color_source: (b, h, w, 3) RGB whose colours, light and detail are followed instead of the render's; edges
                stay the render's.
            class_colors: (b, classes, 4) mean RGB of each class, 0 to 255, and its share of the pixels, from which
                colours are moved instead of each frame's own; a class of share 0 has the frame's own.
            previous: (b, 2, h, w, 3) RGB, the render before each frame's and the image that was made of it, for bundles
                that paint frames in order; None for first frames of sequences; ignored by other bundles.

        Raises:
            FrameError: the bundle was trained with instances, and none are given.
        """
        batch = (
            class_index, render, alpha, instance_map, palette, appearance, photo_colors, color_source, class_colors,
            previous,
        )  # fmt: skip
        if self.device == "cpu" and len(render) > 1:
            return self._translate_one_by_one(*batch)
        follows_labels = np.ones(len(render), bool) if appearance is None else appearance == 0
        if self._palette_bundle is not None and follows_labels.any():
            if follows_labels.all():
                return self._palette_translator.translate(class_index, render, alpha, instance_map, palette)
            return self._translate_one_by_one(*batch)
        arrays = {"class_index": class_index, "render": render, "alpha": alpha}
        if self.use_instances:
            arrays["instance_map"] = self._check_instances(instance_map)
        strengths: tuple[float, ...] | None = None
        if self._palettes is not None:
            arrays["palette"] = np.zeros(len(render), np.int64) if palette is None else palette
            if self._use_appearance and appearance is not None:
                strengths = tuple(np.unique(appearance).tolist())
                arrays["appearance"] = appearance
                arrays["photo_colors"] = np.zeros_like(appearance) if photo_colors is None else photo_colors
                further = {"color_source": color_source, "class_colors": class_colors}
                arrays |= {name: array for name, array in further.items() if array is not None}
        if self._use_previous and previous is not None:
            arrays["previous"] = previous
        inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
        painted = self._paint(strengths, inputs) if self._graphed is None else self._graphed(strengths, inputs)
        photo, edge = (tensor.numpy() for tensor in painted)
        return Translation(photo, edge)

    def drop_graphs(self) -> None:
        """Give the memory of CUDA graphs back, where there are any, and make no more: memory is short."""
        for graphed in self._list_graphed():
            graphed.drop("too little memory")

    @property
    def graph_failure(self) -> str | None:
        """Why no CUDA graphs are replayed on a GPU; None where they are, and where nothing failed."""
        return next((graphed.failure for graphed in self._list_graphed() if graphed.failure), None)

    def _list_graphed(self) -> list[GraphedFunction]:
        inside = self.__dict__.get("_palette_translator")  # it is not loaded for this
        own = [] if self._graphed is None else [self._graphed]
        return own if inside is None else own + inside._list_graphed()

    def _paint(self, strengths: Hashable, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """What runs on the device: nothing in it waits for a GPU, or depends on the content of ``inputs``.

        Args:
            strengths: the different numbers in ``appearance``; None where images follow labels and edges alone.
            inputs: the arguments of ``translate`` that are used.

        Returns:
            (b, h, w, 3) images and (b, h, w) edges, uint8.
        """
        picture = _split_planes(inputs["render"])
        laplacian = extract_edges(picture, self.threshold)
        sides = self._dned(laplacian.to(self.dtype))
        edge = fuse_sides(sides, inputs["alpha"])
        boundary = build_boundary_map(inputs["instance_map"]) if "instance_map" in inputs else None
        classes = inputs["class_index"]
        colors = None
        follows_render = isinstance(strengths, tuple) and any(strengths)
        if self._palettes is not None:
            palettes = self._palettes[inputs["palette"]]
            if isinstance(strengths, tuple):
                colors = self._map_appearance(picture, inputs, palettes.float(), strengths)
            else:
                colors = build_palette_map(classes, palettes)
        shown = colors
        if follows_render and colors is not None:
            shown = show_render(colors, classes, self._fidelity, inputs["appearance"])
        semantic = build_semantic_map(classes, self.classes, self.dtype, boundary, shown)
        if self._use_previous:
            semantic = add_previous(semantic, _carry(inputs["previous"], picture) if "previous" in inputs else None)
        painted = self._generator(semantic, edge.to(self.dtype))
        if follows_render and colors is not None:
            painted = hold_render(painted, colors, classes, self._fidelity, inputs["appearance"])
        photo = to_bytes(painted).permute(0, 2, 3, 1).contiguous()
        return photo, (edge[:, 0] * 255.0).round().to(torch.uint8)

    def _map_appearance(
        self,
        picture: torch.Tensor,
        inputs: Mapping[str, torch.Tensor],
        palettes: torch.Tensor,
        strengths: tuple[float, ...],
    ) -> torch.Tensor:
        """The appearance map, its class means between the palette's and the render's; at strength 0 the palette's."""
        render = to_unit_range(_split_planes(inputs["color_source"]) if "color_source" in inputs else picture)
        classes, strength = inputs["class_index"], inputs["appearance"]
        own, share = measure_palette(render, classes, self.classes)
        if "class_colors" in inputs:
            class_colors = inputs["class_colors"]
            is_stated = class_colors[..., 3] > 0
            own = torch.where(is_stated[..., None], class_colors[..., :3] / 127.5 - 1, own)
            share = torch.where(is_stated, class_colors[..., 3], share)
        has_appearance = (3 * strength).clamp(max=1)
        palettes = torch.lerp(palettes, darken_palette(palettes, own, share), has_appearance[:, None, None])
        follows = has_appearance * (1 - inputs["photo_colors"])
        means = torch.lerp(palettes, own, follows[:, None, None] * (share > 0)[..., None])
        return build_appearance_map(render, classes, self.classes, strength, means, own, strengths).clamp(-1, 1)

    def _translate_one_by_one(self, *batch: NDArray[Any] | None) -> Translation:
        size = next(len(array) for array in batch if array is not None)
        frames: list[list[Any]] = [[None if a is None else a[i : i + 1] for a in batch] for i in range(size)]
        single = [self.translate(*frame) for frame in frames]
        return Translation(np.concatenate([t.photo for t in single]), np.concatenate([t.edge for t in single]))

    def _check_instances(self, instance_map: NDArray[np.int64] | None) -> NDArray[np.int64]:
        if instance_map is None:
            raise FrameError(
                "the frame has no instance file, and the bundle paints from instance boundaries",
                hint="render instances too, or use a bundle that was trained without",
                reason="no_instance",
            )
        return instance_map


def _split_planes(pictures: torch.Tensor) -> torch.Tensor:
    """(b, 3, h, w) of (b, h, w, 3), plane by plane, which is what everything around the networks is fastest on."""
    return pictures.permute(0, 3, 1, 2).contiguous()


def _carry(previous: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """What the image before shows where the picture shows it now; ``previous`` as for ``translate``."""
    before, image = (to_unit_range(_split_planes(previous[:, i])) for i in range(2))
    return carry_image(image, before, to_unit_range(picture))
