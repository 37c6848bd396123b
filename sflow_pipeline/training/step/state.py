"""Training state: networks, their moving averages, their optimisers, and the number of images seen."""

import copy
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sflow_pipeline.bundle import Bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError
from sflow_pipeline.label_spaces import load_label_space
from sflow_pipeline.networks.device import place_network
from sflow_pipeline.networks.discriminators.discriminator import MultiScaleDiscriminator, build_sequence_discriminator
from sflow_pipeline.networks.discriminators.semantic_discriminator import SemanticDiscriminator
from sflow_pipeline.networks.edges.dned import Dned
from sflow_pipeline.networks.features.perceptual import PerceptualNetwork
from sflow_pipeline.networks.generators.generator import build_generator
from sflow_pipeline.training.process_group import SINGLE_PROCESS, ProcessGroup
from sflow_pipeline.training.provenance import describe_bundle

#: Former names of tensors in checkpoints.
_FORMER_NAMES = re.compile(r"^(semantic_discriminator/)doors\.")
#: Prefix of the tensors in ``TrainingState.memory``.
_MEMORY = "memory/"
#: Fields of the generator's recipe in which a bundle to start from may differ: its weights fit all the same.
_CHANGEABLE = ("use_appearance", "upsampling")


class TrainingState:
    """Generator, discriminators and DNED, averages of generator and DNED, Adam optimisers, and ``images_seen``.

    Training draws all random numbers from (seed, images_seen), so there is no RNG state to keep.

    ``memory`` has tensors that a loss keeps from step to step, by name.

    Args:
        feature_channels: of each slice of the perceptual network, for a recipe with a semantic discriminator.
        projection_channels: of the network that the projected discriminator works on.
    """

    #: Recipe fields that must not change on resume; the schedule may.
    fixed: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("label_space", "data", "edges", "dned", "generator", "discriminator", "loss", "seed", "name"), True
    )

    def __init__(
        self,
        recipe: Recipe,
        classes: int,
        device: torch.device | str = "cpu",
        feature_channels: Sequence[int] = (),
        projection_channels: Sequence[int] = (),
    ) -> None:
        torch.manual_seed(recipe.seed)
        schedule, settings = recipe.schedule, recipe.discriminator
        self.recipe = recipe
        self.provenance: dict[str, str] = {}
        self.images_seen = 0
        self.memory: dict[str, Tensor] = {}
        self.generator = build_generator(recipe.generator, classes)
        channels = recipe.generator.count_channels(classes)
        self.discriminator = MultiScaleDiscriminator(channels, settings.width, settings.layers, settings.scales)
        self.dned = Dned(recipe.dned.widths)
        self.semantic_discriminator: SemanticDiscriminator | None = None
        if settings.semantic_width:
            self.semantic_discriminator = SemanticDiscriminator(feature_channels, classes, settings.semantic_width)
        self.projected_discriminator: SemanticDiscriminator | None = None
        if settings.projected_width:
            self.projected_discriminator = SemanticDiscriminator(projection_channels, classes, settings.projected_width)
        self.sequence_discriminator: MultiScaleDiscriminator | None = None
        if settings.sequence_width:
            self.sequence_discriminator = build_sequence_discriminator(settings)
        for network in self.trained_networks.values():
            place_network(network, device)
        self.generator_ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.dned_ema = copy.deepcopy(self.dned).requires_grad_(False)
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), schedule.lr_generator, (0.5, 0.99), fused=True)
            for name, network in self.trained_networks.items()
        }

    def load_networks(self, bundle: Bundle) -> None:
        """Load a bundle's generator and DNED; optimisers and discriminators stay as initialised.

        Raises:
            TrainingError: the bundle's networks are not the recipe's; names the first key that differs.
        """
        for key in ("label_space", "generator", "dned"):
            loaded, expected = (recipe.model_dump(include={key})[key] for recipe in (bundle.recipe, self.recipe))
            if key == "dned":
                loaded, expected = loaded["widths"], expected["widths"]
            if key == "generator":
                loaded, expected = ({k: v for k, v in d.items() if k not in _CHANGEABLE} for d in (loaded, expected))
            if loaded != expected:
                raise TrainingError(
                    f"bundle {bundle.path}: {key} is {loaded} there and {expected} in the recipe",
                    hint="start from a bundle of the same networks, or use the recipe that is in its folder",
                )
        weights = bundle.read_weights()
        for name in ("generator", "dned"):
            for network in (self.networks[name], self.networks[f"{name}_ema"]):
                network.load_state_dict(_add_input_channels(weights[name], network))

    @property
    def trained_networks(self) -> dict[str, nn.Module]:
        """The networks that optimisers update."""
        networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "dned": self.dned,
        }
        if self.semantic_discriminator is not None:
            networks["semantic_discriminator"] = self.semantic_discriminator
        if self.projected_discriminator is not None:
            networks["projected_discriminator"] = self.projected_discriminator
        if self.sequence_discriminator is not None:
            networks["sequence_discriminator"] = self.sequence_discriminator
        return networks

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Trained networks and moving averages, by their names in a checkpoint."""
        return self.trained_networks | {"generator_ema": self.generator_ema, "dned_ema": self.dned_ema}

    def set_learning_rates(self) -> None:
        """Constant, then linear to zero over the last ``decay_images``: a function of ``images_seen`` alone."""
        schedule = self.recipe.schedule
        remaining = self.recipe.total_images - self.images_seen
        factor = min(1.0, max(0.0, remaining / schedule.decay_images)) if schedule.decay_images else 1.0
        base = {
            "generator": schedule.lr_warmup if self.images_seen < schedule.warmup_images else schedule.lr_generator,
            "discriminator": schedule.lr_discriminator,
            "semantic_discriminator": schedule.lr_discriminator,
            "projected_discriminator": schedule.lr_discriminator,
            "sequence_discriminator": schedule.lr_discriminator,
            "dned": schedule.lr_dned,
        }
        for name, optimizer in self.optimizers.items():
            for parameters in optimizer.param_groups:
                parameters["lr"] = base[name] * factor

    def backward(self, *losses: Tensor, group: ProcessGroup = SINGLE_PROCESS) -> None:
        """Compute the gradients of the sum of the losses in every network, averaged over a group of processes."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        for loss in losses:
            loss.backward()
        parameters = (p for network in self.trained_networks.values() for p in network.parameters())
        group.average(p.grad for p in parameters if p.grad is not None)

    def optimizer_step(self) -> None:
        """One optimiser step of every network."""
        for optimizer in self.optimizers.values():
            optimizer.step()

    @torch.no_grad()
    def update_averages(self, images: int) -> None:
        """Update the moving averages; their half-life grows with ``images_seen`` at first, as in edm2."""
        half_life = min(self.recipe.schedule.ema_half_life_images, max(1.0, 0.05 * self.images_seen))
        move = get_ema_multi_avg_fn(0.5 ** (images / half_life))
        for average, network in ((self.generator_ema, self.generator), (self.dned_ema, self.dned)):
            move(list(average.parameters()), list(network.parameters()), self.images_seen)

    @torch.no_grad()
    def fingerprint(self) -> Tensor:
        """(1 + networks,) float64: images seen, and the sum of absolute weights of each network."""
        sums = [sum(p.double().abs().sum().item() for p in network.parameters()) for network in self.networks.values()]
        return torch.tensor([self.images_seen, *sums], dtype=torch.float64)

    def to_tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state under a flat name, as a checkpoint stores it."""
        tensors = {f"{n}/{k}": v for n, network in self.networks.items() for k, v in network.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            tensors |= pack_moments(name, optimizer)
        tensors |= {f"{_MEMORY}{name}": tensor for name, tensor in self.memory.items()}
        return {k: v.detach().contiguous() for k, v in tensors.items()}

    def from_tensors(self, tensors: dict[str, Tensor], images_seen: int) -> None:
        """Restore what ``to_tensors`` returned, also under former names."""
        tensors = {_FORMER_NAMES.sub(r"\1input_projections.", name): tensor for name, tensor in tensors.items()}
        for name, network in self.networks.items():
            prefix = f"{name}/"
            network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for name, optimizer in self.optimizers.items():
            unpack_moments(name, optimizer, tensors)
        device = next(self.generator.parameters()).device
        memory = {name: tensor for name, tensor in tensors.items() if name.startswith(_MEMORY)}
        self.memory = {name.removeprefix(_MEMORY): tensor.to(device) for name, tensor in memory.items()}
        self.images_seen = images_seen


def build_state(
    recipe: Recipe,
    perceptual: PerceptualNetwork | None,
    device: torch.device | str,
    start: Bundle | None = None,
    projection: PerceptualNetwork | None = None,
) -> TrainingState:
    """The initial state of a run of ``recipe``.

    Raises:
        TrainingError: the recipe has a semantic discriminator and no perceptual network is given, or a projected one
            and no projection, or ``start`` holds other networks.
    """
    if recipe.discriminator.projected_width and projection is None:
        raise TrainingError(
            f"recipe {recipe.name}: discriminator.projected_width is {recipe.discriminator.projected_width}, and the "
            "projected discriminator needs a projection network, which is missing",
            hint="add --projection FILE, or --set discriminator.projected_width=0",
        )
    if recipe.discriminator.semantic_width and perceptual is None:
        raise TrainingError(
            f"recipe {recipe.name}: discriminator.semantic_width is {recipe.discriminator.semantic_width}, and the "
            "semantic discriminator needs a perceptual network, which is missing",
            hint="add --perceptual FILE, or --set discriminator.semantic_width=0",
        )
    classes = load_label_space(recipe.label_space).num_classes
    networks = {"--perceptual": perceptual, "--projection": projection}
    channels = [network.channels if network is not None else () for network in networks.values()]
    state = TrainingState(recipe, classes, device, *channels)
    state.provenance = {option: network.name if network else "none" for option, network in networks.items()}
    if start is not None:
        state.provenance["--start-from"] = describe_bundle(start)
        state.load_networks(start)
    return state


def pack_moments(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's moments under ``optimizer/<name>/<parameter>/<slot>``."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer/{name}/{i}/{slot}": v for i, slots in state.items() for slot, v in slots.items()}


def unpack_moments(name: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore what ``pack_moments`` returned; other names are ignored."""
    slots: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for key, value in tensors.items():
        if key.startswith(f"optimizer/{name}/"):
            _, _, i, slot = key.split("/")
            # Fused Adam works in memory order: a moment must have its parameter's strides, not the file's.
            like = parameters[int(i)]
            value = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            slots.setdefault(int(i), {})[slot] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def _add_input_channels(weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Weights with zeros for the input channels that only the network has, such as those of an appearance map."""
    wanted = network.state_dict()
    fitted = dict(weights)
    for key, value in weights.items():
        lacking = wanted[key].shape[1] - value.shape[1] if value.dim() == 4 else 0
        if lacking > 0:
            fitted[key] = torch.cat((value, value.new_zeros(value.shape[0], lacking, *value.shape[2:])), dim=1)
    return fitted
