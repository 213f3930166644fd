"""Results of a transfer-aware search."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial

from autoenc.report.full_transfer import beside_lines
from autoenc.report.study_results import StudyPlots, StudyResults
from autoenc.report.ties import trial_tie_lines
from autoenc.report.trials_table import KnownOfTrial, scores_text
from autoenc.searching.finalists import Finalist
from autoenc.settings import TransferSettings
from autoenc.system.text import counted
from autoenc.two_stage.finalists import compare, fold_error, kept_trial, n_undecided, ties_of
from autoenc.two_stage.space import configuration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autoenc.two_stage.checkpoint import FittedTransfer

__all__ = ["TransferResults"]


class TransferResults(StudyResults):
    """A search for the encoder that a second stage can use: its trials, the best of them, pictures.

    Args:
        study: The record of the search.
        settings: The options.
        n_columns: That the encoder takes.
        train_best: Trains both stages of the best trial in full.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> import autoenc
        >>> table = pd.DataFrame(np.random.default_rng(0).random((80, 4)), columns=list("abcy"))
        >>> options = {"n_trials": 2, "folds": 2, "finalists": 1, "epochs": 1, "stage2_epochs": 1}
        >>> options |= {"latent_dim_options": 2, "hidden_dims_options": "4", "quiet": True}
        >>> results = autoenc.transfer(table, regression_target="y", **options)
        >>> sorted(results.best_params)[:2]
        ['activation', 'dropout']
    """

    def __init__(
        self,
        study: optuna.Study,
        settings: TransferSettings,
        n_columns: int,
        train_best: Callable[[], FittedTransfer],
    ) -> None:
        super().__init__(study, train_best)
        self.settings, self._n_columns, self._train_both = settings, n_columns, train_best
        self._measured: dict[str, Any] | None = None  # of the model, once there is one

    @property
    def best_trial(self) -> FrozenTrial | None:
        """The trial that the finalists' round keeps; None while no trial is complete."""
        return kept_trial(self.study)

    def best_model(self) -> FittedTransfer:
        """Train both stages of the best trial on all that the test rows leave, and measure it once on these.

        Raises:
            InputError: If no trial is complete, its training fails, or the tables cannot be read again.
        """
        self._best()
        model = self._train_both()
        self._measured = model.info
        return model

    @property
    def finalists(self) -> list[Finalist]:
        """See :class:`StudyResults`."""
        return compare(self.study)

    def n_undecided(self) -> int:
        """See :class:`StudyResults`."""
        return n_undecided(self.study)

    def ties(self) -> tuple[list[int] | None, str]:
        """See :class:`StudyResults`."""
        return ties_of(self.study)

    def _has_finalists(self) -> bool:
        return True  # its table has the columns also while nothing is judged again

    @property
    def plot(self) -> TransferPlots:
        """Pictures as matplotlib axes: those of every study, and ``stages()``."""
        return TransferPlots(self)

    def _known(self, trial: FrozenTrial) -> KnownOfTrial:
        n_parameters = None
        if "head_weight_decay" in trial.params:
            fit = configuration(trial.params, self.settings).fit(self.settings.seed, "")
            n_parameters = fit.network(self._n_columns).count_parameters()
        return KnownOfTrial(trial.params.get("hidden_dims"), n_parameters, fold_error(trial))

    def _title(self) -> str:
        targets = " and ".join(self.settings.targets.values())
        return f"encoder for {targets}, {counted(self.settings.n_trials, 'trial')}: {self._counted()}"

    def _answer(self) -> list[str]:
        best = self.best_trial
        if best is None:
            return ["no trial is complete"]
        judged = f", {self.finalists[0].mean:.4f} over all its folds" if self.finalists else ""
        stack, latent = best.params["hidden_dims"], best.params["latent_dim"]
        return [
            f"best trial    {best.number}: {best.params['family']} {stack}, latent size {latent}",
            f"value         {best.value:.6f} in the search{judged}",
            f"scores        {scores_text(best, ', ')}",
            *self._undecided(),
            *trial_tie_lines(self.ties(), len(self.ranked)),
            *self._beside_baselines(),
        ]

    def _beside_baselines(self) -> list[str]:
        if self._measured is None:
            return [
                "baselines     best_model() measures the heads on the test rows, beside raw features and PCA"
            ]
        return ["on held-out test rows:", *beside_lines(self._measured)]


class TransferPlots(StudyPlots):
    """Draws the trials of a transfer-aware search; see :class:`~autoenc.report.study_results.StudyPlots`."""

    def stages(self) -> Axes:
        """Draw what the heads are worth against the loss of reconstruction."""
        from autoenc.report.transfer_reports import draw_stages, stages_plot

        return draw_stages(stages_plot(self._study()[0])).axes[0]
