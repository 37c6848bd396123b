"""Errors that end a shard: faults of the job or the machine, not of one frame; too little memory among them."""

from sflow_pipeline.errors import FrameError, SflowError

#: Texts of RuntimeErrors by which torch and cuBLAS say that memory is short.
_OUT_OF_MEMORY_TEXTS = ("DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, of the GPU or of the machine.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError("out of memory"))
    (True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without loading torch
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY_TEXTS)


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
