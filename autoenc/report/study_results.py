"""Results of an adaptive search: its trials, the best of them, pictures."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.analysis.study import count_states, ranked_trials, study_trials
from autoenc.errors import InputError
from autoenc.record.record import TUNE
from autoenc.report.answer import baselines_line, compared_with_baseline
from autoenc.report.base import Results
from autoenc.report.finalists import finalist_lines, insert_finalists, undecided_line
from autoenc.report.ties import trial_tie_lines
from autoenc.report.trials_table import KnownOfTrial, trials_table
from autoenc.searching.finalists import Finalist
from autoenc.system.text import counted
from autoenc.tuning.results import finalists_of, kept_trial, n_undecided, ties_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from autoenc.fitted.autoencoder import FittedAutoencoder

__all__ = ["StudyPlots", "StudyResults", "TuneResults", "best_lines"]


class StudyResults(Results):
    """The trials of a study.

    Args:
        study: The record of the search.
        train_best: Trains the best trial in full; it returns the model, or raises InputError.
    """

    def __init__(self, study: optuna.Study, train_best: Callable[[], Any]) -> None:
        self.study, self._train_best = study, train_best

    @property
    def ranked(self) -> list[FrozenTrial]:
        """Complete trials, best first."""
        return ranked_trials(self.study)

    @property
    def best_trial(self) -> FrozenTrial | None:
        """The trial that is kept; None while no trial is complete."""
        return self.ranked[0] if self.ranked else None

    @property
    def finalists(self) -> list[Finalist]:
        """How the best trials did over further folds, best first; empty while that is not decided."""
        return []

    @abstractmethod
    def n_undecided(self) -> int:
        """Return how many cross-validations of finalists the present round still wants."""

    @abstractmethod
    def ties(self) -> tuple[list[int] | None, str]:
        """Return the trials that are not shown to be worse than the best, and how that was tested.

        The test is that of an exhaustive search: as if all trials had been chosen before any was measured.
        The best is the one with the lowest value in the search, whatever finalists come to.

        Returns:
            Their numbers, the best first; None where it cannot be tested, and why.
        """

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial, as drawn.

        Raises:
            InputError: If no trial is complete.
        """
        return dict(self._best().params)

    def best_model(self) -> Any:
        """Train the best trial in full, on all training rows, and measure it once on the test rows.

        Raises:
            InputError: If no trial is complete, its training fails, or the table cannot be read again.
        """
        self._best()
        return self._train_best()

    @property
    def leaderboard(self) -> pd.DataFrame:
        """A row a trial, best first; see :func:`autoenc.report.trials_table.trials_table`.

        ``value`` and ``standard_error`` are over the folds of the search. With finalists, ``finalist_mean``
        and ``finalist_standard_error`` are over these and all repeats, missing where a trial was not judged
        again. ``tied`` says whether no trial is shown to be better; it is missing where that was not tested.
        """
        import pandas as pd

        best, ranked = self.best_trial, self.ranked
        best_first = sorted(ranked, key=lambda trial: best is None or trial.number != best.number)
        table = trials_table(self.study, best_first, self._known)
        tied, compared = self.ties()[0], {trial.number for trial in ranked}
        is_tied = [None if tied is None or n not in compared else n in tied for n in table["trial"]]
        place = [*table.columns].index("standard_error") + 1
        table.insert(place, "tied", pd.Series(is_tied, table.index, "boolean"))
        if self._has_finalists():
            insert_finalists(table, self.finalists, table["trial"])
        return table

    def _shown_table(self) -> pd.DataFrame:
        """Return the leaderboard without the widths as drawn, where ``stack`` says what was built of them."""
        table = self.leaderboard
        if "stack" not in table or table["stack"].isna().all():
            return table
        return table.drop(columns=[name for name in table if _DRAWN_WIDTH.fullmatch(str(name))])

    @property
    def plot(self) -> StudyPlots:
        """Pictures as matplotlib axes: ``history()``, ``importances()``, ``parallel()``, ``slices()``."""
        return StudyPlots(self)

    def _undecided(self) -> list[str]:
        """Say what is left of the finalists' round, if anything is."""
        n_left = self.n_undecided()
        return [f"{'':<13} {undecided_line(n_left, 'call')}"] if n_left else []

    def _has_finalists(self) -> bool:
        return bool(self.finalists)

    def _best(self) -> FrozenTrial:
        if self.best_trial is None:
            raise InputError("there is no best trial: no trial is complete")
        return self.best_trial

    def _known(self, trial: FrozenTrial) -> KnownOfTrial:
        return KnownOfTrial(*map(trial.user_attrs.get, ("stack", "model_params", "standard_error")))

    def _counted(self) -> str:
        counts = count_states(study_trials(self.study))
        parts = [f"{counts[state]:,} {word}" for state, word in _STATES.items() if counts[state]]
        return ", ".join(parts) or "no trial"


