"""Which fits share a stack: as many as padding and memory allow."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from autoenc.engines.fit import Fit
from autoenc.engines.split import Split
from autoenc.engines.stacks.shapes import padded_shapes
from autoenc.models.grid import NetworkShape

__all__ = ["Candidate", "divided", "kind_of", "stack_bytes"]

_MOST_PADDING = 2.0
"""How much more work a padded stack may be than its networks alone."""

_PARAMETER_COPIES = 10  # with moments, the kept ones, gradients, and what AdamW has in between
_ACTIVATION_COPIES = 8  # of a unit: before and after norm, activation and dropout, forward and backward


@dataclass(frozen=True)
class Candidate:
    """A fit to be stacked.

    Attributes:
        network: What it trains.
        n_steps: Steps of an epoch.
        batch: Rows of a step.
    """

    network: NetworkShape
    n_steps: int
    batch: int

    @classmethod
    def of(cls, fit: Fit, split: Split) -> Candidate:
        """Return the candidate of a fit on a split."""
        n_train = split.train.size
        batch = min(fit.recipe.batch_size, n_train)
        return cls(fit.network(split.values.shape[1]), -(-n_train // batch), batch)


def kind_of(fit: Fit, n_columns: int) -> Hashable:
    """Return what the fits of a stack have in common; all else may differ between them."""
    network = fit.network(n_columns)
    return (
        len(fit.architecture), fit.recipe.activation, network.norm, network.normalizes_input, n_columns,
    )  # fmt: skip


def stack_bytes(members: Sequence[Candidate], itemsize: int) -> int:
    """Estimate the memory of a stack beside its tables."""
    shapes = padded_shapes([member.network for member in members])
    n_parameters = sum(int(np.prod(shape)) for shape in shapes.values())
    units = sum(shape[-1] for name, shape in shapes.items() if name.endswith("weight"))
    batch = max(member.batch for member in members)
    rows = (units + 2 * members[0].network.input_dim) * batch
    return len(members) * itemsize * (_PARAMETER_COPIES * n_parameters + _ACTIVATION_COPIES * rows)


@dataclass
class _Open:
    """A stack that takes in more."""

    members: list[int] = field(default_factory=list)
    work: float = 0.0


def divided(candidates: Sequence[Candidate], itemsize: int, room_bytes: int, most: int) -> list[list[int]]:
    """Divide fits of one kind into stacks.

    Sorted by size, each joins the first stack that it does not make too wasteful or too large: padding at
    most doubles the work of a stack.

    Args:
        candidates: Fits of one kind.
        itemsize: Bytes of a number.
        room_bytes: Memory that a stack may take; a fit too large for it stands alone.
        most: Fits of a stack at most.

    Returns:
        Stacks of indices; each fit stands in one.
    """
    work = [_work([candidate]) for candidate in candidates]
    order = sorted(range(len(candidates)), key=lambda i: (-work[i], candidates[i].network.hidden_dims))
    stacks: list[_Open] = []
    for i in order:
        for stack in stacks:
            together = [candidates[j] for j in (*stack.members, i)]
            is_dense = _work(together) <= _MOST_PADDING * (stack.work + work[i])
            if len(together) <= most and is_dense and stack_bytes(together, itemsize) <= room_bytes:
                break
        else:
            stack = _Open()
            stacks.append(stack)
        stack.members.append(i)
        stack.work += work[i]
    return [stack.members for stack in stacks]


def _work(members: Sequence[Candidate]) -> float:
    """Multiply-adds of an epoch of a stack, with all its padding."""
    shapes = padded_shapes([member.network for member in members])
    matrices = sum(int(np.prod(shape)) for shape in shapes.values() if len(shape) == 2)
    n_rows = max(member.n_steps for member in members) * max(member.batch for member in members)
    return float(len(members) * n_rows * matrices)
