"""Everything that chooses trials: the grid, halving, all samplers of every search, families, finalists."""

from __future__ import annotations

from contextlib import nullcontext
from typing import get_args

import pytest
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from strategy_suite import MadeUp, StrategySuite
from torch import nn

from autoenc.engines import Outcome, StopFlag
from autoenc.record.fits import FitRecord
from autoenc.record.identity import Context
from autoenc.record.record import Record, begun_study
from autoenc.searching import run_fits
from autoenc.searching.loop import run
from autoenc.searching.ready import make_ready
from autoenc.searching.strategies import make_strategy
from autoenc.settings import SearchSettings, TransferSettings, TuneSettings, require_settings
from autoenc.settings.tune import StrategyName
from autoenc.tuning.job import TuneJob
from autoenc.tuning.module_finalists import last_round_of
from autoenc.tuning.module_study import began_module_study
from autoenc.tuning.module_trials import ModuleObjective, ModuleOutcome, ModuleTrials
from autoenc.tuning.sampling import PerTrialSampler
from autoenc.tuning.study import open_tune_record
from autoenc.tuning.trials import run_tuning
from autoenc.two_stage.finalists import judge_finalists
from autoenc.two_stage.job import report_fold
from autoenc.two_stage.objective import FoldOutcome, FoldsObjective, Scores
from autoenc.two_stage.samplers import make_pruner, make_sampler
from autoenc.two_stage.trials import TransferTrials
from autoenc.workflows.optimizer import HyperparameterOptimizer

CONTEXT = Context("f" * 64, ("a", "b"), "maxabs", 42, 0.2, "{}", 3)


def of_trials(record):
    """What a study holds of its trials."""
    assert not record.trials(TrialState.RUNNING, TrialState.WAITING)
    return [
        (trial.state, trial.params, trial.values, trial.intermediate_values,
         {name: each for name, each in trial.user_attrs.items() if name not in ("process", "digest")})
        for trial in record.trials()
    ]  # fmt: skip


class FitSearch:
    """What searches of fits share."""

    def outcome(self, unit, loss, failure):
        n_epochs = unit.recipe.last_epoch
        return Outcome([loss] * n_epochs, [loss] * n_epochs, loss, 0.25, {}, failure=failure)


class Exhaustive(FitSearch):
    def __init__(self, make_split, **options):
        self._strategy = make_strategy(require_settings(SearchSettings, options))
        self._storage, self._split = InMemoryStorage(), make_split()

    def go(self, executor, n_parallel):
        record = FitRecord.of(self._storage, CONTEXT)
        outcomes = record.outcomes()

        def done(fit, outcome):
            record.add(fit, outcome, "made up")
            outcomes[fit] = outcome

        def wanted():
            return [fit for fit in self._strategy.propose(outcomes) if fit not in outcomes]

        run_fits(wanted, lambda fold: self._split, None, 1, done, executor=executor)

    def history(self):
        outcomes = FitRecord.of(self._storage, CONTEXT).outcomes()
        return sorted((str(fit), outcome.test_losses, outcome.failure) for fit, outcome in outcomes.items())


@pytest.mark.parametrize("finalists", [1, 4])
@pytest.mark.parametrize("strategy", ["grid", "halving"])
class TestExhaustive(StrategySuite):
    @pytest.fixture
    def make(self, make_split, strategy, finalists):
        again = {"folds": 2, "finalists": finalists} if finalists > 1 else {}
        return lambda: Exhaustive(make_split, strategy=strategy, max_layers=2, seeds=2, **again)


class Adaptive(FitSearch):
    def __init__(self, table, **options):
        self._options = {
            "data_path": str(table), "latent_dim": 2, "epochs": 2, "n_trials": 12, "num_layers_range": (1, 2),
            "hidden_size_range": (2, 64), **options,
        }  # fmt: skip
        self._storage = InMemoryStorage()

    def go(self, executor, n_parallel):
        settings = require_settings(TuneSettings, {**self._options, "jobs": n_parallel})
        job = TuneJob.prepare(settings, is_on_disk=False)
        make_ready(job.engine, StopFlag(), quiet=True)  # its thread meddles with filters of warnings
        self._record = open_tune_record(self._storage, job, is_alone=True)
        fits = FitRecord.of(self._storage, job.context)
        run_tuning(job, self._record, fits, lambda number: None, nullcontext(), StopFlag(), executor)

    def history(self):
        return of_trials(self._record)


@pytest.mark.parametrize("strategy", get_args(TuneSettings.model_fields["strategy"].annotation))
class TestAdaptive(StrategySuite):
    @pytest.fixture
    def make(self, table_csv, strategy):
        one = {"dropout_range": (0.1, 0.1), "learning_rate_range": (1e-3, 1e-3), "norm_options": "layer",
               "weight_decay_range": (1e-4, 1e-4), "activation_options": "relu"}  # fmt: skip
        return lambda: Adaptive(table_csv, strategy=strategy, **(one if strategy == "grid" else {}))


