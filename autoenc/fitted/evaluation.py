"""Networks as they are after training, whatever their user has set in the meantime."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from autoenc.engines.products import products

__all__ = ["evaluating"]

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def evaluating(module: Module, dtype: torch.dtype = torch.float32) -> Iterator[Module]:
    """Provide a network without dropout and gradients, on the CPU, by default in single precision.

    The network itself is left as it is; where it is set otherwise, a copy is used.
    """
    wanted = all(not part.training for part in module.modules()) and all(
        value.dtype == dtype and value.device.type == "cpu" for value in module.parameters()
    )
    with torch.inference_mode(), torch.autocast("cpu", enabled=False), products("any"):
        yield module if wanted else copy.deepcopy(module).eval().to("cpu", dtype)
