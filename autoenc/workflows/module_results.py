"""Results of a search of torch modules."""

from __future__ import annotations

import warnings
from math import isclose
from typing import TYPE_CHECKING, Any, ClassVar

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoenc.analysis.study import count_finished
from autoenc.models.grid import format_architecture
from autoenc.report.finalists import finalist_lines
from autoenc.report.study_results import StudyResults
from autoenc.report.ties import trial_tie_lines
from autoenc.report.trials_table import KnownOfTrial
from autoenc.searching.finalists import Finalist
from autoenc.tuning.module_finalists import error_of, kept_trial, last_round_of, ties_of
from autoenc.tuning.module_study import MODULES
from autoenc.tuning.module_trials import LOSSES
from autoenc.tuning.pairs import Pairs

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from autoenc.workflows.optimizer import HyperparameterOptimizer

__all__ = ["ModuleResults"]


class ModuleResults(StudyResults):
    """A search of any class of torch modules: its trials, the best of them, pictures.

    Args:
        study: The record of the search.
        optimizer: What searched.
        train, val: The data; ``val`` is None where folds of ``train`` judge.

    Example:
        >>> import torch
        >>> from autoenc import HyperparameterOptimizer
        >>> x = torch.linspace(-1, 1, 60).reshape(-1, 1)
        >>> space = {"out_features": [1], "learning_rate": (1e-3, 1e-1), "num_epochs": [2]}
        >>> options = {"folds": 3, "seeds": 2, "finalists": 2, "model_options": {"in_features": 1}}
        >>> results = HyperparameterOptimizer(torch.nn.Linear, space, **options).optimize(x, n_trials=3)
        >>> bool(results.leaderboard["tied"].any()), len(results.finalists)
        (True, 2)
    """

    is_of_table: ClassVar[bool] = False

    def __init__(
        self, study: optuna.Study, optimizer: HyperparameterOptimizer, train: Pairs, val: Pairs | None
    ) -> None:
        super().__init__(study, self.best_model)
        self.optimizer, self.train, self.val = optimizer, train, val

    @property
    def best_trial(self) -> FrozenTrial | None:
        """The first of the finalists, without them the trial with the lowest value; None without any."""
        return last_round_of(self.study).kept_trial()

    @property
    def best_params(self) -> dict[str, Any]:
        """The best trial's options, as constructor and training take them.

        Raises:
            InputError: If no trial has succeeded; it says how the last one failed.
        """
        return self.optimizer.space.values(kept_trial(self.study).params)

    @property
    def best_value(self) -> float:
        """The best trial's loss in the search, before any finalists; raises as ``best_params`` does."""
        value = kept_trial(self.study).value
        assert value is not None
        return value

    @property
    def n_trials(self) -> int:
        """Trials that ended, well or not."""
        return count_finished(self.study)

    @property
    def failures(self) -> dict[int, str]:
        """Why trials failed, by their numbers."""
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return {trial.number: trial.user_attrs.get("failure", "") for trial in trials}

    @property
    def finalists(self) -> list[Finalist]:
        """See :class:`StudyResults`."""
        return last_round_of(self.study).finalists()

    def n_undecided(self) -> int:
        """See :class:`StudyResults`."""
        return last_round_of(self.study).n_undecided()

    def ties(self) -> tuple[list[int] | None, str]:
        """See :class:`StudyResults`."""
        return ties_of(self.study)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """See :class:`StudyResults`; a ``stack`` has what takes ``hidden_dims`` from a space."""
        table = super().leaderboard
        return table if self.optimizer.space.is_stacked else table.drop(columns="stack")

    @property
    def noted(self) -> dict[str, Any]:
        """All that the trials depend on, as the record notes it."""
        return dict(self.study.user_attrs[MODULES])

    def best_model(self) -> nn.Module:
        """Return the best trial's model, trained again to the same values; raises as ``best_params`` does.

        With seeds it is that of the first one; with folds it is trained on all training rows, as in no trial.

        Warns:
            RuntimeWarning: If its loss is another one than was recorded.
        """
        best = kept_trial(self.study)
        if self.val is None:
            return self.optimizer.train(best.params, self.train, self.train).model
        trained = self.optimizer.train(best.params, self.train, self.val)
        recorded = best.user_attrs.get(LOSSES, [self.best_value])[0]
        if not isclose(trained.val_loss, recorded, rel_tol=1e-6):
            warnings.warn(
                f"trial {best.number} of study {self.study.study_name!r} is recorded with a loss of "
                f"{recorded:g}, but now comes to {trained.val_loss:g}: model class, loss, machine or version "
                "of torch are not those that it was made with",
                RuntimeWarning,
                stacklevel=2,
            )
        return trained.model

    def _known(self, trial: FrozenTrial) -> KnownOfTrial:
        stack = self.optimizer.space.stack(trial.params)
        named = None if stack is None else format_architecture(stack)
        return KnownOfTrial(named, trial.user_attrs.get("model_params"), error_of(self.study, trial))

    def _title(self) -> str:
        name = getattr(self.optimizer.model_class, "__name__", repr(self.optimizer.model_class))
        return f"{name} by {self.optimizer.strategy}: {self._counted()}"

    def _answer(self) -> list[str]:
        best, optimizer = self.best_trial, self.optimizer
        if best is None:
            return ["no trial has succeeded"]
        options = ", ".join(f"{name} {_shown(value)}" for name, value in self.best_params.items())
        rows = f"over {optimizer.folds} folds" if optimizer.folds else "on validation rows"
        is_repeated = optimizer.folds or optimizer.seeds > 1
        return [
            f"best trial    {best.number}: {options}",
            f"loss          {best.value:.6g} {rows}; chosen by it, so that it is optimistic",
            *finalist_lines(self.finalists, lambda number: f"trial {number}"),
            *self._undecided(),
            *(trial_tie_lines(self.ties(), len(self.ranked)) if is_repeated else []),
        ]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(getattr(value, "__name__", value))
