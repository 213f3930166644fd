"""The answer of a search in a few sentences, and as a line of a table of latent sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from autoenc.report.fit_answer import layers_in_words, n_as_good
from autoenc.report.results import SearchResults
from autoenc.report.study_results import StudyResults, TuneResults
from autoenc.report.words import percent, value_word
from autoenc.settings import RaceSettings

if TYPE_CHECKING:
    from autoenc.report.base import Results

__all__ = ["Kept", "headline", "kept_of"]


class Kept(NamedTuple):
    """What a search for one latent size keeps.

    Attributes:
        latent_dim: The latent size.
        name: Its stack.
        loss: Over the rows that judge.
        baseline: The loss of PCA on the same rows.
        explained: Share of the variance of these rows; None where that is not known.
        pca_explained: The same of PCA.
        by_budget: Whether it was found within a budget, so that sizes are comparable.
    """

    latent_dim: int
    name: str
    loss: float
    baseline: float | None
    explained: float | None
    pca_explained: float | None
    by_budget: bool


def kept_of(results: Results) -> Kept | None:
    """Return what is kept; None where nothing has succeeded, or trials differ in their latent size."""
    if isinstance(results, SearchResults) and results.finished:
        chosen, size = results.selection.chosen, results.settings.latent_size
        return Kept(
            size, _name(results), chosen.loss, results.baselines.get("pca"), chosen.explained,
            results.pca_explained, isinstance(results.settings, RaceSettings),
        )  # fmt: skip
    if isinstance(results, TuneResults) and results.best_trial is not None:
        best, note = results.best_trial, results.note
        size, pca = note["settings"]["latent_dim"], note["baselines"].get("pca")
        return Kept(size, best.user_attrs["stack"], best.value or 0.0, pca, None, None, by_budget=False)
    return None


def headline(results: Results) -> str:
    """Return what is kept, how much it explains beside PCA, and by how much it leads, how surely."""
    if isinstance(results, SearchResults) and results.finished:
        return " ".join([*_kept_lines(results), *_next_lines(results), _how_sure(results)])
    if isinstance(results, StudyResults) and results.best_trial is not None:
        return " ".join(_study_lines(results))
    return "Nothing has succeeded yet."


def _name(results: SearchResults) -> str:
    trial = results.selection.chosen.trial
    return layers_in_words(trial) if isinstance(results.settings, RaceSettings) else trial.name


def _kept_lines(results: SearchResults) -> list[str]:
    selection, holdout = results.selection, results.holdout_outcome
    chosen, name = selection.chosen, _name(results)
    rule = "" if chosen is selection.best or isinstance(results.settings, RaceSettings) else selection.rule
    lines = [f"{name[:1].upper()}{name[1:]} is kept{f' by {rule}' if rule else ''}."]
    explained, pca, rows = chosen.explained, results.pca_explained, "the rows that compare stacks"
    if holdout is not None and holdout.failure is None:
        explained, rows = holdout.explained, "rows that were set aside"
        pca = results.held_out_baselines.get("pca_explained")
    if explained is not None:
        beside = "" if pca is None else f"; PCA of the same size explains {percent(pca)}"
        lines.append(f"It explains {percent(explained)} of the variance of {rows}{beside}.")
    return lines


def _next_lines(results: SearchResults) -> list[str]:
    chosen = results.selection.chosen
    other = next((result for result in results.ranked if result.trial != chosen.trial), None)
    if other is None:
        return []
    name, word = other.trial.name, value_word(results.settings.measure)
    if isinstance(results.settings, RaceSettings):
        is_same = layers_in_words(other.trial) == layers_in_words(chosen.trial)
        name = "another recipe of the same layers" if is_same else layers_in_words(other.trial)
    return [f"Next is {name}{_behind(chosen.loss, other.loss, word)}."]


def _behind(kept: float, other: float, word: str) -> str:
    if kept <= 0:
        return ""
    behind = other / kept - 1
    return f", whose {word} is {percent(abs(behind))} {'higher' if behind >= 0 else 'lower'}"


def _how_sure(results: SearchResults) -> str:
    n_others = len(results.finished) - 1
    if not n_others:
        return "Nothing else was compared."
    if isinstance(results.settings, RaceSettings):
        n_tied: int | None = n_as_good(results)
    else:
        tied = results.selection.tied
        n_tied = None if tied is None else len(tied) - 1
    return _ties_line(n_tied, n_others)


def _ties_line(n_tied: int | None, n_others: int) -> str:
    if n_tied is None:
        return "Whether that is more than luck was not tested."
    if n_others == 1:
        return "That one may be as good." if n_tied else "That one is shown to be worse."
    if not n_tied:
        return f"None of the {n_others:,} others may be as good."
    return f"{n_tied:,} of the {n_others:,} others may be as good."


def _study_lines(results: StudyResults) -> list[str]:
    best, finalists = results.best_trial, results.finalists
    if best is None:
        return []
    stack = best.user_attrs.get("stack", best.params.get("hidden_dims"))
    name = f"Trial {best.number}, {stack}, is kept" if stack else f"Trial {best.number} is kept"
    if finalists:
        lines = [f"{name}: {finalists[0].mean:.4g} over all its folds."]
        for other in finalists[1:2]:
            side = "above" if other.above >= 0 else "below"
            error = f", with a standard error of {other.above_standard_error:.2g}"
            lines.append(
                f"Next is trial {other.number}, {abs(other.above):.2g} {side} on the same folds{error}."
            )
        return lines
    lines = [f"{name}, with a value of {best.value:.4g}."]
    if len(results.ranked) > 1 and best.value and best.value > 0:
        second = results.ranked[1]
        behind = percent((second.value or 0.0) / best.value - 1)
        lines.append(f"Next is trial {second.number}, {behind} higher.")
    if len(results.ranked) > 1:
        tied = results.ties()[0]
        lines.append(_ties_line(None if tied is None else len(tied) - 1, len(results.ranked) - 1))
    return lines
