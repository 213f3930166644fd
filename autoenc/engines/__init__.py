"""Engines: one contract, several implementations of the same training."""

from __future__ import annotations

from typing import Literal

from autoenc.engines.contract import Engine, ManyAtOnce, Request, StopFlag, Stopped
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.recipe import ACTIVATIONS, Recipe
from autoenc.engines.split import Split
from autoenc.errors import InputError
from autoenc.system.surroundings import one_torch_thread

__all__ = [
    "ACTIVATIONS",
    "Engine",
    "EngineName",
    "Fit",
    "ManyAtOnce",
    "Outcome",
    "Recipe",
    "Request",
    "Split",
    "State",
    "StopFlag",
    "Stopped",
    "make_engine",
]


EngineName = Literal["auto", "native", "torch", "stacked", "stacked_tf32"]


def make_engine(
    name: EngineName = "auto",
    device: str = "auto",
    precision: Literal["float32", "float64"] = "float32",
    n_cores: int = 1,
) -> Engine:
    """Return the engine for these options.

    ``auto`` is the native engine, or on ``device="cuda"`` the stacked one: a GPU that is fed one operation of
    a small network at a time is slower than a core.

    Args:
        name: ``native``, ``torch``, ``stacked``, ``stacked_tf32`` (its products rounded to TF32) or ``auto``.
        device: ``cpu``, ``cuda``, one GPU of several such as ``cuda:1``, or ``auto``: for the stacked and the
            torch engine the first GPU if there is one.
        precision: Of parameters and arithmetic.
        n_cores: Cores that all fits in training share; only the native engine has a use for more of them than
            there are fits.

    Raises:
        InputError: If the device is not there, or the engine cannot use it.
    """
    import numpy as np

    dtype = np.float32 if precision == "float32" else np.float64
    is_cuda = device.startswith("cuda")
    if name == "native" and is_cuda:
        raise InputError(
            f"--engine native trains on the CPU only; with --device {device} use --engine stacked"
        )
    if name in ("auto", "native") and not is_cuda:
        from autoenc.engines.native import NativeEngine

        return NativeEngine(dtype, n_cores)
    # torch takes seconds to import, so only a search that needs it pays.
    import torch

    from autoenc.engines.gathering import Gathering
    from autoenc.engines.stacked import StackedEngine
    from autoenc.engines.stacks.places import place_of
    from autoenc.engines.torch_loop import TorchEngine

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = place_of(device)
    if name == "stacked_tf32" and device == "cpu":
        raise InputError(f"--engine {name} rounds as only a GPU can; on the CPU use --engine stacked")
    one_torch_thread()
    if name == "torch":
        return TorchEngine(dtype, device)
    return Gathering(StackedEngine(dtype, device, place, tf32=name == "stacked_tf32"))
