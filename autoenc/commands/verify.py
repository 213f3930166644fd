"""``search --verify``: a table of how the engines differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoenc.engines import EngineName, Fit, Split
from autoenc.engines.verify import compare_engines, spread
from autoenc.report.engines import comparison_head, comparison_line, verdict_lines
from autoenc.system.text import say

__all__ = ["verify"]


def verify(
    fits: Sequence[Fit], n_wanted: int, split_of: Callable[[Fit], Split], name: EngineName, device: str
) -> int:
    """Train some of the fits with an engine and with torch, and print their losses.

    Args:
        fits: Fits of the whole search.
        n_wanted: How many of them are trained.
        split_of: The data of a fit.
        name: The engine.
        device: Where it trains.

    Returns:
        The exit code: 1 if a difference is past its tolerance.
    """
    chosen = [fits[i] for i in spread(len(fits), n_wanted)]
    say(*comparison_head(chosen, len(fits), name))
    comparisons = []
    for comparison in compare_engines(chosen, split_of, name, device):
        comparisons.append(comparison)
        say(comparison_line(comparison))
    say(*verdict_lines(comparisons))
    return 0 if all(comparison.agrees for comparison in comparisons) else 1
