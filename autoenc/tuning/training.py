"""The training of any torch module: AdamW, cosine schedule, mini-batches, everything seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import nn

from autoenc.errors import InputError
from autoenc.tuning.pairs import Pairs, seeded

__all__ = ["Loss", "TrainedModule", "train_module"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_BY_ELEMENT = nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss
_BY_ELEMENT_FUNCTIONS = tuple(
    getattr(nn.functional, name) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
)
_EVALUATION_ROWS = 4096  # rows that pass through the network at once when a loss is only measured


class TrainedModule(NamedTuple):
    """A module after its training.

    Attributes:
        model: The module as it stood after the last epoch, in evaluation mode.
        train_losses: For each epoch the loss of the rows as they were met in training.
        val_losses: For each epoch the loss of all validation rows at once.
    """

    model: nn.Module
    train_losses: list[float]
    val_losses: list[float]

    @property
    def val_loss(self) -> float:
        """Validation loss after the last epoch."""
        return self.val_losses[-1]


def train_module(
    make: Callable[[], nn.Module],
    options: Mapping[str, Any],
    train: Pairs,
    val: Pairs,
    loss: Loss,
    seed: int,
    device: torch.device,
    threads: int = 1,
    watch: Callable[[int, float], None] = lambda epoch, val_loss: None,
) -> TrainedModule:
    """Train a module; what comes out follows from the arguments alone.

    Args:
        make: Makes the module.
        options: ``learning_rate``, ``weight_decay``, ``batch_size``, ``num_epochs``.
        train: What it learns from.
        val: What measures it.
        loss: Called with output and target; of an output that is a tuple, its first element.
        seed: Of initial weights, dropout and the order of the batches.
        device: Where to train.
        threads: CPU threads; with another number the last bits may differ.
        watch: Called after each epoch with its number, from 0, and the validation loss.

    Raises:
        ArithmeticError: If a loss stops being finite.
        ValueError: If ``loss`` does not give one number.
    """
    train, val = train.on(device), val.on(device)
    with seeded(seed, device), _cpu_threads(threads):
        model = make().to(device)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=options["learning_rate"], weight_decay=options["weight_decay"]
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options["num_epochs"])
        order = torch.Generator().manual_seed(seed)
        train_losses: list[float] = []
        val_losses: list[float] = []
        for epoch in range(options["num_epochs"]):
            rows = torch.randperm(len(train.inputs), generator=order).to(device)
            train_losses.append(
                _train_epoch(model, optimizer, train, rows.split(options["batch_size"]), loss)
            )
            schedule.step()
            val_losses.append(_loss_of(model, val, loss))
            if not (isfinite(train_losses[-1]) and isfinite(val_losses[-1])):
                raise ArithmeticError(f"the loss stopped being finite in epoch {epoch + 1}")
            watch(epoch, val_losses[-1])
    return TrainedModule(model, train_losses, val_losses)


@contextmanager
def _cpu_threads(n_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    pairs: Pairs,
    batches: tuple[torch.Tensor, ...],
    loss: Loss,
) -> float:
    model.train()
    total = 0.0
    for rows in batches:
        value = _value(loss, _first(model(pairs.inputs[rows])), pairs.targets[rows])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        total += value.item() * len(rows)
    return total / len(pairs.inputs)


@torch.no_grad()
def _loss_of(model: nn.Module, pairs: Pairs, loss: Loss) -> float:
    model.eval()
    outputs = [_first(model(inputs)) for inputs in pairs.inputs.split(_EVALUATION_ROWS)]
    return _value(loss, torch.cat(outputs), pairs.targets).item()


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _value(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the loss, a number.

    Raises:
        InputError: If torch would compare each row of the output with other rows of the target, too.
    """
    by_element = isinstance(loss, _BY_ELEMENT) or loss in _BY_ELEMENT_FUNCTIONS
    if by_element and output.shape != target.shape:
        raise InputError(
            f"the target must have the shape of the model's output, got {list(target.shape)} and "
            f"{list(output.shape)} for a batch; give a target of one number a row as [rows, 1]"
        )
    return _checked(loss(output, target))


def _checked(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"loss must give one number as a tensor, got {shape}")
    return value
