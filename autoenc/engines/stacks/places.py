"""Where stacks are trained: everything that differs between the CPU and a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import psutil
import torch

from autoenc.errors import InputError

__all__ = ["CPU", "CUDA", "Place", "causes_of", "place_of"]

_SHARE_OF_ROOM = 0.8  # the rest is for what the allocator leaves between tensors
_WARM_UPS = 3  # in which cuBLAS is set up and memory is found; torch's guide has as many
_SIGNS_OF_NO_ROOM = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""In the texts of errors that have no type of their own."""


def causes_of(error: BaseException) -> list[BaseException]:
    """Return an error and all that it was raised from or beside."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes


class Place(Protocol):
    """A device with its ways.

    Attributes:
        device: As torch knows it.
        n_at_once: Fits that are worth handing over together.
        n_lanes: Stacks that train at once.
        shrinks_below: Once fewer than this share of a stack's models train on, the others are cut out of it.
    """

    device: torch.device
    n_at_once: int
    n_lanes: int
    shrinks_below: float

    def room_bytes(self) -> int:
        """Return the memory that a stack may take, as of now."""
        ...

    def repeatable(self, step: Callable[[], None], state: Sequence[torch.Tensor]) -> Callable[[], None]:
        """Return a function that does what ``step`` does, to be called in the lane in which this is called.

        Args:
            step: Works on the same tensors each time, in place, and decides nothing by their values.
            state: What it changes; as it is now when this returns.
        """
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the memory of the device was too small, other than that of the machine."""
        ...

    def release(self) -> None:
        """Give back memory that nothing uses."""
        ...

    def training(self) -> AbstractContextManager[None]:
        """Return a context in which tensors are made and kernels launched on this device."""
        ...

    def lane(self, number: int) -> AbstractContextManager[None]:
        """Return a context whose work the device may do beside that of other lanes."""
        ...


class CPU:
    """The processor: steps are done as they come."""

    n_at_once = 64
    n_lanes = 1
    shrinks_below = 1.0

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def room_bytes(self) -> int:
        """Return part of what the machine has left."""
        return int(_SHARE_OF_ROOM * psutil.virtual_memory().available)

    def repeatable(self, step: Callable[[], None], state: Sequence[torch.Tensor]) -> Callable[[], None]:
        """Return ``step`` as it is."""
        return step

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return False: what is out is the memory of the machine."""
        return False

    def release(self) -> None:
        """Do nothing: freed memory is free."""

    def training(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing."""
        return nullcontext()

    def lane(self, number: int) -> AbstractContextManager[None]:
        """Return a context that changes nothing."""
        return nullcontext()


class CUDA:
    """A GPU: a step is captured once as a CUDA graph and then launched as a whole.

    Args:
        index: Of the device.
    """

    n_at_once = 512
    n_lanes = 8  # the operations of a small stack leave most of a GPU to others
    shrinks_below = 0.5  # a stack that is cut is captured anew

    def __init__(self, index: int = 0) -> None:
        self.device = torch.device("cuda", index)
        self._streams: list[torch.cuda.Stream] = []

    def room_bytes(self) -> int:
        """Return part of what is free on the device and what torch holds without use."""
        free, _ = torch.cuda.mem_get_info(self.device)
        unused = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(_SHARE_OF_ROOM * (free + unused))

    def repeatable(self, step: Callable[[], None], state: Sequence[torch.Tensor]) -> Callable[[], None]:
        """Return the replay of a graph; the warm-up before it, which torch asks for, is undone.

        All of it happens on the stream of the lane. torch has a workspace for cuBLAS for each stream and lets
        it go with a graph that was captured there, so lanes that captured on a common stream would write into
        each other's.
        """
        before = [tensor.clone() for tensor in state]
        for _ in range(_WARM_UPS):
            step()
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        # Other threads may go on to use the device, as those that have their outcome and reconstruct with it.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            step()
        for tensor, value in zip(state, before, strict=True):
            tensor.copy_(value)
        return graph.replay

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether torch's allocator, cuBLAS or the driver found no room.

        A capture that ends for want of memory ends with an error of its own; the reason stands behind it.
        """
        return any(
            isinstance(cause, torch.cuda.OutOfMemoryError)
            or (isinstance(cause, RuntimeError) and any(sign in str(cause) for sign in _SIGNS_OF_NO_ROOM))
            for cause in causes_of(error)
        )

    def release(self) -> None:
        """Empty the allocator's caches."""
        torch.cuda.empty_cache()

    def training(self) -> AbstractContextManager[None]:
        """Set the device of this thread."""
        return torch.cuda.device(self.device)

    @contextmanager
    def lane(self, number: int) -> Iterator[None]:
        """Launch on a stream of the lane's own, behind what was launched outside of lanes."""
        if not self._streams:  # all at once: torch has 32, which it gives out in turn, again and again
            self._streams = [torch.cuda.Stream(self.device) for _ in range(self.n_lanes)]
        stream = self._streams[number]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            yield


def place_of(device: str) -> Place:
    """Return the place of a device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        InputError: If it is not there.
    """
    if device == "cpu":
        return CPU()
    if not torch.cuda.is_available():
        raise InputError(f"--device {device}: no CUDA device is available here; use --device cpu")
    index, n_devices = int(device.partition(":")[2] or 0), torch.cuda.device_count()
    if index >= n_devices:
        there = ", ".join(f"cuda:{i}" for i in range(n_devices))
        raise InputError(f"--device {device}: there is no such CUDA device here, only {there}")
    return CUDA(index)
