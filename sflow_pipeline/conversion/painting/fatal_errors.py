"""Errors that end a shard: faults of the job or the machine, not of one frame; too little memory among them."""

from sflow_pipeline.errors import FrameError, SflowError
from sflow_pipeline.networks.memory_shortage import is_out_of_memory


def reraise_fatal(error: Exception, device: str = "cpu") -> None:
    """Raise what is a fault of the job or the machine and not of this frame; it ends the shard.

    Args:
        error: any.
        device: where it was raised.

    Raises:
        SflowError: the fault, with what to do.
    """
    if isinstance(error, SflowError) and not isinstance(error, FrameError):
        raise error
    if is_out_of_memory(error):
        raise describe_shortage(device) from error


def describe_shortage(device: str) -> SflowError:
    """The error of a device with too little memory for one frame."""
    if device == "cpu":
        return SflowError(
            "this machine has too little free memory for a frame",
            hint="end other programs, or convert with fewer --workers or a smaller --size; the same command goes on "
            "where this one stopped",
        )
    return SflowError(
        f"{device} has too little free memory for a frame",
        hint="end other programs on the GPU, or convert with a smaller --size, with --precision bf16, or with "
        "--device cpu; the same command goes on where this one stopped",
    )
