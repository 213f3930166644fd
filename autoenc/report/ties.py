"""In words: which stacks may be as good as the best, and what took no part in that comparison."""

from __future__ import annotations

from autoenc.report.results import SearchResults

__all__ = ["not_compared", "tie_lines", "tied_names"]


def tie_lines(results: SearchResults) -> list[str]:
    """What was tested, and what came of it; there must be a finished trial."""
    found, n_others = results.selection, len(results.finished) - 1
    if found.tied is None:
        if found.rule == "one_se" and found.best.standard_error is None:
            told = "one_se needs a standard error, of folds or seeds; the lowest loss was kept"
            return [f"{'rule':<13} {told}"]
        return [f"{'ties':<13} {found.method}"] if results.settings.folds and n_others else []
    n_tied = len(found.tied) - 1
    if n_tied:
        verdict = f"{n_tied:,} of the {n_others:,} others that were compared may be as good as the best"
    elif n_others == 1:
        verdict = "none: the one other that was compared is shown to be worse"
    else:
        verdict = f"none: each of the {n_others:,} others that were compared is shown to be worse"
    lines = [f"{'ties':<13} {'; '.join([verdict, *not_compared(results)])}"]
    return [*lines, f"{'':<13} ({found.method})", *_simplest(results)]


def tied_names(results: SearchResults, most: int = 8) -> list[str]:
    """Names of the stacks that may be as good as the best, or why that is not tested."""
    found = results.selection
    if found.tied is None:
        told = "\n".join(tie_lines(results))
        return [] if found.method in told else [f"{'ties':<13} {found.method}"]
    names = [result.trial.name for result in found.tied if result is not found.best]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return [f"{'tied':<13} {'; '.join(names[:most])}{more}"] if names else []


def _simplest(results: SearchResults) -> list[str]:
    found = results.selection
    if found.one_se is found.best:
        return []
    return [f"{'simplest':<13} {found.one_se.trial.name} is within one standard error of the best"]


def not_compared(results: SearchResults) -> list[str]:
    """In words, which stacks the comparison leaves out, and why."""
    told = []
    if results.n_dropped:
        told.append(f"{results.n_dropped:,} were dropped by halving after fewer epochs, untested")
    if results.failed:
        told.append(f"{len(results.failed):,} failed")
    if results.n_incomplete:
        told.append(f"{results.n_incomplete:,} are not trained")
    return told
