"""Ranges and choices of a finer search, drawn around the best trials of a coarser one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil, exp, floor, log
from typing import Any, NamedTuple

from autoenc.analysis.observations import Observation, Observations
from autoenc.errors import InputError
from autoenc.settings.refine import NarrowingSettings
from autoenc.settings.space import SpaceSettings
from autoenc.settings.transfer import TransferSpaceSettings

__all__ = ["FEWEST", "Narrowed", "best_of", "narrow"]

FEWEST = 3
_AT_END = 0.05  # of a range: what lies closer to an end than this lies at it
_LOG = {
    "hidden_size_range", "learning_rate_range", "weight_decay_range", "head_learning_rate_range",
    "head_weight_decay_range",
}  # fmt: skip
_WHOLE = {"num_layers_range", "hidden_size_range"}
_DIGITS = 3
_FIELDS = {**TransferSpaceSettings.model_fields, **SpaceSettings.model_fields}


class Narrowed(NamedTuple):
    """An option of the finer search.

    Attributes:
        option: Its name.
        value: A range as (low, high), or the choices.
        coarse: What it was.
        winner: The best trial's values of it, several where it has several layers.
        reason: Why it was narrowed, widened or kept.
    """

    option: str
    value: tuple[Any, ...]
    coarse: tuple[Any, ...]
    winner: tuple[Any, ...]
    reason: str


class _Bounds(NamedTuple):
    """Bounds that no value may pass."""

    low: float
    high: float
    low_open: bool
    high_open: bool


def best_of(seen: Observations, top: int | None) -> list[Observation]:
    """Return the trials that count: by default the best tenth, and three at least.

    Raises:
        InputError: If there are fewer than three, or than ``top``.
    """
    n = len(seen.trials)
    wanted = max(FEWEST, ceil(n / 10)) if top is None else top
    if n < wanted:
        raise InputError(f"{seen.name}: has {n} finished trials; {wanted} are needed to narrow its ranges")
    return seen.trials[:wanted]


def narrow(seen: Observations, settings: NarrowingSettings) -> list[Narrowed]:
    """Return every option of the space, narrowed to what the best trials have in common.

    A range becomes the span of the best trials' values with a margin, on a log scale where it is drawn on
    one, within the old range. Where the best trial itself lies at an end of the old range the optimum may lie
    beyond, so that this end moves outwards, as far as the option's bounds allow.

    Raises:
        InputError: If too few trials are finished.
    """
    best = best_of(seen, settings.top)
    options = []
    for option, coarse in seen.space.items():
        values = [_values(trial, option) for trial in best]
        if option.endswith("_range"):
            options.append(_range(option, coarse, values, settings))
        else:
            options.append(_choices(option, coarse, values))
    return options


def _values(trial: Observation, option: str) -> tuple[Any, ...]:
    """Return the trial's values of an option, those of widths by layer."""
    if option == "hidden_size_range":
        return tuple(value for name, value in trial.parameters.items() if name.startswith("hidden_size_"))
    name = "family" if option == "families" else option.removesuffix("_range").removesuffix("_options")
    return (trial.parameters[name],)


def _choices(option: str, coarse: tuple[Any, ...], values: Sequence[tuple[Any, ...]]) -> Narrowed:
    among = {value for own in values for value in own}
    kept = tuple(choice for choice in coarse if choice in among)
    if len(coarse) == 1:
        reason = "kept: there was one choice"
    elif len(kept) == len(coarse):
        reason = f"kept: every choice is among the best {len(values)}"
    else:
        reason = f"narrowed to the choices of the best {len(values)}"
    return Narrowed(option, kept, coarse, values[0], reason)


def _range(
    option: str, coarse: tuple[Any, ...], values: Sequence[tuple[Any, ...]], settings: NarrowingSettings
) -> Narrowed:
    low, high = coarse
    winner = values[0]
    if low == high:
        return _possible(Narrowed(option, coarse, coarse, winner, "kept: one value was tried"))
    on_log = option in _LOG and low > 0
    inner, outer = (log, exp) if on_log else (float, float)
    width = inner(high) - inner(low)
    flat = [inner(value) for own in values for value in own]
    room = settings.margin * width
    ends = [
        _rounded(option, outer(min(flat) - room), ROUND_FLOOR),
        _rounded(option, outer(max(flat) + room), ROUND_CEILING),
    ]
    ends = [max(ends[0], low), min(ends[1], high)]
    verdict = "kept" if ends == [low, high] else "narrowed"
    reasons = [f"{verdict}: what the best {len(values)} span, with a margin"]
    if (inner(min(winner)) - inner(low)) / width <= _AT_END:
        ends[0] = _moved_down(option, low, settings.widen)
        reasons.append(_moved(option, "lower", ends[0] != low))
    if (inner(high) - inner(max(winner))) / width <= _AT_END:
        ends[1] = _moved_up(option, high, settings.widen)
        reasons.append(_moved(option, "upper", ends[1] != high))
    return _possible(Narrowed(option, tuple(ends), coarse, winner, "; ".join(reasons)))


def _moved(option: str, end: str, moved: bool) -> str:
    if moved:
        return f"widened: the best lies at the {end} end"
    return f"the best lies at the {end} end, which cannot move"


def _moved_down(option: str, low: float, factor: float) -> float:
    return min(_rounded(option, max(low / factor, _bounds(option).low), ROUND_CEILING), low)


def _moved_up(option: str, high: float, factor: float) -> float:
    bounds = _bounds(option)
    # An open bound is no value itself: at most half of the way to it.
    most = (high + bounds.high) / 2 if bounds.high_open else bounds.high
    return max(_rounded(option, min(high * factor, most), ROUND_FLOOR), high)


def _possible(option: Narrowed) -> Narrowed:
    """Return the same within the option's bounds; a grid may have had a value that no range has."""
    bounds, (low, high) = _bounds(option.option), option.value
    if not (bounds.low_open and low <= bounds.low):
        return option
    least = _FIELDS[option.option].default[0]
    reason = f"{option.reason}; begins at {least:g}, as {low:g} has no place on a log scale"
    return option._replace(value=(least, max(least, high)), reason=reason)


def _rounded(option: str, value: float, direction: str) -> float:
    """Return a number for people to read: whole, or of three digits."""
    # Logarithms there and back leave a last digit that must not make 100 of 99.99.
    nudged = value * (1 + 1e-9) if direction == ROUND_FLOOR else value * (1 - 1e-9)
    if option in _WHOLE:
        return floor(nudged) if direction == ROUND_FLOOR else ceil(nudged)
    exact = Decimal(repr(nudged))
    if not exact:
        return 0.0
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - _DIGITS + 1), rounding=direction))


def _bounds(option: str) -> _Bounds:
    """Return the bounds that the settings declare for the values of a range."""
    annotation: Any = _FIELDS[option].annotation
    rules = [rule for field in annotation.__args__[0].__metadata__ for rule in getattr(field, "metadata", [])]
    limits = {
        name: getattr(rule, name)
        for rule in rules
        for name in ("ge", "gt", "le", "lt")
        if hasattr(rule, name)
    }
    return _Bounds(
        limits.get("ge", limits.get("gt", float("-inf"))), limits.get("le", limits.get("lt", float("inf"))),
        "gt" in limits, "lt" in limits,
    )  # fmt: skip
