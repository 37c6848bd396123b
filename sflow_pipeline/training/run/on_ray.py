"""Training with several processes, GPUs or machines on Ray Train; the only file of training that imports ray.

Photos are not sent: every worker maps the packed photos that the driver wrote below the run's folder, and reads its
checkpoints, so that folder must be on storage that all machines share. The recipe and the perceptual network
travel through the object store. When a worker dies, Ray Train restarts all workers from the last checkpoint.
"""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import cv2
import ray
import torch
from ray.exceptions import RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError, get_context
from ray.train.torch import TorchTrainer, get_device

from sflow_pipeline.errors import SflowError, TrainingError, UsageError
from sflow_pipeline.networks.device import resolve_device
from sflow_pipeline.ray_cluster import connect
from sflow_pipeline.training.process_group import ProcessGroup, WorkerOptions
from sflow_pipeline.training.run.checkpoint import load_newest_checkpoint
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.run.process import ProcessInputs
from sflow_pipeline.training.step.state import build_state

#: Restarts of the workers before the run gives up.
_MAX_RESTARTS = 3
_POLL_S = 0.2
_WITHOUT_RAY = "train in one process: without --workers and --address no Ray is needed"


def train_on_ray(
    process_inputs: ProcessInputs,
    worker_options: WorkerOptions,
    device: str,
    on_progress: Callable[[TrainingProgress], None],
) -> int:
    """Train to the end of the schedule; the last checkpoint in ``process_inputs.out`` is the result.

    Returns:
        Restarts of the workers after one of them died.

    Raises:
        UsageError: workers need more CPUs or GPUs than there are.
        TrainingError: Ray cannot be reached, workers keep dying, or what ``run_training`` raises.
    """
    scratch = process_inputs.out / ".ray"
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")  # a busy machine loads torch for minutes
    cpus = worker_options.workers * worker_options.threads
    cluster = connect(worker_options.address, cpus, error=TrainingError, without_ray=_WITHOUT_RAY)
    with ThreadPoolExecutor(1, "sflow-train") as thread, cluster:
        use_gpu = _choose_gpus(worker_options, device)
        board: Any = ray.remote(num_cpus=0)(_Board).remote()
        trainer = TorchTrainer(
            _work,
            train_loop_config={
                "inputs": process_inputs,
                "board": board,
                "use_gpu": use_gpu,
                "threads": worker_options.threads,
            },
            scaling_config=ScalingConfig(
                num_workers=worker_options.workers,
                use_gpu=use_gpu,
                resources_per_worker={"CPU": worker_options.threads, "GPU": int(use_gpu)},
            ),
            run_config=RunConfig(
                name="workers", storage_path=str(scratch), failure_config=FailureConfig(max_failures=_MAX_RESTARTS)
            ),
        )
        try:
            # Not on the main thread, where Ray Train handles Ctrl-C and returns as if training were finished.
            fitting = thread.submit(trainer.fit)
            while not fitting.done():
                time.sleep(_POLL_S)
                _pass_on(board, on_progress)
            starts = _pass_on(board, on_progress)
            fitting.result()
        except (TrainingFailedError, RayError) as error:
            text = " ".join(str(error).split())
            raise TrainingError(
                f"training gave up after {_MAX_RESTARTS} restarts of its workers; the last one: {text[-400:]}",
                hint="checkpoints are kept: fix the cause, then run the same command again to resume",
            ) from error
        finally:
            with suppress(Exception):
                ray.kill(board)  # workers end when they cannot report
            shutil.rmtree(scratch, ignore_errors=True)
    return starts - 1


class _Board:
    """Actor through which workers report progress and errors to the driver."""

    def __init__(self) -> None:
        self._starts = 0
        self._news: list[TrainingProgress] = []
        self._error: SflowError | None = None

    def start(self) -> None:
        self._starts += 1

    def add(self, progress: TrainingProgress) -> None:
        self._news.append(progress)

    def fail(self, error: SflowError) -> None:
        self._error = self._error or error

    def take(self) -> tuple[int, list[TrainingProgress], SflowError | None]:
        """Starts of the workers, progress since the last call, and the error that stopped them, if any."""
        news, self._news = self._news, []
        return self._starts, news, self._error


def _pass_on(board: Any, on_progress: Callable[[TrainingProgress], None]) -> int:
    starts, news, error = ray.get(board.take.remote())
    for progress in news:
        on_progress(progress)
    if error:
        raise error
    return int(starts)


def _work(config: dict[str, Any]) -> None:
    """Entry point of every worker."""
    board = config["board"]
    worker = get_context()
    group = ProcessGroup(worker.get_world_rank(), worker.get_world_size())
    torch.set_num_threads(config["threads"])
    cv2.setNumThreads(config["threads"])
    if group.is_leader:
        ray.get(board.start.remote())
    device = get_device() if config["use_gpu"] else torch.device("cpu")
    try:
        _train(config["inputs"], group, device, lambda progress: ray.get(board.add.remote(progress)))
    except SflowError as error:  # a restart would raise it too
        ray.get(board.fail.remote(error))
        raise


def _train(
    process_inputs: ProcessInputs,
    group: ProcessGroup,
    device: torch.device,
    on_progress: Callable[[TrainingProgress], None],
) -> None:
    stated = process_inputs.recipe.precision
    own = resolve_device(str(device), stated)
    state = build_state(process_inputs.recipe, process_inputs.perceptual, device, projection=process_inputs.projection)
    load_newest_checkpoint(state, process_inputs.out)
    is_bf16 = group.gather(torch.tensor([own.precision == "bf16"], dtype=torch.float64, device=device))
    common = "bf16" if all(answer[0] for answer in is_bf16) else "fp32"
    placed = own.with_precision(stated, state.provenance.setdefault("precision", common))
    process_inputs.run(state, placed, on_progress, group)


def _choose_gpus(worker_options: WorkerOptions, device: str) -> bool:
    """Whether workers get a GPU each."""
    workers, threads = worker_options.workers, worker_options.threads
    resources = ray.cluster_resources()
    cpus, gpus = (int(resources.get(kind, 0)) for kind in ("CPU", "GPU"))
    if cpus < workers * threads:
        raise UsageError(
            f"--workers {workers}: they need {workers * threads} CPUs, Ray has {cpus}",
            hint="use fewer --workers or --threads, or a larger cluster",
        )
    use_gpu = device == "cuda" or (device == "auto" and gpus > 0)
    if use_gpu and gpus < workers:
        raise UsageError(
            f"--workers {workers}: each needs a GPU, Ray has {gpus}",
            hint=f"use {f'--workers {gpus}' if gpus > 1 else 'one worker'}, or --device cpu",
        )
    return use_gpu
