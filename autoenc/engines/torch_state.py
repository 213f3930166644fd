"""Torch's global state during a training, whatever the caller has set; restored after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from autoenc.engines.products import Rounding, products

__all__ = ["single_precision", "training_state"]


@contextmanager
def training_state(gpu: Rounding = "exact") -> Iterator[None]:
    """Record gradients, and make tensors on the CPU where no device is named; for this thread alone.

    Args:
        gpu: See :func:`~autoenc.engines.products.products`, which holds in all threads.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        # Of a new tensor, as torch 2.4 does not tell that of a block; a mode costs time in each operation.
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(products(gpu))
        yield


@contextmanager
def single_precision() -> Iterator[None]:
    """Make tensors of float32 where no type is named; in all threads, as torch has one type for them."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
