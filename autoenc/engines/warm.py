"""Warm starts: a stack begins from the trained stack that it extends by one hidden layer.

The parent of a warm fit is the cold fit of the same stack without its last hidden layer, with the same
recipe, fold and seed. It is never warm itself, so a warm fit follows from its coordinates alone, as every fit
does: whether its parent was kept in memory or is trained again makes no difference to any bit.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from autoenc.engines.contract import Engine, Request, StopFlag
from autoenc.engines.fit import Fit, Outcome, State
from autoenc.engines.randomness import initial_state
from autoenc.engines.split import Split
from autoenc.engines.wrapping import Wrapping
from autoenc.models.grid import NetworkShape, format_architecture

__all__ = ["WarmStarting", "extended_state"]

_MEMORY_BYTES = 256 * 2**20


def extended_state(network: NetworkShape, seed: int, parent: NetworkShape, trained: State) -> State:
    """Return where a stack begins that extends a trained one.

    The input norm, the hidden layers of the encoder that both have, their mirror images up to the output, and
    the norms of these are the parent's. The new hidden layer, its mirror image, and the layers around the
    latent space begin as the seed says: those of the parent had another place.

    Args:
        network: The stack that begins.
        seed: Of what is not the parent's.
        parent: The same network without the last hidden layer.
        trained: The parent's parameters.
    """
    state = initial_state(network, seed)
    depth = len(parent.hidden_dims)
    own, its = network.layers(), parent.layers()
    pairs = [*zip(own[:depth], its[:depth], strict=True), *zip(own[-depth:], its[-depth:], strict=True)]
    source = {"input_norm": "input_norm"} if network.normalizes_input else {}
    for layer, same in pairs:
        source[layer.linear] = same.linear
        if layer.norm and same.norm:
            source[layer.norm] = same.norm
    if network.input_mask:
        state["encoder_mask.weight"] = trained["encoder_mask.weight"]
    for name, other in source.items():
        for part in ("weight", "bias"):
            state[f"{name}.{part}"] = trained[f"{other}.{part}"]
    return state


@dataclass
class _Kept:
    """A cold fit that may be a parent: trained by whoever comes first, while the others wait."""

    split: weakref.ref[Split]
    lock: threading.Lock = field(default_factory=threading.Lock)
    outcome: Outcome | None = None
    n_bytes: int = 0
    n_users: int = 0


class WarmStarting(Wrapping[Engine]):
    """An engine that finds for every warm fit its trained parent, and has another engine train both.

    Cold fits that can be parents are kept in memory for a while, the last used longest, so that a parent is
    rarely trained twice and never by two threads at once. A warm fit whose parent fails has failed. Its time
    is that of its own training.

    Args:
        base: What trains.
        max_layers: Hidden layers of the deepest stacks, which are nobody's parents.
        memory_bytes: How much the kept parameters may take.
    """

    def __init__(self, base: Engine, max_layers: int, memory_bytes: int = _MEMORY_BYTES) -> None:
        super().__init__(base)
        self._max_layers, self._memory_bytes = max_layers, memory_bytes
        self._kept: OrderedDict[Fit, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it begins there with an empty memory."""
        return WarmStarting, (self._base, self._max_layers, self._memory_bytes)

    def _train(self, request: Request, stop: StopFlag | None) -> Outcome:
        split, fit = request.split, request.fit
        if request.initial is not None:
            return self._by_base(request, stop)
        if not fit.recipe.warm_start:
            # What is watched is watched from its first epoch on, and cannot be taken from memory.
            if request.watch is None and len(fit.architecture) < self._max_layers:
                return self._once(split, fit, stop)
            return self._by_base(request, stop)
        parent = fit.parent
        trained = self._once(split, parent, stop)
        if trained.failure:
            name = format_architecture(parent.architecture)
            return Outcome([], [], float("nan"), 0.0, {}, failure=f"{name}, its parent: {trained.failure}")
        n_columns = split.values.shape[1]
        start = extended_state(fit.network(n_columns), fit.seed, parent.network(n_columns), trained.state)
        return self._by_base(request._replace(initial=start), stop)

    def _once(self, split: Split, fit: Fit, stop: StopFlag | None) -> Outcome:
        """The outcome of a cold fit, trained here unless it is kept or in training already."""
        kept = self._taken(split, fit)
        try:
            with kept.lock:  # if whoever trains it gives up, the next in line tries
                if kept.outcome is None:
                    outcome = self._base.fit(split, fit, stop)
                    # Copies, because an engine's arrays may be views into larger ones.
                    state = {name: value.copy() for name, value in outcome.state.items()}
                    kept.n_bytes = sum(value.nbytes for value in state.values())
                    kept.outcome = replace(outcome, state=state)
                return kept.outcome
        finally:
            self._give_back(fit, kept)

    def _taken(self, split: Split, fit: Fit) -> _Kept:
        with self._lock:
            kept = self._kept.get(fit)
            # A fit names its rows within one table only.
            if kept is None or kept.split() is not split:
                kept = self._kept[fit] = _Kept(weakref.ref(split))
            kept.n_users += 1
            self._kept.move_to_end(fit)
            return kept

    def _give_back(self, fit: Fit, kept: _Kept) -> None:
        """Let go of what was not used for longest until the rest has room; never of what is in use."""
        with self._lock:
            kept.n_users -= 1
            if kept.outcome is None and kept.n_users == 0 and self._kept.get(fit) is kept:
                del self._kept[fit]
            held = sum(one.n_bytes for one in self._kept.values())
            for other in list(self._kept) if held > self._memory_bytes else []:
                if self._kept[other].n_users == 0:
                    held -= self._kept.pop(other).n_bytes
                if held <= self._memory_bytes:
                    break
