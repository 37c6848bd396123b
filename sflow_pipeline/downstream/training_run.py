"""Training of one arm with one seed, resumed from its last saved state."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sflow_pipeline.config.downstream_job import DownstreamJob
from sflow_pipeline.downstream.arm_crops import ArmCrops, CropTensors
from sflow_pipeline.downstream.color_change import change_colors
from sflow_pipeline.downstream.task import Task
from sflow_pipeline.errors import OutputError, TrainingError, first_line
from sflow_pipeline.networks.device import Device, place_network
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.write_errors import translate_write_errors
from sflow_pipeline.tensors import to_unit_range
from sflow_pipeline.training.data.prefetch import prefetch
from sflow_pipeline.training.step.state import pack_moments, unpack_moments

#: Version of crops, colours and loss; part of every fingerprint.
TRAINING_VERSION = 2
_WEIGHTS = "weights.safetensors"
_STATE = "state.safetensors"
_SAVE_EVERY_STEPS = 250


def has_weights(folder: Path) -> bool:
    """Whether the run of this folder is trained."""
    return (folder / _WEIGHTS).exists()


def train_arm(
    job: DownstreamJob,
    task: Task,
    crops: ArmCrops,
    seed: int,
    folder: Path,
    device: Device,
    on_step: Callable[[int], None] = lambda steps: None,
) -> nn.Module:
    """Train for ``job.steps`` steps, or load the weights of a finished run.

    Args:
        folder: of this run; it has the state while the run goes on and the weights afterwards.
        on_step: called with the number of steps that are done.

    Raises:
        TrainingError: the loss is not finite.
        OutputError: the folder cannot be written to.
    """
    torch.manual_seed(seed)
    network = place_network(task.build_network(), device.name)
    if has_weights(folder):
        _load_weights(network, folder / _WEIGHTS)
        return network.eval()
    optimizer = torch.optim.AdamW(network.parameters(), job.lr, weight_decay=1e-2)
    network.train()
    first = _load_state(network, optimizer, folder / _STATE)
    steps = range(first, job.steps)
    # On a CPU the threads would take the core that computes.
    batches = (crops.cut(step) for step in steps) if device.is_cpu else prefetch(crops.cut, steps)
    for step, batch in zip(steps, batches, strict=True):
        loss = _take_step(job, task, network, optimizer, batch, seed, step, device)
        done = step + 1
        if done % _SAVE_EVERY_STEPS == 0 or done == job.steps:
            if not torch.isfinite(loss):  # looked at rarely: it waits for the device
                raise TrainingError(
                    f"{folder.name}: the loss is not finite after {done} steps",
                    hint="lower lr, or set precision: fp32",
                )
            if done < job.steps:
                _save(folder / _STATE, network.state_dict() | pack_moments("network", optimizer), done)
        on_step(done)
    _save(folder / _WEIGHTS, network.state_dict(), job.steps)
    (folder / _STATE).unlink(missing_ok=True)
    return network.eval()


def _take_step(
    job: DownstreamJob,
    task: Task,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: CropTensors,
    seed: int,
    step: int,
    device: Device,
) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed * 1_000_003 + step)
    crops = batch.place(device.name)
    photo = change_colors(to_unit_range(crops.photo), rng).contiguous(memory_format=torch.channels_last)
    with device.autocast():
        output = network(photo)
    loss = task.compute_loss(output, crops)
    for group in optimizer.param_groups:
        group["lr"] = job.lr * (1 - step / job.steps) ** 0.9
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def _save(path: Path, tensors: dict[str, torch.Tensor], steps: int) -> None:
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with Folder(str(path.parent)).scratch(path.name) as scratch, translate_write_errors(str(path)):
        save_file(contiguous, scratch.path, metadata={"steps": str(steps)})
        scratch.publish(path.name)


def _load_weights(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise OutputError(
            f"{path}: damaged: {first_line(error)}", hint="remove its folder; the run is made again"
        ) from error


def _load_state(network: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> int:
    """Steps that were done; a missing or damaged state begins anew."""
    initial = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            steps = int((file.metadata() or {})["steps"])
        network.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer/")})
        unpack_moments("network", optimizer, tensors)
    except (OSError, SafetensorError, RuntimeError, ValueError, LookupError):
        network.load_state_dict(initial)
        return 0
    return steps
