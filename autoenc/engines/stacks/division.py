"""Which fits share a stack: as many as padding and memory allow."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from typing import NamedTuple

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

    def with_room_for(self, other: Candidate) -> Candidate:
        """Return the smallest that this one and another of its kind can be padded to."""
        mine, its = self.network, other.network
        network = replace(
            mine,
            hidden_dims=tuple(map(max, mine.hidden_dims, its.hidden_dims)),
            latent_dim=max(mine.latent_dim, its.latent_dim),
            variational=mine.variational or its.variational,
            linear_path=mine.linear_path or its.linear_path,
            input_mask=mine.input_mask or its.input_mask,
        )
        return Candidate(network, max(self.n_steps, other.n_steps), max(self.batch, other.batch))


def kind_of(fit: Fit, n_columns: int) -> Hashable:
    """Return what the fits of a stack have in common; all else may differ between them."""
    network = fit.network(n_columns)
    return (
        len(fit.architecture), fit.recipe.activation, network.norm, network.normalizes_input, n_columns,
    )  # fmt: skip


def stack_bytes(padded: Candidate, n_models: int, itemsize: int) -> int:
    """Estimate the memory of a stack beside its tables.

    Args:
        padded: What each of its members is padded to.
        n_models: How many they are.
        itemsize: Bytes of a number.
    """
    sizes = _sizes(padded.network)
    rows = (sizes.units + 2 * padded.network.input_dim) * padded.batch
    return n_models * itemsize * (_PARAMETER_COPIES * sizes.parameters + _ACTIVATION_COPIES * rows)


class _Sizes(NamedTuple):
    """Sizes of a network: all its parameters, those of its matrices, and its units."""

    parameters: int
    matrices: int
    units: int


@lru_cache(maxsize=4096)  # folds and seeds ask for the same ones again and again
def _sizes(network: NetworkShape) -> _Sizes:
    shapes = padded_shapes([network])
    units = sum(shape[-1] for name, shape in shapes.items() if name.endswith("weight"))
    matrices = sum(prod(shape) for shape in shapes.values() if len(shape) == 2)
    return _Sizes(sum(map(prod, shapes.values())), matrices, units)


def _work(padded: Candidate, n_models: int = 1) -> float:
    """Multiply-adds of an epoch of a stack, with all its padding."""
    return float(n_models * padded.n_steps * padded.batch * _sizes(padded.network).matrices)


@dataclass
class _Open:
    """A stack that takes in more.

    Attributes:
        padded: What its members are padded to.
        members: Their indices.
        work: Of each of them alone, in all.
    """

    padded: Candidate
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
    work = [_work(candidate) for candidate in candidates]
    order = sorted(range(len(candidates)), key=lambda i: (-work[i], candidates[i].network.hidden_dims))
    stacks: list[_Open] = []
    for i in order:
        for stack in stacks:
            padded, n_models = stack.padded.with_room_for(candidates[i]), len(stack.members) + 1
            is_dense = _work(padded, n_models) <= _MOST_PADDING * (stack.work + work[i])
            if n_models <= most and is_dense and stack_bytes(padded, n_models, itemsize) <= room_bytes:
                break
        else:
            stack = _Open(candidates[i])
            padded = stack.padded
            stacks.append(stack)
        stack.padded = padded
        stack.members.append(i)
        stack.work += work[i]
    return [stack.members for stack in stacks]
