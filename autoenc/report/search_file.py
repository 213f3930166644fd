"""A fine search as a YAML file that says where each of its ranges came from."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import yaml

from autoenc.analysis.narrowing import Narrowed
from autoenc.analysis.observations import Observations
from autoenc.report.words import rounded
from autoenc.settings import Settings, TransferSettings, TuneSettings
from autoenc.settings.options import options_of

__all__ = ["narrowed_table", "search_file"]

_LINE = 108
# What says which rows judge a trial, and how: without them a finer search could not be compared.
_KINDS: dict[str, type[Settings]] = {"tune": TuneSettings, "transfer": TransferSettings}
_KEPT, _KEPT_OF_TRANSFER = (
    [name for name in options_of(kind, "data", "judging", "training") if name != "epochs"]
    for kind in _KINDS.values()
)


def search_file(
    seen: Observations, n_best: int, narrowed: Sequence[Narrowed], method: str, n_trials: int
) -> str:
    """Return the content of a search file.

    Args:
        seen: The coarse search.
        n_best: How many of its trials count.
        narrowed: The options of the space.
        method: The fine search's ``search_method``.
        n_trials: Its trials.
    """
    best = seen.trials[0]
    lines = [
        *_comment(
            f"A finer search around the best {n_best} of {len(seen.trials):,} finished trials of "
            f"{seen.name}. Its best, {best.name}, has a loss of {best.metrics['loss']:.6g} with the stack "
            f"{best.stack}."
        ),
        *_comment(_about_rows(seen)),
        f"search_method: {method}",
        f"n_trials: {n_trials}",
    ]
    if seen.settings.get("timeout_hours") is not None:
        lines.append(f"budget_hours: {_scalar(seen.settings['timeout_hours'])}")
    families = [option for option in narrowed if option.option == "families"]
    for option in families:
        lines += [*_origin(option), f"{option.option}: {_value(option.value)}"]
    lines += [
        "",
        "# Validation rows and training options of the coarse search, unchanged.",
        *_kept(seen),
        "",
        "search_space:",
    ]
    for option in narrowed:
        if option not in families:
            lines += [*_origin(option, "  "), f"  {option.option}: {_value(option.value)}"]
    return "\n".join(lines) + "\n"


def _about_rows(seen: Observations) -> str:
    if seen.adaptive:
        return "The number of epochs is left open: a coarse search may have used few."
    if seen.settings["folds"]:
        return "That search was exhaustive: options with one value there stay fixed here."
    return (
        "That search was exhaustive: options with one value there stay fixed here. It was judged by the test "
        "rows, this one is by one fifth of the training rows, so that their losses cannot be compared."
    )


def _kept(seen: Observations) -> list[str]:
    """Return options other than the defaults, a line each."""
    lines = []
    kind = _KINDS[seen.command]
    for name in _KEPT if kind is TuneSettings else _KEPT_OF_TRANSFER:
        value, default = seen.settings.get(name), kind.model_fields[name].default
        if value not in (None, []) and (value != default or name in ("data_path", "latent_dim")):
            lines.append(f"{name}: {_value(value) if isinstance(value, list) else _scalar(value)}")
    return lines


def _origin(option: Narrowed, indent: str = "") -> list[str]:
    text = f"was {_shown(option.coarse)}; best {_shown(option.winner, '-')}; {option.reason}"
    return [indent + line for line in _comment(text)]


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _LINE - 4, break_long_words=False)]


def _shown(values: Sequence[Any], between: str = ", ") -> str:
    """Return values as people write them."""
    distinct = list(values) if between == "-" else list(dict.fromkeys(values))
    return between.join(rounded(value, 4) for value in distinct)


def narrowed_table(narrowed: Sequence[Narrowed]) -> list[str]:
    """Return a line per option: what it was, the best trial's value, what it is now, and why."""
    rows = [
        (option.option, _shown(option.coarse), _shown(option.winner, "-"), _shown(option.value))
        for option in narrowed
    ]
    heads = ("option", "coarse", "best", "fine")
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [[*heads, "why"], *([*row, option.reason] for row, option in zip(rows, narrowed, strict=True))]
    return [
        "  ".join([*(f"{c:<{w}}" for c, w in zip(line, widths, strict=False)), line[-1]]) for line in lines
    ]


def _value(values: Sequence[Any]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(value: Any) -> str:
    """Return a number, or text that YAML reads as such again."""
    if isinstance(value, int | float):
        return repr(value) if isinstance(value, int) else f"{value:.10g}"
    return str(yaml.safe_dump([value], default_flow_style=True, width=float("inf"))).strip()[1:-1]
