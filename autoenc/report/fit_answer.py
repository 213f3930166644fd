"""The choice of ``fit`` in words: how much it explains, beside PCA and the runners-up, and its cost."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.analysis.cells import cells_lines
from autoenc.analysis.surest import gain_over
from autoenc.engines import Recipe
from autoenc.models.grid import format_architecture
from autoenc.report.results import SearchResults
from autoenc.report.words import percent
from autoenc.searching.trials import Trial, TrialResult
from autoenc.system.text import counted

__all__ = ["enough_units", "fit_lines", "in_words", "latent_size_lines", "layers_in_words", "n_as_good"]

_N_ERRORS = 2
_N_NEXT = 3
"""Runners-up."""
_ALMOST = 0.01
"""Explained variance that more latent units must add to be worth having."""


def in_words(trial: Trial) -> str:
    """Return a stack and its recipe, in words."""
    recipe = trial.recipe
    words = "" if recipe.is_pca else f", {_recipe_words(recipe)}"
    return f"{layers_in_words(trial)}{words}{_calibrated(recipe)}"


def layers_in_words(trial: Trial) -> str:
    """Return a stack and what it starts from, in words."""
    if trial.recipe.is_pca:
        return "PCA itself"
    start = "PCA and a correction by layers" if trial.recipe.start == "pca" else "layers"
    return f"{start} {format_architecture(trial.architecture)}"


def _calibrated(recipe: Recipe) -> str:
    return "; columns that it hardly knows drawn to their means" if recipe.calibration_folds else ""


def _recipe_words(recipe: Recipe) -> str:
    parts: list[str] = [recipe.activation, f"learning rate {recipe.initial_lr:g}"]
    parts += [f"dropout {recipe.dropout:g}"] if recipe.dropout else []
    parts += [f"weight decay {recipe.weight_decay:g}"]
    parts += ["layer norms"] if recipe.norm == "layer" else []
    parts += ["non-zero cells weighted"] if recipe.loss == "sparse" else []
    parts += ["long tails bent"] if recipe.scaling == "auto" else []
    parts += ["told which cells are missing"] if recipe.missing == "mask" else []
    parts += [f"{100 * recipe.corruption:g} % of cells hidden in training"] if recipe.family == "dae" else []
    epochs = f"{'at most ' if recipe.patience else ''}{recipe.last_epoch} epochs"
    return ", ".join([*parts, f"batches of {recipe.batch_size}", epochs])


def fit_lines(results: SearchResults) -> list[str]:
    """Return the choice, how well it does on held-out test rows, runners-up, ties, limits and cost."""
    if not results.finished:
        return ["nothing was fitted in time: give a larger --budget"]
    chosen = results.selection.chosen
    lines = [f"chosen        {in_words(chosen.trial)}"]
    lines += [*_measured(results), _judged(results, chosen)]
    for i, other in enumerate([r for r in results.ranked if r.trial != chosen.trial][:_N_NEXT]):
        share = f"{percent(1 - other.loss)} ({_behind(chosen, other)})"
        lines.append(f"{'runners-up' if not i else '':<13} {share}  {in_words(other.trial)}")
    if results.cells is not None:
        lines += cells_lines(results.cells)
    lines += _ties(results) + _limits(results)
    return [*lines, _cost(results)]


def _measured(results: SearchResults) -> list[str]:
    outcome = results.holdout_outcome
    if outcome is None:
        return []
    if outcome.failure is not None or outcome.explained is None:
        return [f"explains      unknown: {outcome.failure or 'no column varies in the rows set aside'}"]
    pca = results.held_out_baselines.get("pca_explained")
    beside = "" if pca is None else f"; PCA {percent(pca)}"
    text = f"{percent(outcome.explained)} of the variance of {results.search['n_test']:,} held-out test rows"
    return [f"explains      {text}{beside}"]


def _judged(results: SearchResults, chosen: TrialResult) -> str:
    error = chosen.standard_error
    spread = "" if error is None else f" +- {100 * error:.1f}"
    pca = results.pca_explained
    beside = "" if pca is None else f"; PCA {percent(pca)}"
    return f"folds         {percent(1 - chosen.loss)}{spread} over {results.settings.folds} folds{beside}"


def n_as_good(results: SearchResults) -> int:
    """Return how many others may be as good as the choice; there must be a finished one."""
    chosen = results.selection.chosen
    others = [result for result in results.finished if result.trial != chosen.trial]
    return sum(gain <= _N_ERRORS * error for gain, error in (gain_over(other, chosen) for other in others))


def _ties(results: SearchResults) -> list[str]:
    n_others = len(results.finished) - 1
    if not n_others:
        return []
    n_tied = n_as_good(results)
    n = f"{n_tied:,}" if n_tied else "none"
    text = f"{n} of {counted(n_others, 'other')} judged by all folds may be as good"
    errors = f"less than {_N_ERRORS} standard errors behind over folds, each with initial weights of its own"
    return [f"{'ties':<13} {text}: {errors}"]


def _behind(chosen: TrialResult, other: TrialResult) -> str:
    gain, error = gain_over(other, chosen)
    return f"{100 * abs(gain):.1f} +- {100 * error:.1f} {'less' if gain >= 0 else 'more'}"


def _limits(results: SearchResults) -> list[str]:
    n_train, n_columns = results.search["n_train"], len(results.columns)
    limits = []
    if n_train < 60:
        limits.append(f"only {n_train} rows to learn from")
    if n_columns > n_train:
        limits.append(f"more columns ({n_columns:,}) than rows ({n_train:,})")
    if all(result.trial.recipe.is_pca for result in results.finished):
        limits.append("there was no time to judge one network by all folds: give a larger --budget")
    elif results.selection.chosen.trial.recipe.is_pca:
        limits.append("no network was shown to explain more than PCA")
    return [f"{'limits':<13} {'; '.join(limits)}"] if limits else []


def _cost(results: SearchResults) -> str:
    seconds = sum(outcome.seconds for outcome in results.outcomes.values())
    n_candidates = len({(t.architecture, t.recipe) for t in results.trained})
    fits = f"{counted(len(results.outcomes), 'fit')} of {counted(n_candidates, 'candidate')}"
    return f"cost          {fits}, {seconds:.0f} s of computing; a larger --budget adds to them"


def latent_size_lines(results: Sequence[SearchResults]) -> list[str]:
    """Return explained variance by latent size, and where more latent units stop paying.

    Args:
        results: A search for each size, ascending.
    """
    by_size = [(r.settings.latent_size, 1 - r.ranked[0].loss) for r in results if r.finished]
    lines = [f"{'latent size':<13} {'explained':>9}  {'PCA':>7}  (folds)"]
    for result in results:
        if result.finished:
            pca = result.pca_explained
            of_pca = "" if pca is None else percent(pca)
            lines.append(
                f"{result.settings.latent_size:>11}   {percent(1 - result.ranked[0].loss):>9}  {of_pca:>7}"
            )
    size = enough_units(by_size)
    if size is not None:
        lines.append(f"more than {size} latent units add less than {100 * _ALMOST:.0f} point each")
    return lines


def enough_units(by_size: Sequence[tuple[int, float]]) -> int | None:
    """Return the latent size beyond which more units stop paying.

    Args:
        by_size: Size and explained variance of each, ascending.

    Returns:
        The smallest size after which a unit adds less than a hundredth on average; None without sizes.
    """
    for i, (size, explained) in enumerate(by_size):
        gains = [(later - explained) / (bigger - size) for bigger, later in by_size[i + 1 :]]
        if not gains or max(gains) < _ALMOST:
            return size
    return None