_DRAWN_WIDTH = re.compile(r"num_layers|hidden_size_\d+")
_STATES = {"complete": "complete", "pruned": "pruned", "fail": "failed", "running": "unfinished"}


class TuneResults(StudyResults):
    """An adaptive search over stacks and recipes: its trials, the best of them, pictures.

    Example:
        >>> import numpy as np
        >>> import autoenc
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> results = autoenc.tune(table, n_trials=2, latent_dim=2, epochs=2, quiet=True)
        >>> results.leaderboard["value"].is_monotonic_increasing
        True
        >>> results.plot.history().get_xlabel()
        'trial'
    """

    @property
    def best_trial(self) -> FrozenTrial | None:
        """The first of the finalists, without them the trial with the lowest value; None without any."""
        return kept_trial(self.study)

    @property
    def finalists(self) -> list[Finalist]:
        """See :class:`StudyResults`."""
        return finalists_of(self.study)

    def n_undecided(self) -> int:
        """See :class:`StudyResults`."""
        return n_undecided(self.study)

    def best_model(self) -> FittedAutoencoder:
        """See :class:`StudyResults`."""
        model: FittedAutoencoder = super().best_model()
        return model

    @property
    def note(self) -> dict[str, Any]:
        """What the search noted about itself: ``settings``, ``baselines``, and more."""
        noted: dict[str, Any] = self.study.user_attrs[TUNE]
        return noted

    @property
    def ensemble(self) -> dict[str, Any] | None:
        """What the ensemble of the best trials is worth, as the search noted it; None without one."""
        noted: dict[str, Any] | None = self.note.get("ensemble")
        return noted

    def ties(self) -> tuple[list[int] | None, str]:
        """See :class:`StudyResults`."""
        return ties_of(self.study)

    def _title(self) -> str:
        settings = self.note["settings"]
        return (
            f"{settings['strategy']}, {counted(settings['n_trials'], 'trial')}, "
            f"latent size {settings['latent_dim']}: {self._counted()}"
        )

    def _answer(self) -> list[str]:
        if self.best_trial is None:
            return ["no trial has succeeded"]
        baselines = self.note["baselines"]
        advice = "best_model() measures it on test rows"
        tied = trial_tie_lines(self.ties(), len(self.ranked))
        return [*best_lines(self, advice), *self._undecided(), *tied, baselines_line(baselines)]


def best_lines(results: TuneResults, advice: str) -> list[str]:
    """Return the best trial in words; nothing if no trial has succeeded.

    Args:
        results: The search.
        advice: How to measure it without optimism.
    """
    best = results.best_trial
    if best is None:
        return []
    note = results.note
    family = best.params.get("family", note["settings"]["families"][0])
    compared = compared_with_baseline(best.value or 0.0, note["baselines"])
    judged = finalist_lines(results.finalists, lambda number: f"trial {number}")
    return [
        f"best trial    {best.number}: {family} {best.user_attrs['stack']}",
        f"loss          {best.value:.6f} on validation rows, {compared}",
        f"              chosen by its loss on these rows, so that loss is optimistic; {advice}",
        *judged,
    ]


class StudyPlots:
    """Draws the trials; each method returns the main axes of a new figure, ``axes.figure``.

    Args:
        results: The search, of which at least one trial is complete.
    """

    def __init__(self, results: StudyResults) -> None:
        self._results = results

    def history(self) -> Axes:
        """Draw the value of each trial, with the best so far."""
        from autoenc.report.study_figures import draw_history, history_plot

        return draw_history(history_plot(*self._study())).axes[0]

    def importances(self) -> Axes:
        """Draw which parameters decided about the best values."""
        from autoenc.report.study_figures import draw_importances, importances_plot

        return draw_importances(importances_plot(self._study()[0])).axes[0]

    def parallel(self) -> Axes:
        """Draw all parameters of all trials, a line a trial."""
        from autoenc.report.study_figures import draw_parallel, parallel_plot

        return draw_parallel(parallel_plot(*self._study())).axes[0]

    def slices(self) -> Axes:
        """Draw the value against each parameter, a panel each; the first one is returned."""
        from autoenc.report.study_figures import draw_slices, slices_plot

        return draw_slices(slices_plot(self._study()[0])).axes[0]

    def _study(self) -> tuple[optuna.Study, int]:
        best = self._results.best_trial
        if best is None:
            raise InputError("there is nothing to draw: no trial is complete")
        return self._results.study, best.number
