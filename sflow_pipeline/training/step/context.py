"""Constants of a training run that every step needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor, nn

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.appearance.fidelity import ClassFidelity
from sflow_pipeline.networks.device import Device, place_network
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.training.data.class_weights import compute_class_weights
from sflow_pipeline.training.data.crops import CropSampler
from sflow_pipeline.training.data.photo_set import PhotoSet
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.step.class_statistics import PhotoStatistics, measure_photo_statistics
from sflow_pipeline.training.step.kernel_distance import KernelReference, measure_kernel_references


@dataclass(frozen=True)
class StepContext:
    """Everything that a step needs besides state and batch.

    Attributes:
        classes: of the label space.
        perceptual: frozen network on the device, None for a run without perceptual features.
        class_weights: of the pixels of each class, for a recipe with a semantic or projected discriminator.
        projection: frozen network of the projected discriminator, on the device.
        teacher: frozen generator that is followed on photos with appearance 0, on the device.
        perceptual_statistics, projection_statistics: of both networks' features of photos, slice by slice, for a recipe
            with ``loss.statistics``; empty without.
        kernel_references: of both networks, for a recipe with ``loss.kernel``; empty without.
    """

    recipe: Recipe
    classes: int
    device: Device
    perceptual: PerceptualNetwork | None = None
    group: ProcessGroup = SINGLE_PROCESS
    class_weights: Float[Tensor, " classes"] | None = None
    projection: PerceptualNetwork | None = None
    teacher: nn.Module | None = None
    perceptual_statistics: Sequence[PhotoStatistics] = ()
    projection_statistics: Sequence[PhotoStatistics] = ()
    kernel_references: Sequence[KernelReference] = ()

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        photos: PhotoSet,
        device: Device,
        perceptual: PerceptualNetwork | None,
        group: ProcessGroup = SINGLE_PROCESS,
        projection: PerceptualNetwork | None = None,
        teacher: nn.Module | None = None,
        renders: PhotoSet | None = None,
    ) -> "StepContext":
        """The context of a run on these photos and simulator frames; the frozen networks move to the device."""
        space = load_label_space(recipe.label_space)
        networks = [None if x is None else place_network(x, device.name) for x in (perceptual, projection)]
        followed = None if teacher is None else place_network(teacher, device.name)
        weights = None
        if recipe.discriminator.semantic_width or recipe.discriminator.projected_width:
            weights = compute_class_weights(photos, space).to(device.name)
        statistics: list[list[PhotoStatistics]] = [[], []]
        if recipe.loss.statistics:
            crops = CropSampler(photos, recipe.schedule, recipe.seed)
            statistics = [
                [] if x is None else measure_photo_statistics(x, crops, space.num_classes, device) for x in networks
            ]
        kernel: list[KernelReference] = []
        if recipe.loss.kernel and renders is not None:
            kernel = measure_kernel_references(
                [x for x in networks if x is not None], photos, renders, recipe.seed, device
            )
        return cls(
            recipe,
            space.num_classes,
            device,
            networks[0],
            group,
            weights,
            networks[1],
            followed,
            perceptual_statistics=statistics[0],
            projection_statistics=statistics[1],
            kernel_references=kernel,
        )

    @cached_property
    def fidelity(self) -> ClassFidelity:
        """What converted simulator frames keep of their renders."""
        return ClassFidelity.build(load_label_space(self.recipe.label_space), self.device.name)

    def get_class_weights(self) -> Float[Tensor, " classes"]:
        """The class weights.

        Raises:
            TrainingError: the context was built without.
        """
        if self.class_weights is None:
            raise TrainingError(
                "the recipe has a semantic or projected discriminator, and the context has no class weights",
                hint="build the context with StepContext.build",
            )
        return self.class_weights
