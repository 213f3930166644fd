"""Results of an exhaustive search, the one source of every report."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from autoenc.analysis.baselines import BASELINES
from autoenc.analysis.effects import Effect, factor_effects
from autoenc.analysis.error import corrected_error
from autoenc.analysis.selection import Selection, select
from autoenc.analysis.surest import best_of_sure
from autoenc.analysis.warm_starts import compare_warm_starts, warm_start_document
from autoenc.data.division import HOLDOUT
from autoenc.engines import Fit, Outcome
from autoenc.errors import InputError
from autoenc.record.fits import FitRecord
from autoenc.record.outcomes import Outcomes
from autoenc.report.base import Results
from autoenc.report.cells import csv_lines
from autoenc.report.remembered import remembered
from autoenc.searching.finalists import JudgedTrials
from autoenc.searching.strategies import Finalists, Grid, Halving, Strategy, make_strategy
from autoenc.searching.trials import Trial, TrialResult, trials_of
from autoenc.settings import RaceSettings, SearchSettings
from autoenc.system.paths import utf8
from autoenc.system.text import counted, json_text

if TYPE_CHECKING:
    import pandas as pd

    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.report.axes import SearchPlots
    from autoenc.report.latent import LatentPlot

T = TypeVar("T")

__all__ = ["ModelSource", "SearchResults", "csv_text", "finite", "json_bytes", "results_document"]


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
        return self._pca_explained(self.trials[0].folds)

    def _pca_explained(self, folds: Sequence[str]) -> float | None:
        shares = [self.search["baselines"][fold].get("pca_explained") for fold in folds]
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


def results_document(results: SearchResults) -> dict[str, Any]:
    """Return the JSON document; numbers that are not finite become null."""
    settings = results.settings
    document = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "args": settings.model_dump(mode="json"),
        "total_configurations": results.n_configurations,
        "best_configuration": _best(results),
        "baselines": results.baselines,
        "pca_explained_variance": results.pca_explained,
        "measure": settings.measure,
        **({"halving": results.halving} if results.halving else {}),
        "selection": _selection(results),
        **({"finalists": _finalists(results)} if settings.finalists > 1 else {}),
        **({"factors": [effect._asdict() for effect in results.effects]} if settings.factors else {}),
        **({"ensemble": results.ensemble} if settings.ensemble else {}),
        **({"warm_start": results.warm_start} if settings.warm_start else {}),
        "test_loss_is_made_of": results.cells,
        "all_results": [_entry(results, result) for result in results.finished],
        "failed_configurations": [
            {"config": list(result.trial.architecture), "reason": result.failure} for result in results.failed
        ],
        "environment": {
            **results.search["environment"],
            "device": results.search["device"],
            "engine": results.search["engine"],
            "seed": settings.seed,
            "columns": results.columns,
            "rows": {
                "all": results.search["n_rows"],
                "train": results.search["n_train"],
                "test": results.search["n_test"],
            },
            "data_fingerprint": results.search["fingerprint"],
        },
    }
    return finite(document)


def _best(results: SearchResults) -> dict[str, Any] | None:
    if not results.ranked:
        return None
    best = results.selection.chosen
    network = best.trial.fits[0].network(len(results.columns))
    document = {
        "config": list(best.trial.architecture),
        **({"recipe": best.trial.varied} if best.trial.factors else {}),
        "final_test_loss": best.loss,
        "best_test_loss": best.best_test_loss,
        "final_train_loss": best.final_train_loss,
        "explained_variance": best.explained,
        "model_info": network.describe(best.trial.recipe.dropout),
    }
    if results.settings.folds:
        outcome = results.holdout_outcome
        document["holdout_test_loss"] = None if outcome is None else outcome.final_test_loss
        document["holdout_explained_variance"] = None if outcome is None else outcome.explained
        baselines = dict(results.held_out_baselines)
        document["holdout_pca_explained_variance"] = baselines.pop("pca_explained", None)
        document["holdout_baselines"] = baselines
    return document


def _selection(results: SearchResults) -> dict[str, Any] | None:
    if not results.finished:
        return None
    selection = results.selection

    def configs(chosen: list[TrialResult]) -> list[list[int]]:
        return [list(result.trial.architecture) for result in chosen]

    return {
        "rule": selection.rule,
        "chosen": list(selection.chosen.trial.architecture),
        "best": list(selection.best.trial.architecture),
        "tied": None if selection.tied is None else configs(selection.tied),
        "one_se": list(selection.one_se.trial.architecture),
        "pareto": configs(selection.pareto),
        "method": selection.method,
        "compared": len(results.finished),
        "dropped_untested": results.n_dropped,
    }


def _finalists(results: SearchResults) -> list[dict[str, Any]]:
    """Return how the finalists compare, best first; empty while they are not judged to the end."""
    judged = results.judged_again
    if judged is None:
        return []
    documents = []
    for finalist in judged.standing.finalists():
        trial = judged.results[finalist.number].trial
        recipe = {"recipe": trial.varied} if trial.factors else {}
        numbers = {name: value for name, value in finalist._asdict().items() if name != "number"}
        documents.append({"config": list(trial.architecture), **recipe, **numbers})
    return documents


def _entry(results: SearchResults, result: TrialResult) -> dict[str, Any]:
    trial = result.trial
    return {
        "config": list(trial.architecture),
        **({"recipe": trial.varied} if trial.factors else {}),
        "final_test_loss": result.loss,
        "best_test_loss": result.best_test_loss,
        "final_train_loss": result.final_train_loss,
        "explained_variance": result.explained,
        "model_params": results.n_parameters(trial),
        "num_layers": len(trial.architecture),
        "train_losses": result.train_losses,
        "test_losses": result.test_losses,
        "seconds": result.seconds,
        "mean_test_loss": result.loss,
        "standard_error": result.standard_error,
        "corrected_standard_error": corrected_error(result),
        "fits": [
            {
                "fold": fit.fold,
                "seed": fit.seed,
                "final_test_loss": outcome.final_test_loss,
                "final_train_loss": outcome.final_train_loss,
                "explained_variance": outcome.explained,
                "epochs": len(outcome.test_losses),
                "kept_epoch": outcome.n_kept_epochs,
                "seconds": outcome.seconds,
            }
            for fit, outcome in zip(trial.fits, result.outcomes, strict=True)
        ],
    }


def finite(value: T) -> T:
    """Replace numbers that strict JSON cannot hold by null."""
    plain: Any = value
    if isinstance(plain, dict):
        plain = {key: finite(item) for key, item in plain.items()}
    elif isinstance(plain, list):
        plain = plain if _are_finite(plain) else [finite(item) for item in plain]
    elif isinstance(plain, float) and not isfinite(plain):
        plain = None
    return cast("T", plain)


def _are_finite(values: list[Any]) -> bool:
    """Return whether a list holds finite numbers and nothing else, as most lists and the longest do."""
    try:
        return all(map(isfinite, values))
    except TypeError:
        return False


def json_bytes(document: dict[str, Any]) -> bytes:
    """Return strict JSON with a line per top-level key and per entry of a top-level list."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            entries = ",\n  ".join(json_text(entry) for entry in value)
            lines.append(f" {json_text(key)}: [\n  {entries}\n ]")
        else:
            lines.append(f" {json_text(key)}: {json_text(value)}")
    return utf8("{\n" + ",\n".join(lines) + "\n}\n")


def csv_text(results: SearchResults) -> str:
    """Return a line per architecture, best first, failed ones last."""
    head = (
        ["rank", "config", "num_layers", "model_params", "final_test_loss", "standard_error",
         "best_test_loss", "final_train_loss", "explained_variance", "n_fits", "seconds", "failure"]
    )  # fmt: skip
    lines: list[list[Any]] = []
    for rank, result in enumerate(results.ranked, 1):
        losses = [
            result.loss, result.standard_error, result.best_test_loss, result.final_train_loss,
            result.explained,
        ]  # fmt: skip
        lines.append([rank, *_named(results, result), *losses, len(result.losses), result.seconds, ""])
    for result in results.failed:
        lines.append(["", *_named(results, result), *5 * [""], len(result.losses), "", result.failure])
    return csv_lines(head, lines)


def _named(results: SearchResults, result: TrialResult) -> list[Any]:
    trial = result.trial
    return [trial.name, len(trial.architecture), results.n_parameters(trial)]
