"""The trials of a transfer-aware search, as the loop wants them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any

import optuna

from autoenc.engines import StopFlag
from autoenc.record.record import Record
from autoenc.searching.studies import Prepared, StudyTrials
from autoenc.settings import TransferSettings
from autoenc.two_stage.objective import FoldOutcome, FoldsObjective, FoldTrial, FoldUnit, Scores
from autoenc.two_stage.space import suggest

__all__ = ["TransferTrials"]


class TransferTrials(StudyTrials[FoldUnit, FoldOutcome]):
    """Trials until the study has ``n_trials``, those of earlier runs counted.

    Args:
        record: Proposes trials and records their results.
        settings: What is open, and how many trials.
        objective: What trials are worth.
        on_end: Called with the number of each trial that ended.
        deadline_s: When no trial begins any more, on :func:`time.monotonic`.
        asking: Held while a trial is begun; see :class:`StudyTrials`.
        stop: Ends the search in order.
    """

    def __init__(
        self,
        record: Record,
        settings: TransferSettings,
        objective: FoldsObjective,
        on_end: Callable[[int], object] = lambda number: None,
        deadline_s: float = inf,
        asking: AbstractContextManager[Any] | None = None,
        stop: StopFlag | None = None,
    ) -> None:
        def prepare(trial: optuna.Trial) -> Prepared[FoldUnit, FoldOutcome]:
            config, known = suggest(trial, settings), dict[FoldUnit, FoldOutcome]()
            for fold, seed, *values in record.measured(trial) or []:
                scores = Scores(*values)
                known[FoldUnit(config, fold, 0, seed)] = FoldOutcome(scores, scores.objective(settings))
            return Prepared(objective.units(config), known=known)

        super().__init__(record, settings.n_trials, prepare, on_end, deadline_s, asking, stop)

    def add(self, trial: FoldTrial, unit: FoldUnit, outcome: FoldOutcome) -> None:
        """Keep the scores of a fold, so that an interruption repeats none that ended."""
        if len(trial.units) == 1 or outcome.scores is None:
            return
        ended = {**trial.outcomes, unit: outcome}
        known = [[each.fold, each.seed, *own.scores] for each, own in ended.items() if own.scores]
        self.record.note_measured(trial.handle, known)

    def n_begun(self) -> int:
        """Return all trials, those that were only enqueued, too."""
        return len(self.record.trials())