@pytest.mark.parametrize("strategy", ["tpe", "resilient"])
class TestFamilies(StrategySuite):
    @pytest.fixture
    def make(self, table_csv, strategy):
        return lambda: Adaptive(table_csv, strategy=strategy, families="ae,dae,vae", folds=2)


class TwoStage:
    def __init__(self, **options):
        given = {"regression_target": "y", "n_cv_folds": 2, "n_trials": 12, **options}
        self.settings = require_settings(TransferSettings, given)
        self._storage = InMemoryStorage()
        self.objective = FoldsObjective(
            lambda repeat: (None, [None] * self.settings.n_cv_folds), None, self.settings,
            after_fold=lambda trial, fold, value: report_fold(trial, fold, value, 1),
        )  # fmt: skip

    def record(self):
        sampler, pruner = make_sampler(self.settings), make_pruner(self.settings)
        return Record(begun_study(self._storage, "transfer", sampler, pruner))

    def go(self, executor, n_parallel):
        trials = TransferTrials(self.record(), self.settings, self.objective)
        run(trials, self.objective, executor, StopFlag(), n_parallel)

    def outcome(self, unit, loss, failure):
        if failure is not None:
            return FoldOutcome(None, failure=failure)
        scores = Scores(loss, None, None, 0.1)
        return FoldOutcome(scores, scores.objective(self.settings))

    def history(self):
        return of_trials(self.record())


@pytest.mark.parametrize("sampler", sorted({*get_args(StrategyName)} - {"nsgaii"}))
class TestTwoStage(StrategySuite):
    @pytest.fixture
    def make(self, sampler):
        narrow = {"learning_rate_range": 1e-3, "weight_decay_range": 1e-4, "head_dropout_range": 0.1}
        return lambda: TwoStage(sampler=sampler, pruner="none", **(narrow if sampler == "grid" else {}))


class TestNsgaii(StrategySuite):
    may_repeat = True  # a child may be like a parent

    @pytest.fixture
    def make(self):
        n_trials = 60  # so that there is a second generation, which learns from the first
        return lambda: TwoStage(sampler="nsgaii", n_trials=n_trials, pruner="none")


class TestPrunedTwoStage(StrategySuite):
    @pytest.fixture
    def make(self):
        return lambda: TwoStage(pruner="median")


class Finalists(TwoStage):
    """Four trials that are complete, and then judged again."""

    def __init__(self):
        super().__init__(sampler="random", n_trials=4, finalists=4, pruner="none")
        super().go(MadeUp(self), 1)

    def go(self, executor, n_parallel):
        settings = self.settings.model_copy(update={"n_jobs": n_parallel})
        judge_finalists(self.record().study, settings, self.objective, executor, StopFlag())

    def history(self):
        return [each for each in self.record().study.user_attrs.items() if "/" in each[0]]


class TestFinalists(StrategySuite):
    failing = 0.1

    @pytest.fixture
    def make(self):
        return Finalists


class Modules:
    def __init__(self, strategy):
        space = {"out_features": (1, 99), "learning_rate": (1e-4, 1e-1), "batch_size": [8, 16]}
        options = {"in_features": 2}
        self._optimizer = HyperparameterOptimizer(nn.Linear, space, strategy=strategy, model_options=options)
        self._storage = InMemoryStorage()

    def go(self, executor, n_parallel):
        sampler = PerTrialSampler(self._optimizer._sampler_for, 42)
        self._record = began_module_study(self._storage, "modules", {"code": {}}, sampler, NopPruner(), True)
        trials = ModuleTrials(self._record, 12, self._optimizer.space, lambda trial: None)
        run(trials, ModuleObjective(None), executor, StopFlag(), n_parallel)

    def outcome(self, unit, loss, failure):
        return ModuleOutcome(None if failure else loss, failure)

    def history(self):
        return of_trials(self._record)


class ModuleFinalists(Modules):
    """Four trials of modules that are complete, and then judged again."""

    def __init__(self):
        super().__init__("random")
        super().go(MadeUp(self), 1)

    def go(self, executor, n_parallel):
        objective = ModuleObjective(None, folds=2, seeds=2)
        last_round_of(self._record.study).judge(4, 2, objective, executor, StopFlag(), n_parallel)

    def history(self):
        return [each for each in self._record.study.user_attrs.items() if "/" in each[0]]


class TestModuleFinalists(StrategySuite):
    failing = 0.05

    @pytest.fixture
    def make(self):
        return ModuleFinalists


@pytest.mark.parametrize("strategy", get_args(StrategyName))
class TestModules(StrategySuite):
    @pytest.fixture
    def make(self, strategy):
        return lambda: Modules(strategy)
