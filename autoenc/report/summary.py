"""Summaries of searches for the screen: the answer, what failed, and the output files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoenc.report.answer import answer_lines
from autoenc.report.beside import ensemble_lines
from autoenc.report.files import Files, files_lines
from autoenc.report.results import SearchResults
from autoenc.report.ties import trial_tie_lines

if TYPE_CHECKING:  # adaptive searches, of which an exhaustive one needs nothing
    from autoenc.report.study_results import TuneResults

__all__ = ["search_summary", "tune_summary"]


def search_summary(results: SearchResults, files: Files, shard: tuple[int, int] | None = None) -> list[str]:
    """Summarize an exhaustive search.

    Args:
        results: The search.
        files: Its output files, with a word for each.
        shard: The part of the grid that was searched; None for all of it.
    """
    lines = ["", *answer_lines(results, shard is not None)]
    if results.failed:
        count = f"{len(results.failed)} of {len(results.trials)}"
        lines.append(f"failed        {count}; --retry_failed tries them again")
        lines += [f"              {result.trial.name}: {result.failure}" for result in results.failed[:5]]
    if shard:
        lines += ["", f"shard {shard[0]} of {shard[1]} is done; `autoenc merge` joins the shards"]
        settings = results.settings
        later = ["--save_models"] if settings.save_models else []
        later += [f"--ensemble {settings.ensemble}"] if settings.ensemble else []
        later += [f"--finalists {settings.finalists}"] if settings.finalists > 1 else []
        if later:
            options = " and ".join(later)
            lines.append(
                f"{options}: applies to all shards together: run the same search in the folder of the merge"
            )
    return [*lines, "", *files_lines(files)]


def tune_summary(results: TuneResults, files: Files) -> list[str]:
    """Summarize an adaptive search; the arguments are those of :func:`search_summary`."""
    from autoenc.report.study_results import best_lines

    best = best_lines(results, "train-best measures it on the test rows")
    settings = results.note["settings"]
    together = ensemble_lines(settings.get("ensemble", 0), results.ensemble) if best else []
    is_repeated = best and (settings["folds"] or settings["seeds"] > 1)
    tied = trial_tie_lines(results.ties(), len(results.ranked)) if is_repeated else []
    return ["", *best, *tied, *together, "", *files_lines(files)]
