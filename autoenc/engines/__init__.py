"""Engines: one contract, several implementations of the same training."""

from __future__ import annotations

from typing import Literal

from autoenc.engines.contract import (
    ACTIVATIONS,
    Engine,
    Fit,
    ManyAtOnce,
    Outcome,
    Recipe,
    Request,
    Split,
    State,
    StopFlag,
    Stopped,
)
from autoenc.errors import InputError
from autoenc.system.surroundings import one_torch_thread

__all__ = [
    "ACTIVATIONS",
    "Engine",
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


def make_engine(
    name: Literal["auto", "native", "torch"] = "auto",
    device: Literal["auto", "cuda", "cpu"] = "auto",
    precision: Literal["float32", "float64"] = "float32",
) -> Engine:
    """Return the engine for these options.

    ``auto`` is the native engine wherever it can run: on models this small one CPU core is faster than
    a GPU that is fed one operation at a time. Only ``device="cuda"`` asks for the torch engine.

    Raises:
        InputError: If the device is not there, or the engine cannot use it.
    """
    import numpy as np

    dtype = np.float32 if precision == "float32" else np.float64
    if name == "native" and device == "cuda":
        raise InputError("--engine native trains on the CPU only; with --device cuda use --engine torch")
    if name != "torch" and device != "cuda":
        from autoenc.engines.native import NativeEngine

        return NativeEngine(dtype)
    # torch takes seconds to import, so only a search that needs it pays.
    import torch

    from autoenc.engines.torch_loop import TorchEngine

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is available here; use --device cpu")
    one_torch_thread()
    on_cuda = device != "cpu" and torch.cuda.is_available()
    return TorchEngine(dtype, "cuda" if on_cuda else "cpu")
