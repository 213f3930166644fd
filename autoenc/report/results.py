"""Results of an exhaustive search, the one source of every report."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

from autoenc.analysis.baselines import BASELINES
from autoenc.analysis.effects import Effect, factor_effects
from autoenc.analysis.selection import Selection, select
from autoenc.analysis.surest import best_of_sure
from autoenc.analysis.warm_starts import compare_warm_starts, warm_start_document
from autoenc.data.division import HOLDOUT
from autoenc.engines import Fit, Outcome
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord
from autoenc.record.outcomes import Outcomes
from autoenc.report.base import Results
from autoenc.report.remembered import remembered
from autoenc.searching.finalists import JudgedTrials
from autoenc.searching.strategies import Finalists, Grid, Halving, Strategy, make_strategy
from autoenc.searching.trials import Trial, TrialResult, trials_of
from autoenc.settings import RaceSettings, SearchSettings
from autoenc.system.text import counted

if TYPE_CHECKING:
    import pandas as pd

    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.report.axes import SearchPlots
    from autoenc.report.latent import LatentPlot

__all__ = ["ModelSource", "SearchResults"]


class ModelSource(Protocol):
    """A source of models of a search, which trains them again."""

    def model(self, fit: Fit) -> FittedAutoencoder | None:
        """Return the model of a fit; None if the fit fails."""
        ...

    def latent_plot(self, results: SearchResults) -> LatentPlot:
        """Return where the best model puts the rows; the latent size must be 2."""
        ...


@dataclass(frozen=True, repr=False)
class SearchResults(Results):
    """The results of an exhaustive search: the one source of every report.

    Attributes:
        settings: The options.
        search: What the search noted about itself: ``columns``, ``fingerprint``, ``n_rows``, ``n_train``,
            ``n_test``, ``engine``, ``environment`` and ``baselines``; and ``ensemble`` where one was made.
        outcomes: Every fit that is done so far.
        source: What trains its models again.
        memory: What was computed from these outcomes.

    Example:
        >>> import numpy as np
        >>> import autoenc
        >>> table = np.random.default_rng(0).random((60, 5))
        >>> options = {"hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 2, "quiet": True}
        >>> results = autoenc.search(table, latent_dim=2, **options)
        >>> results.leaderboard["loss"].is_monotonic_increasing, results.best_model().info["latent_dim"]
        (True, 2)
        >>> sorted(results.baselines)
        ['linear', 'mean', 'pca']
    """

    settings: SearchSettings
    search: dict[str, Any]
    outcomes: MutableMapping[Fit, Outcome]
    source: ModelSource | None = field(default=None, compare=False)
    memory: dict[str, Any] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(
        cls, settings: SearchSettings, record: FitRecord, source: ModelSource | None = None
    ) -> SearchResults:
        """Return the results that a record holds for the trials of these settings."""
        return cls(settings, record.search, record.outcomes(), source)

    @cached_property
    def strategy(self) -> Strategy:
        """What is tried."""
        return make_strategy(self.settings)

    @property
    def _first_strategy(self) -> Strategy:
        return self.strategy.strategy if isinstance(self.strategy, Finalists) else self.strategy

    @remembered
    def judged_again(self) -> JudgedTrials | None:
        """How the best trials did over further folds, as far as they are judged; None without finalists."""
        return self.strategy.judged(self.outcomes) if isinstance(self.strategy, Finalists) else None

    @property
    def leaderboard(self) -> pd.DataFrame:
        """A row a stack, best first; see :func:`autoenc.report.leaderboard.leaderboard`."""
        from autoenc.report.leaderboard import leaderboard

        return leaderboard(self)

    def best_model(self) -> FittedAutoencoder:
        """Train the chosen stack again and return its model: the same one, bit for bit.

        Raises:
            InputError: If no stack has succeeded, the chosen one fails on all training rows, or the table
                cannot be read again.
        """
        if not self.finished:
            raise InputError("there is no best model: no stack has succeeded")
        if self.source is None:
            raise InputError("these results do not know their table; load them with autoenc.load_results")
        chosen = self.selection.chosen
        model = self.source.model(chosen.trial.refit(chosen))
        if model is None:
            raise InputError(f"there is no best model: {chosen.trial.name} fails on all training rows")
        return model

    @property
    def plot(self) -> SearchPlots:
        """Pictures as matplotlib axes: ``sizes()``, ``loss_curves()``, ``progress()``, ``latent_space()``."""
        from autoenc.report.axes import SearchPlots

        return SearchPlots(self)

    def _title(self) -> str:
        n_done, n_all = len(self.complete), len(self.trials)
        return f"{n_done:,} of {counted(n_all, 'stack')}, latent size {self.settings.latent_size}"

    def _answer(self) -> list[str]:
        if isinstance(self.settings, RaceSettings):
            from autoenc.report.fit_answer import fit_lines

            return fit_lines(self)
        from autoenc.report.answer import answer_lines, baselines_line
        from autoenc.report.ties import tied_names

        if not self.finished:
            return ["no stack has succeeded"]
        return [*answer_lines(self), *tied_names(self), baselines_line(self.baselines)]

    @remembered
    def trials(self) -> list[Trial]:
        """What is compared, in the order of the grid."""
        return self.strategy.compared(self.outcomes)

    @remembered
    def trained(self) -> list[Trial]:
        """What is trained: what is compared, warm starts reported beside it, and repeats of finalists."""
        return self.strategy.trained(self.outcomes)

    @property
    def columns(self) -> list[str]:
        """Columns learned from."""
        columns: list[str] = self.search["columns"]
        return columns

    @property
    def baselines(self) -> dict[str, float]:
        """Losses of the baselines on the rows that compare the trials: means over the folds."""
        by_fold = self.search["baselines"]
        folds = self.trials[0].folds
        names = [name for name in BASELINES if all(name in by_fold[fold] for fold in folds)]
        return {name: fmean(by_fold[fold][name] for fold in folds) for name in names}

    @property
    def held_out_baselines(self) -> dict[str, float]:
        """Losses of the baselines on the rows that are set aside, and what PCA explains of them."""
        baselines: dict[str, float] = self.search["baselines"][HOLDOUT]
        return baselines

    @property
    def pca_explained(self) -> float | None:
        """Explained variance by PCA of standardized columns, the mean over the folds; None if not known."""
        shares = [self.search["baselines"][fold].get("pca_explained") for fold in self.trials[0].folds]
        return None if None in shares else fmean(shares)

    @remembered
    def complete(self) -> list[TrialResult]:
        """Trials whose fits are all done, in the order of the grid."""
        self.read_ahead(fit for trial in self.trials for fit in trial.fits)
        trial_results = (trial.result(self.outcomes) for trial in self.trials)
        return [result for result in trial_results if result is not None]

    @remembered
    def finished(self) -> list[TrialResult]:
        """Trials that succeeded, in the order of the grid."""
        return [result for result in self.complete if result.failure is None]

    @remembered
    def failed(self) -> list[TrialResult]:
        """Trials of which a fit failed, in the order of the grid."""
        return [result for result in self.complete if result.failure is not None]

    @remembered
    def failed_beside(self) -> list[TrialResult]:
        """Trials of which a fit failed, among those that are trained without being compared."""
        if self.settings.compare_warm or not self.settings.warm_start:
            return []
        trial_results = (trial.result(self.outcomes) for trial in self.trained if trial.recipe.warm_start)
        return [result for result in trial_results if result is not None and result.failure is not None]

    @remembered
    def missing(self) -> list[Trial]:
        """Trials with unfinished fits, compared or not, in the order of the grid."""
        return [trial for trial in self.trained if any(fit not in self.outcomes for fit in trial.fits)]

    @remembered
    def ranked(self) -> list[TrialResult]:
        """Trials that succeeded, lowest loss first; ties go to the earlier in the grid."""
        return sorted(self.finished, key=lambda result: result.loss)

    @property
    def all_failed(self) -> bool:
        """Whether every trial that is done failed, and one did."""
        return bool(self.failed) and not self.finished

    @remembered
    def in_order_of_training(self) -> list[TrialResult]:
        """Trials that succeeded, in the order in which a search takes them: most work first.

        The order in which they end is a matter of timing, and of where a search was interrupted. ``fit``
        takes them as they are proposed.
        """
        if isinstance(self.settings, RaceSettings):
            return self.finished

        def work(result: TrialResult) -> int:
            fit = result.trial.fits[0]
            return fit.network(len(self.columns)).count_multiply_adds() * fit.recipe.last_epoch

        # Of equal ones a search takes the later in the grid first.
        return sorted(self.finished, key=work)[::-1]

    @remembered
    def selection(self) -> Selection:
        """Which stack to keep, and how sure that is; there must be a finished trial."""
        finished, judged = self.finished, self.judged_again
        selection = select(finished, len(self.columns), self.settings.select, self.settings.score)
        if judged is not None and judged.winner is not None:
            winner = judged.winner.trial
            chosen = next(result for result in finished if result.trial == winner)
            return replace(selection, rule="finalists", chosen=chosen)
        if not isinstance(self.settings, RaceSettings):
            return selection
        return best_of_sure(selection, finished, finished[0], self.settings.n_errors)

    @remembered
    def effects(self) -> list[Effect]:
        """What each option that varies does to the loss."""
        return factor_effects(self.finished, self.settings.factors)

    @remembered
    def halving(self) -> dict[str, Any] | None:
        """What halving spent against the whole grid; None of another strategy."""
        strategy = self._first_strategy
        return strategy.cost(self.outcomes, len(self.columns)) if isinstance(strategy, Halving) else None

    @remembered
    def n_configurations(self) -> int:
        """Trials that would be compared if all were trained."""
        strategy = self._first_strategy
        return len(strategy.trials if isinstance(strategy, Grid | Halving) else trials_of(self.settings))

    @remembered
    def table_text(self) -> str:
        """CSV with a line per architecture, best first, failed ones last."""
        from autoenc.report.search_document import csv_text

        return csv_text(self)

    @property
    def n_dropped(self) -> int:
        """Trials that halving dropped after fewer epochs, so that they are not compared."""
        strategy = self._first_strategy
        return len(strategy.trials) - len(self.trials) if isinstance(strategy, Halving) else 0

    @property
    def n_incomplete(self) -> int:
        """Trials that would be compared but for a fit that is missing."""
        return len(self.trials) - len(self.complete)

    @remembered
    def warm_start(self) -> dict[str, Any] | None:
        """What warm starts save; None where none were asked for."""
        if not self.settings.warm_start:
            return None
        trained = self._first_strategy.trained(self.outcomes)
        return warm_start_document(compare_warm_starts(trained, self.outcomes))

    @property
    def ensemble(self) -> dict[str, Any] | None:
        """Results of the ensemble of the best fits, as the search noted them; None without an ensemble."""
        return self.search.get("ensemble")

    @property
    def cells(self) -> dict[str, Any] | None:
        """What the test loss of the chosen stack is made of, see :mod:`autoenc.analysis.cells`; if noted."""
        noted = self.search.get("cells")
        if noted is None or not self.finished:
            return None
        chosen = self.selection.chosen
        fit = chosen.trial.refit(chosen)
        is_of_chosen = noted["fit"] == fit.digest
        return {name: value for name, value in noted.items() if name != "fit"} if is_of_chosen else None

    @property
    def holdout_outcome(self) -> Outcome | None:
        """With folds, the chosen trial trained on all training rows, measured on the test rows; if done."""
        if not self.settings.folds or not self.finished:
            return None
        chosen = self.selection.chosen
        return self.outcomes.get(chosen.trial.refit(chosen))

    def read_ahead(self, fits: Iterable[Fit]) -> None:
        """Read the outcomes of many fits in one go, where they are in a record and not read yet."""
        if isinstance(self.outcomes, Outcomes):
            self.outcomes.read_ahead(fits)

    def n_parameters(self, trial: Trial) -> int:
        """Return the trainable parameters of a trial's network."""
        return trial.n_parameters(len(self.columns))
