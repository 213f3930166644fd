"""Stage 2 step by step, and on an encoder that is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import cos, pi
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from autoenc.engines import StopFlag, Stopped
from autoenc.engines.randomness import batch_order
from autoenc.settings import TransferSettings
from autoenc.two_stage.heads import Heads

__all__ = ["HeadRecipe", "Step", "as_tensor", "steps", "train_thawed"]

Latents = Callable[[torch.Tensor], torch.Tensor]


class HeadRecipe(NamedTuple):
    """The open options of the training of heads.

    Attributes:
        dropout: Probability that a hidden unit is dropped, in [0, 1).
        learning_rate: Of the first epoch.
        weight_decay: Decoupled weight decay of AdamW.
    """

    dropout: float
    learning_rate: float
    weight_decay: float


class Step(NamedTuple):
    """A step of training.

    Attributes:
        rate: Learning rate of the heads.
        batch: Which rows it learns from.
        mask: What the heads' hidden units are multiplied by, ``[rows, kinds, hidden]``; 0 where dropped.
    """

    rate: float
    batch: torch.Tensor
    mask: torch.Tensor


def steps(
    heads: Heads, n_rows: int, recipe: HeadRecipe, settings: TransferSettings, generator: torch.Generator,
    stop: StopFlag,
) -> Iterator[Step]:  # fmt: skip
    """Yield the steps of stage 2: cosine annealing, rows in a new order in each epoch, fresh masks.

    Raises:
        Stopped: If ``stop`` was set before the end; it is looked at after every epoch.
    """
    # With few rows a fixed size would leave the heads with next to no steps.
    batch_size = settings.stage2_batch_size or min(max(n_rows // 16, 8), 64)
    for epoch in range(settings.stage2_epochs):
        rate = recipe.learning_rate * (1 + cos(pi * epoch / settings.stage2_epochs)) / 2
        order = torch.from_numpy(batch_order(settings.seed, epoch, n_rows).copy())
        # Drawn from our own generator, as torch's global one is shared by all trials at once.
        drawn = torch.rand((n_rows, len(heads.first), heads.hidden), generator=generator, dtype=torch.float32)
        kept = drawn >= recipe.dropout
        masks = kept.to(torch.float32) / (1 - recipe.dropout)
        for batch, mask in zip(order.split(batch_size), masks.split(batch_size), strict=True):
            yield Step(rate, batch, mask)
        if stop.is_set():
            raise Stopped


def train_thawed(
    heads: Heads,
    latents: Latents,
    trained: Sequence[nn.Parameter],
    inputs: torch.Tensor,
    targets: Mapping[str, torch.Tensor],
    recipe: HeadRecipe,
    settings: TransferSettings,
    stop: StopFlag,
) -> None:
    """Train heads together with the encoder below them, by AdamW.

    Args:
        heads: Trained in place, from fresh weights.
        latents: Turns inputs into latent points, without dropout.
        trained: Parameters of ``latents`` that are trained on.
        inputs: The rows to learn from.
        targets: By kind, standardized numbers and classes 0 and 1; NaN where the label is missing.
        recipe: How the heads are trained.
        settings: The constants of stage 2, and the seed.
        stop: See :func:`steps`.

    Shape:
        inputs: ``[rows, ...]``, whatever ``latents`` takes.
        targets: ``[rows]`` each.

    Raises:
        Stopped: If ``stop`` was set before the end.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.no_grad():
        heads.start(latents(inputs), generator)
    groups = [
        {"params": list(heads.parameters()), "share": 1.0},
        {"params": list(trained), "share": settings.encoder_rate_share},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
    loss_of = _Loss(targets, settings)
    for step in steps(heads, len(inputs), recipe, settings, generator, stop):
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * step.rate
        batch, mask = step.batch.to(inputs.device), step.mask.to(inputs.device)
        optimizer.zero_grad()
        loss_of(batch, heads(latents(inputs[batch]), mask)).backward()
        optimizer.step()


class _Loss:
    """The weighted losses of a batch: Huber's for numbers, cross-entropy for classes, over known labels."""

    def __init__(self, targets: Mapping[str, torch.Tensor], settings: TransferSettings) -> None:
        self._known = {kind: (~target.isnan()).to(target.dtype) for kind, target in targets.items()}
        self._filled = {kind: target.nan_to_num(nan=0.0) for kind, target in targets.items()}
        self._weights = {
            "regression": settings.regression_loss_weight,
            "classification": settings.classification_loss_weight,
        }
        self._positive = torch.tensor(1.0, dtype=torch.float32)
        if "classification" in targets:
            known, target = self._known["classification"], self._filled["classification"]
            n_positive = float(target.sum())
            rarity = (float(known.sum()) - n_positive) / n_positive
            weight = settings.positive_weight or rarity
            self._positive = torch.tensor(weight, dtype=target.dtype, device=target.device)

    def __call__(self, batch: torch.Tensor, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32, device=batch.device)
        for kind, output in outputs.items():
            known, target = self._known[kind][batch], self._filled[kind][batch]
            if kind == "regression":
                losses = nn.functional.huber_loss(output, target, reduction="none")
            else:
                losses = nn.functional.binary_cross_entropy_with_logits(
                    output, target, reduction="none", pos_weight=self._positive
                )
            total = total + self._weights[kind] * (losses * known).sum() / known.sum().clamp(min=1)
        return total


def as_tensor(values: np.ndarray, device: str) -> torch.Tensor:
    """Return it as float32 on the device."""
    return torch.from_numpy(np.asarray(values, np.float32)).to(device)
