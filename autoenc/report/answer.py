"""The answer of a search in words: which stack, how good, how sure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from autoenc.analysis.baselines import BASELINES, above_pca, best_baseline
from autoenc.analysis.cells import cells_lines
from autoenc.analysis.effects import Effect
from autoenc.analysis.error import corrected_error
from autoenc.data.division import HOLDOUT
from autoenc.data.given import FRAME
from autoenc.report.beside import ensemble_lines, warm_start_lines
from autoenc.report.finalists import finalist_lines
from autoenc.report.results import SearchResults
from autoenc.report.ties import not_compared, tie_lines
from autoenc.report.words import percent, value_word
from autoenc.searching.trials import TrialResult

__all__ = ["answer_lines", "baselines_line", "compared_with_baseline", "worse_lines"]

_REMEDY = "; --scaling floored gives columns that hardly vary less weight"


def answer_lines(results: SearchResults, shard: bool = False) -> list[str]:
    """Return the best stack, its loss beside PCA's, its ties and the effects; nothing where none succeeded.

    Args:
        results: The search.
        shard: Whether it is a part of one, whose ensemble is made later.
    """
    if not results.ranked:
        return []
    selection, settings = results.selection, results.settings
    value = value_word(settings.measure)
    best = selection.chosen
    spread = _spread(best)
    compared = compared_with_baseline(best.loss, results.baselines)
    lines = [f"{'best stack' if best is selection.best else 'chosen stack':<13} {best.trial.name}"]
    if best is not selection.best:
        lowest = selection.best
        lines[0] += f" by {selection.rule}; {lowest.trial.name} has the lowest {value}, {lowest.loss:.6f}"
    by_loss = settings.measure == "loss"
    if settings.folds:
        lines.append(f"{'fold loss' if by_loss else 'unexplained':<13} {best.loss:.6f}{spread}, {compared}")
        holdout = results.holdout_outcome
        if holdout is not None and holdout.failure is not None:
            lines.append(f"test loss     none: trained on all training rows it failed: {holdout.failure}")
        elif holdout is not None:
            baselines, loss = results.held_out_baselines, best.trial.value_of(holdout)
            word = "test loss" if by_loss else "test rows"
            lines.append(
                f"{word:<13} {loss:.6f} on held-out test rows, {compared_with_baseline(loss, baselines)}"
            )
    else:
        word = "test loss" if by_loss else "unexplained"
        lines.append(f"{word:<13} {best.loss:.6f}{spread}, {compared}")
        lines.append(
            "              chosen by its loss on the test rows, so it is optimistic; --folds 5 avoids that"
        )
    lines += _explained(results)
    lines.append(f"parameters    {results.n_parameters(best.trial):,}")
    if results.halving:
        spent, full = results.halving["epochs_spent"], results.halving["epochs_of_the_grid"]
        lines.append(f"halving       {spent:,} epochs instead of {full:,} of the whole grid")
        if not selection.tied and results.n_dropped:
            lines.append(f"              {'; '.join(not_compared(results))}")
    if results.cells is not None:
        lines += cells_lines(results.cells, "" if "floored" in settings.scaling else _REMEDY)
    if results.judged_again is not None:
        judged = results.judged_again
        names = [result.trial.name for result in judged.results]
        lines += finalist_lines(judged.standing.finalists(), names.__getitem__)
    lines += worse_lines(results)
    lines += [*tie_lines(results), *(_effect_line(effect, value) for effect in results.effects)]
    together = [] if shard else ensemble_lines(settings.ensemble, results.ensemble)
    return [*lines, *warm_start_lines(results), *together]


def _explained(results: SearchResults) -> list[str]:
    """Return how much of the variance the best stack explains, on held-out test rows where there are some."""
    best, holdout = results.selection.chosen, results.holdout_outcome
    explained, pca = best.explained, results.pca_explained
    if holdout is not None and holdout.failure is None:
        explained, pca = holdout.explained, results.held_out_baselines.get("pca_explained")
    if explained is None:
        return []
    beside = "" if pca is None else f"; PCA of standardized columns {percent(pca)}"
    return [f"{'explains':<13} {percent(explained)} of the variance, the mean over columns{beside}"]


def _spread(best: TrialResult) -> str:
    """Return the standard error of a mean loss, and over what."""
    error, trial = corrected_error(best), best.trial
    if error is None:
        return ""
    n_folds, n_seeds = 0 if trial.folds == (HOLDOUT,) else len(trial.folds), len(trial.seeds)
    counts = [f"{n_folds} folds"] * (n_folds > 0) + [f"{n_seeds} seeds"] * (n_seeds > 1)
    return f" +- {error:.6f} over {' and '.join(counts)}"


def _effect_line(effect: Effect, word: str) -> str:
    change = f"{word} {100 * effect.difference:+.1f} %"
    text = f"{effect.factor} {effect.value} against {effect.against}: {change}"
    if effect.low is not None and effect.high is not None:
        text += f" (95 %: {100 * effect.low:+.1f} to {100 * effect.high:+.1f})"
    return f"{'effect':<13} {text} over {effect.n_pairs} pairs"


def baselines_line(baselines: Mapping[str, float]) -> str:
    """Return the losses of all baselines in a line."""
    parts = [f"PCA of the same latent size {baselines['pca']:.6f}"]
    if "linear" in baselines:
        parts.append(f"linear autoencoder fitted to this loss {baselines['linear']:.6f}")
    return f"baselines     {', '.join(parts)}, column mean {baselines['mean']:.6f}"


def compared_with_baseline(loss: float, baselines: Mapping[str, float]) -> str:
    """Return a loss in relation to the best of the baselines, in words."""
    name = best_baseline(baselines)
    above, beside = above_pca(loss, baselines, name), f"{BASELINES[name]} ({baselines[name]:.6f})"
    if above is None:
        return f"{BASELINES[name]} loses nothing"
    if above > 0:
        return f"{100 * above:.0f} % ABOVE {beside}: that is better"
    return f"{-100 * above:.0f} % below {beside}"


def worse_lines(results: SearchResults) -> list[str]:
    """Return lines saying that even the best loss is worse than a baseline; none where it is not."""
    selection, baselines = results.selection, results.baselines
    name = best_baseline(baselines)
    if not selection.best.loss > baselines[name]:
        return []
    what = "every stack that was compared is" if len(results.finished) > 1 else "the stack is"
    tail = "; ties only say which of them are least bad" if selection.tied else ""
    return [
        f"{'worse':<13} {what} worse than {BASELINES[name]}{tail}",
        *_helpful(results),
        f"{'try instead':<13} {_fit_command(results)}",
    ]


def _helpful(results: SearchResults) -> list[str]:
    """Return the options that helped most, where several values were tried."""
    helped = [effect for effect in results.effects if effect.high is not None and effect.high < 0]
    named = [f"{effect.factor} {effect.value} instead of {effect.against}" for effect in helped]
    return [f"{'what helped':<13} in this search: {', '.join(named)}"] if named else []


def _fit_command(results: SearchResults) -> str:
    """Return a command that begins with PCA and tries recipes, too."""
    settings = results.settings
    if settings.data_path == FRAME:
        return (
            f"autoenc.fit(data, latent_dim={settings.latent_size}), which starts from PCA and tries recipes"
        )
    given = [
        f"--{name} {getattr(settings, name)}" for name in ("stratify", "group") if getattr(settings, name)
    ]
    words = ["autoenc fit", shlex.quote(settings.data_path), f"--latent_dim {settings.latent_size}", *given]
    return f"{' '.join(words)}   starts from PCA and tries recipes"
