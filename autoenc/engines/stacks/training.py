"""The epochs of a stack: who trains on, who leaves it, and with which outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from autoenc.engines.contract import Request, StopFlag, Stopped
from autoenc.engines.epochs import Course, outcome_of
from autoenc.engines.explained import explained_variance
from autoenc.engines.stacks.lanes import Ends
from autoenc.engines.stacks.places import Place
from autoenc.engines.stacks.stack import Loaded, Stack, Standing
from autoenc.engines.stacks.tables import DeviceTables

__all__ = ["Clock", "Member", "train_stack"]


class Member:
    """A request in training.

    Args:
        number: Its place among the requests.
        request: What is asked.
        standing: Where it begins.

    Attributes:
        work: About proportional to the time that an epoch of it takes.
        seconds: Its share of the time so far.
        trains: Whether an epoch follows.
    """

    def __init__(self, number: int, request: Request, standing: Standing) -> None:
        self.number, self.request, self.standing = number, request, standing
        self.fit, self.split = request.fit, request.split
        network = self.fit.network(self.split.values.shape[1])
        self.work = network.count_multiply_adds() * self.split.train.size
        self.course = Course(self.fit.recipe)
        self.seconds = 0.0
        self.trains = True


class Clock:
    """Divides the time that a stack takes among its members."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def charge(self, members: Sequence[Member]) -> None:
        """Charge the time since the last call to these, the more the larger they are."""
        now = time.perf_counter()
        total = sum(member.work for member in members)
        for member in members:
            member.seconds += (now - self._last) * member.work / total
        self._last = now


def train_stack(
    members: list[Member],
    tables: DeviceTables,
    place: Place,
    dtype: torch.dtype,
    stop: StopFlag,
    clock: Clock,
) -> Ends:
    """Train members together, each as if it were alone.

    Args:
        members: Of one kind.
        tables: Their rows.
        place: Where they are trained.
        dtype: Precision.
        stop: Ends it early.
        clock: Measures their time, and that of other stacks.

    Yields:
        The number of each with its outcome, or what its watcher raised, as soon as its last epoch is over;
        and None whenever an epoch is launched.

    Raises:
        Stopped: If ``stop`` is set.
    """
    stack = _stack_of(members, tables, place, dtype)
    _begin(members, stack)
    at, epoch = list(members), 0
    while any(member.trains for member in at):
        stack.launch(epoch, stop)
        yield None
        train_losses, test_losses = stack.train_losses(), stack.test_losses()
        if stop.is_set():
            raise Stopped
        active = [(i, member) for i, member in enumerate(at) if member.trains]
        losses = list(zip(train_losses.tolist(), test_losses.tolist(), strict=True))
        stack.keep([i for i, member in active if member.course.take(*losses[i])])
        clock.charge([member for _, member in active])
        ended: list[Member] = []
        for i, member in active:
            error = _watched(member, epoch)
            if error is not None:
                member.trains = False
                yield member.number, error
            elif member.course.is_over:
                member.trains = False
                member.standing = Standing(stack.state(i, kept=member.fit.recipe.patience > 0))
                ended.append(member)
        if ended:
            yield from _concluded(ended, tables, place, dtype, clock)
        left = [(i, member) for i, member in active if member.trains]
        if left and len(left) < place.shrinks_below * len(at):
            for i, member in left:
                member.standing = stack.standing(i)
            at = [member for _, member in left]
            del stack  # before another takes memory
            stack = _stack_of(at, tables, place, dtype)
        epoch += 1


def _stack_of(members: list[Member], tables: DeviceTables, place: Place, dtype: torch.dtype) -> Stack:
    fits, splits = [member.fit for member in members], [member.split for member in members]
    return Stack(fits, splits, [member.standing for member in members], tables, place, dtype)


def _begin(members: Sequence[Member], stack: Stack) -> None:
    """Note the test loss before the first step, of those that begin from PCA."""
    if any(member.fit.recipe.start == "pca" for member in members):
        for member, loss in zip(members, stack.test_losses(), strict=True):
            if member.fit.recipe.start == "pca":
                member.course = Course(member.fit.recipe, float(loss))


def _watched(member: Member, epoch: int) -> Exception | None:
    """Show an epoch to the watcher of a member; return what it raises."""
    if member.request.watch is None or member.course.failure is not None:
        return None
    try:
        member.request.watch(epoch, member.course.epochs.test_losses[-1])
    except Exception as error:
        return error
    return None


def _concluded(
    members: Sequence[Member], tables: DeviceTables, place: Place, dtype: torch.dtype, clock: Clock
) -> Ends:
    """What members came to, by the parameters that they keep."""
    loaded = _loaded(members, tables, place, dtype)
    train_losses = loaded.losses("train")
    outcomes = []
    for member, train_loss in zip(members, train_losses, strict=True):
        alone = _loaded([member], tables, place, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            explained = explained_variance(member.split, alone.reconstruct)
        epochs, state = member.course.epochs, member.standing.state
        outcomes.append(outcome_of(epochs, float(train_loss), 0.0, state, explained))
    clock.charge(members)
    for member, outcome in zip(members, outcomes, strict=True):
        yield member.number, replace(outcome, seconds=member.seconds)


def _loaded(members: Sequence[Member], tables: DeviceTables, place: Place, dtype: torch.dtype) -> Loaded:
    fits, splits = [member.fit for member in members], [member.split for member in members]
    return Loaded(fits, splits, [member.standing.state for member in members], tables, place, dtype)
