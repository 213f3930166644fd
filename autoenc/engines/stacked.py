"""The stacked engine: many fits of mixed width and depth as a few batched computations.

A GPU is idle between the launches of a small network's operations. So fits of one depth are stacked along a
model axis, padded to common widths, and take each step together; see :mod:`autoenc.engines.stacks`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.engines.contract import Answer, Request, StopFlag, Watch, check_initial
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.pca_start import start_of
from autoenc.engines.prepared import Prepared
from autoenc.engines.products import Rounding
from autoenc.engines.recipe import Recipe
from autoenc.engines.split import Split
from autoenc.engines.stacks.division import Candidate, divided, kind_of, stack_bytes
from autoenc.engines.stacks.lanes import Ends, run_in_lanes
from autoenc.engines.stacks.places import Place, place_of
from autoenc.engines.stacks.room import Room
from autoenc.engines.stacks.stack import Loaded, Standing
from autoenc.engines.stacks.tables import DeviceTables, table_bytes
from autoenc.engines.stacks.training import Clock, Member, train_stack
from autoenc.engines.torch_state import training_state

__all__ = ["StackedEngine"]


class StackedEngine(Prepared):
    """Trains many fits at once, in PyTorch, on any device.

    What a fit comes to depends on what is trained beside it no further than by rounding.

    Args:
        dtype: Precision of parameters and arithmetic.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        place: How that device is used, where it is not the usual way.
        tf32: Whether a GPU rounds what it multiplies to TF32, which is faster and leaves three digits; not
            while another training in the process needs exact products of a GPU.

    Raises:
        InputError: If the device is not there.
    """

    _first_recipe = Recipe(epochs=1, family="vae")

    def __init__(
        self,
        dtype: type[np.float32] | type[np.float64] = np.float32,
        device: str = "cpu",
        place: Place | None = None,
        tf32: bool = False,
    ) -> None:
        self.name = "stacked_tf32" if tf32 else "stacked"
        self.dtype = torch.float32 if dtype == np.float32 else torch.float64
        self.device, self._tf32 = device, tf32
        self._place = place or place_of(device)
        self.n_at_once = self._place.n_at_once

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it looks there for the device of that name."""
        dtype = np.float32 if self.dtype == torch.float32 else np.float64
        return StackedEngine, (dtype, self.device, None, self._tf32)

    def _fit(self, request: Request, stop: StopFlag) -> Outcome:
        """Train one fit, as a stack of one."""
        answers: list[Outcome | Exception] = []
        self._fit_many([request], lambda _, answer: answers.append(answer), stop)
        (answer,) = answers
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fit_many(self, requests: Sequence[Request], answer: Answer, stop: StopFlag | None = None) -> None:
        """Train fits at once; see :class:`autoenc.engines.contract.ManyAtOnce`."""
        for request in requests:
            check_initial(request.fit, request.initial)
        self.prepare()
        self._fit_many(requests, answer, stop or StopFlag())

    def _fit_many(self, requests: Sequence[Request], answer: Answer, stop: StopFlag) -> None:
        requests = [request._replace(watch=_each_epoch_once(request.watch)) for request in requests]
        tables: dict[int, list[int]] = {}
        for i, request in enumerate(requests):
            tables.setdefault(request.split.values.shape[1], []).append(i)
        with self._training():
            for numbers in tables.values():
                for part in self._with_room(requests, numbers):
                    self._fit_columns(requests, part, answer, stop)

    def _with_room(self, requests: Sequence[Request], numbers: list[int]) -> Iterator[list[int]]:
        """Divide requests into parts whose tables have room at once, beside the largest fit of the part."""
        room_bytes, itemsize = self._place.room_bytes(), self.dtype.itemsize
        by_table: dict[int, list[int]] = {}
        for i in numbers:
            by_table.setdefault(id(requests[i].split.values), []).append(i)
        part: list[int] = []
        for own in by_table.values():
            together = [requests[i] for i in (*part, *own)]
            fits = (stack_bytes(Candidate.of(each.fit, each.split), 1, itemsize) for each in together)
            if part and table_bytes((each.split for each in together), itemsize) + max(fits) > room_bytes:
                yield part
                part, room_bytes = [], self._place.room_bytes()
            part = [*part, *own]
        yield part

    def _fit_columns(
        self, requests: Sequence[Request], numbers: list[int], answer: Answer, stop: StopFlag
    ) -> None:
        """Train the requests whose tables have the same columns."""
        splits, itemsize = [requests[i].split for i in numbers], self.dtype.itemsize
        room = Room(self.device, self._place.room_bytes(), table_bytes(splits, itemsize), itemsize)
        for i in numbers:
            room.check(requests[i].fit, requests[i].split)
        tables, clock = DeviceTables(splits, self._place.device, self.dtype), Clock()

        def begin(stack: list[int]) -> Ends:
            members = []
            for i in stack:
                split, fit, _, initial = requests[i]
                members.append(Member(i, requests[i], Standing(initial or start_of(split, fit))))
            yield from train_stack(members, tables, self._place, self.dtype, stop, clock)

        stacks, n_lanes = self._stacks(requests, numbers, room)
        failed = run_in_lanes(self._place, n_lanes, stacks, begin, answer)
        is_halved = n_lanes == 1
        while failed:
            again: list[list[int]] = []
            for left, error in failed:
                if is_halved and len(left) == 1:
                    if self._place.is_out_of_memory(error):
                        raise room.refusal(requests[left[0]].fit, requests[left[0]].split)
                    answer(left[0], error)
                elif is_halved:  # memory may do for half of them, and an error of one is no other's
                    again += [left[: len(left) // 2], left[len(left) // 2 :]]
                else:  # or for one stack alone
                    again.append(left)
            failed, is_halved = run_in_lanes(self._place, 1, again, begin, answer), True

    def _stacks(
        self, requests: Sequence[Request], numbers: list[int], room: Room
    ) -> tuple[list[list[int]], int]:
        """Divide requests into stacks; return how many of these train at once, too."""
        kinds: dict[Hashable, list[int]] = {}
        for i in numbers:
            kinds.setdefault(kind_of(requests[i].fit, requests[i].split.values.shape[1]), []).append(i)
        candidates = {i: Candidate.of(requests[i].fit, requests[i].split) for i in numbers}
        alone = max(stack_bytes(one, 1, room.itemsize) for one in candidates.values())
        n_lanes = self._place.n_lanes if alone * self._place.n_lanes <= room.left_bytes else 1
        stacks = []
        for kind in kinds.values():
            of_kind = [candidates[i] for i in kind]
            for stack in divided(of_kind, room.itemsize, room.left_bytes // n_lanes, self.n_at_once):
                stacks.append([kind[i] for i in stack])
        return stacks, n_lanes

    @contextmanager
    def _training(self) -> Iterator[None]:
        gpu: Rounding = "any" if self.device == "cpu" else "tf32" if self._tf32 else "exact"
        with training_state(gpu), self._place.training():
            yield

    def reconstruct(
        self, split: Split, fit: Fit, state: State, rows: NDArray[np.int64]
    ) -> NDArray[np.floating]:
        """Reconstruct rows; see :class:`autoenc.engines.contract.Engine`."""
        self.prepare()
        own = np.arange(rows.size)
        wanted = Split(split.values[rows], own, own[:0])
        with self._training():
            tables = DeviceTables([wanted], self._place.device, self.dtype)
            return Loaded([fit], [wanted], [state], tables, self._place, self.dtype).reconstruct(own)


def _each_epoch_once(watch: Watch | None) -> Watch | None:
    """Return a watcher that is shown no epoch again, as where half a stack begins anew."""
    if watch is None:
        return None
    last = -1

    def watching(epoch: int, loss: float) -> None:
        nonlocal last
        if epoch > last:
            last = epoch
            watch(epoch, loss)

    return watching
