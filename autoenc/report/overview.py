"""The search in words: what is done, what is best, what remains."""

from __future__ import annotations

from collections.abc import Iterable

from autoenc.report.answer import baselines_line, worse_lines
from autoenc.report.beside import ensemble_lines, warm_start_lines
from autoenc.report.fit_answer import fit_lines
from autoenc.report.results import SearchResults
from autoenc.report.ties import not_compared
from autoenc.report.words import first_of, listed_values, value_word
from autoenc.searching.trials import TrialResult
from autoenc.settings import RaceSettings
from autoenc.system.text import counted

__all__ = ["overview"]

_N_BEST = 10


def overview(results: SearchResults) -> list[str]:
    """Return overview, best of each depth, parameter efficiency, best configurations, and what remains."""
    settings, search = results.settings, results.search
    table = (
        f"{settings.data_path}: {search['n_rows']:,} rows x {len(results.columns)} columns "
        f"(fingerprint {search['fingerprint'][:12]})"
    )
    if isinstance(settings, RaceSettings):  # whose stacks and recipes are its own
        what = f"stacks and recipes for latent size {settings.latent_size}, judged by {settings.folds} folds"
        return [what, table, "", *fit_lines(results)]
    lines = [
        f"latent size {settings.latent_size}, {listed_values(settings.epochs, 'epoch')}, widths "
        f"{','.join(map(str, sorted(settings.hidden_dims_search)))}, "
        f"up to {counted(settings.max_layers, 'layer')}",
        table,
        f"{len(results.finished):,} of {counted(len(results.trials), 'stack')} trained, "
        f"{len(results.failed)} failed, {len(results.missing):,} remain",
    ]
    lines += _rungs(results)
    if results.finished:
        lines += _best(results) + _by_depth(results) + _efficiency(results)
        lines += _beside(results)
    lines += _failures(results) + _remaining(results)
    return lines


def _rungs(results: SearchResults) -> list[str]:
    """Return how many stacks halving trained for how long: the losses below are of the last rung."""
    if results.halving is None:
        return []
    rungs = [(rung["trials"], rung["epochs"]) for rung in results.halving["rungs"]]
    rung_texts = ", ".join(
        f"{counted(trials, 'stack')} for {counted(epochs, 'epoch')}" for trials, epochs in rungs
    )
    epochs, full = rungs[-1][1], results.settings.epochs[0]
    early = "" if epochs == full else f"; not at its end, so losses are those after {epochs} of {full} epochs"
    return [f"halving: {rung_texts}{early}"]


def _table(results: SearchResults, shown: Iterable[TrialResult]) -> list[str]:
    """Return a line for each, under a head; a name with a recipe may be long."""
    rows = [(result.trial.name, results.n_parameters(result.trial), result) for result in shown]
    width = max(20, *(len(name) for name, _, _ in rows))
    measure = "loss" if results.settings.measure == "loss" else "unexplained"
    value = max(8, len(measure))
    return [
        f"{'stack':>{width}}  {measure:>{value}}  {'parameters':>10}  {'time':>10}",
        *(
            f"{name:>{width}}  {f'{result.loss:.6f}':>{value}}  {size:>10,}  {result.seconds:>8.2f} s"
            for name, size, result in rows
        ),
    ]


def _best(results: SearchResults) -> list[str]:
    shown = _table(results, results.ranked[:_N_BEST])
    compared = baselines_line(results.baselines).removeprefix("baselines").strip()
    return ["", "best configurations", *shown, f"{'':>20}  ({compared})"]


def _by_depth(results: SearchResults) -> list[str]:
    first: dict[int, TrialResult] = {}
    for result in results.ranked:
        first.setdefault(len(result.trial.architecture), result)
    return ["", "best by depth", *_table(results, [first[depth] for depth in sorted(first)])]


def _efficiency(results: SearchResults) -> list[str]:
    selection = results.selection
    word = value_word(results.settings.measure)
    heading = f"parameter efficiency: no smaller stack has a lower {word} than these"
    lines = ["", heading, *_table(results, selection.pareto)]
    if selection.chosen is not selection.best:
        lines += [
            "",
            f"chosen by {selection.rule}: {selection.chosen.trial.name}, {selection.chosen.loss:.6f}",
        ]
    left_out = "".join(f"; {words}" for words in not_compared(results))
    if worse := worse_lines(results):
        lines += ["", *worse]
    if selection.tied is None:
        return [*lines, "", f"ties with the best: {selection.method}{left_out}"]
    names = [result.trial.name for result in selection.tied]
    lines += ["", f"tied with the best of {len(results.finished):,} compared{left_out}: {'; '.join(names)}"]
    lines.append(f"({selection.method})")
    return [*lines, f"smallest within one standard error of the best: {selection.one_se.trial.name}"]


def _beside(results: SearchResults) -> list[str]:
    lines = [*ensemble_lines(results.settings.ensemble, results.ensemble), *warm_start_lines(results)]
    return ["", *lines] if lines else []


def _failures(results: SearchResults) -> list[str]:
    if not results.failed:
        return []
    rows = [f"{result.trial.name:>20}  {result.failure}" for result in results.failed]
    return ["", "failed (--retry_failed tries them again)", *rows]


def _remaining(results: SearchResults) -> list[str]:
    names = [trial.name for trial in results.missing]
    between = "; " if any(", " in name for name in names) else ", "  # names of recipes hold commas
    return ["", f"not trained yet: {first_of(names, 8, between)}"] if names else []
