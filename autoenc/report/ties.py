"""In words: which stacks may be as good as the best, and what took no part in that comparison."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.report.results import SearchResults
from autoenc.report.words import first_of

__all__ = ["Ties", "not_compared", "tie_lines", "tied_names", "ties_document", "trial_tie_lines"]

Ties = tuple[Sequence[int] | None, str]
"""Numbers of the trials that may be as good as the best, which is the first, and how that was tested.

None in place of the numbers where it was not tested, and why.
"""

_MOST = 8
"""Names that are shown."""


def tie_lines(results: SearchResults) -> list[str]:
    """Say what was tested, and what came of it; there must be a finished trial."""
    selection, n_others = results.selection, len(results.finished) - 1
    if selection.tied is None:
        if selection.rule == "one_se" and selection.best.standard_error is None:
            reason = "one_se needs a standard error, of folds or seeds; the lowest loss was kept"
            return [f"{'rule':<13} {reason}"]
        return [f"{'ties':<13} {selection.method}"] if results.settings.folds and n_others else []
    n_tied = len(selection.tied) - 1
    if n_tied and n_others == 1:
        verdict = "the one other that was compared may be as good as the best"
    elif n_tied:
        verdict = f"{n_tied:,} of the {n_others:,} others that were compared may be as good as the best"
    elif n_others == 1:
        verdict = "none: the one other that was compared is shown to be worse"
    else:
        verdict = f"none: each of the {n_others:,} others that were compared is shown to be worse"
    lines = [f"{'ties':<13} {'; '.join([verdict, *not_compared(results)])}"]
    return [*lines, f"{'':<13} ({selection.method})", *_simplest(results)]


def tied_names(results: SearchResults) -> list[str]:
    """Return names of the stacks that may be as good as the best, or why that is not tested."""
    selection = results.selection
    if selection.tied is None:
        shown = "\n".join(tie_lines(results))
        return [] if selection.method in shown else [f"{'ties':<13} {selection.method}"]
    names = [result.trial.name for result in selection.tied if result is not selection.best]
    return [f"{'tied':<13} {first_of(names, _MOST, '; ')}"] if names else []


def trial_tie_lines(ties: Ties, n_trials: int) -> list[str]:
    """Return which trials of a study may be as good as the best, or why that is not tested.

    Args:
        ties: These trials.
        n_trials: How many have a value.
    """
    tied, method = ties
    if tied is None:
        return [f"{'ties':<13} {method}"]
    others, n_others = tied[1:], n_trials - 1
    if not others and n_others == 1:
        verdict = "none: the one other trial is shown to be worse"
    elif not others:
        verdict = f"none: each of the {n_others:,} other trials is shown to be worse"
    else:
        names = first_of(list(map(str, others)), _MOST, ", ")
        which = (
            "the one other trial" if n_others == 1 else f"{len(others):,} of the {n_others:,} other trials"
        )
        verdict = f"{which} may be as good as the lowest value, that of trial {tied[0]}: {names}"
    return [f"{'ties':<13} {verdict}", f"{'':<13} ({method})"]


def ties_document(ties: Ties) -> dict[str, object]:
    """Return the same for JSON."""
    return {"tied": ties[0], "method": ties[1]}


def _simplest(results: SearchResults) -> list[str]:
    selection = results.selection
    if selection.one_se is selection.best:
        return []
    return [f"{'simplest':<13} {selection.one_se.trial.name} is within one standard error of the best"]


def not_compared(results: SearchResults) -> list[str]:
    """Say which stacks the comparison leaves out, and why."""
    reasons = []
    if results.n_dropped:
        reasons.append(f"{results.n_dropped:,} were dropped by halving after fewer epochs, untested")
    if results.failed:
        reasons.append(f"{len(results.failed):,} failed")
    if results.n_incomplete:
        reasons.append(f"{results.n_incomplete:,} are not trained")
    return reasons
