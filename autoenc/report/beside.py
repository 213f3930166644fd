"""In words: what stands beside the comparison, the ensemble and the warm starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoenc.report.results import SearchResults
from autoenc.system.text import counted

__all__ = ["ensemble_lines", "warm_start_lines"]


def ensemble_lines(wanted: int, comparison: Mapping[str, Any] | None) -> list[str]:
    """Say whether the ensemble beats the single best on the test rows; nothing where none was asked for.

    Args:
        wanted: Members that were asked for.
        comparison: What the search noted of it; None where it is not made yet.
    """
    if not wanted:
        return []
    if comparison is None:
        return ["ensemble      not made yet; the search makes it when all fits are done"]
    n_members = len(comparison["members"])
    if n_members < 2:
        return [f"ensemble      none was made: {counted(n_members, 'fit')} succeeded, and it takes two"]
    count = f"of {n_members}"
    if n_members != wanted:  # some failed, or halving dropped them
        count += f" ({wanted} were asked for, no more finished)"
    lines = [f"ensemble      {count}: test loss {comparison['test_loss']:.6f}, {_against_single(comparison)}"]
    if comparison["optimistic"]:
        lines.append(
            "              both were chosen by their loss on the test rows, so both losses are optimistic"
        )
    return lines


def _against_single(comparison: Mapping[str, Any]) -> str:
    loss, single = comparison["test_loss"], comparison["single_test_loss"]
    interval = comparison["difference_interval"]
    assert isinstance(loss, float)
    if not isinstance(single, float):
        return "the single best failed on all training rows"
    if single == 0:
        return "and the single best loses nothing"
    below = 100 * (1 - loss / single)
    text = f"{abs(below):.1f} % {'below' if below >= 0 else 'ABOVE'} the single best"
    if not isinstance(interval, list):
        return f"{text} (no interval: a single test row)"
    sign = -1 if below >= 0 else 1
    low, high = sorted(sign * 100 * bound / single for bound in interval)
    verdict = "" if comparison["better"] is not None else ", which may be chance"
    return f"{text} (95 %: {low:.1f} to {high:.1f}){verdict}"


def warm_start_lines(results: SearchResults) -> list[str]:
    """Return how many stacks reach their cold loss earlier; nothing where warm starts were not asked for."""
    comparison = results.warm_start
    if comparison is None:
        return []
    n_failed = len(results.failed_beside)
    failed = f"; {n_failed} failed" if n_failed else ""
    if not comparison["pairs"]:
        return [f"warm start    no stack is trained from random weights and from its parent yet{failed}"]
    if not comparison["reached"]:
        return [
            f"warm start    none of {comparison['pairs']} stacks reaches the loss of a random start{failed}"
        ]
    saved = comparison["median_epochs_saved"]
    when = f"{abs(saved):g} epochs {'earlier' if saved >= 0 else 'LATER'}"
    return [
        f"warm start    {comparison['reached']} of {comparison['pairs']} stacks reach the loss of a random "
        f"start, in the median {when}; their parents took {comparison['parent_epochs']:g}{failed}"
    ]
