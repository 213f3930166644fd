from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from objective_suite import ObjectiveSuite, WatchedSuite
from torch import nn

from autoenc.engines import Fit, Recipe
from autoenc.engines.native import NativeEngine
from autoenc.searching.fits import FitObjective
from autoenc.searching.trials import Trial
from autoenc.settings import TransferSettings, require_settings
from autoenc.tuning.module_trials import ModuleObjective, ModuleUnit
from autoenc.tuning.pairs import read_pairs
from autoenc.tuning.trials import TuneObjective
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import FoldsObjective
from autoenc.two_stage.space import configuration
from autoenc.workflows import optimizer as optimizer_module
from autoenc.workflows.optimizer import HyperparameterOptimizer

SHORT = Recipe(epochs=3, norm="none")
DIVERGING = {"initial_lr": 1e30}


@pytest.fixture
def raising(monkeypatch):
    """Makes a function of a class or module raise an error."""

    def make(owner, name, error):
        def raises(*given, **more):
            raise error

        monkeypatch.setattr(owner, name, raises)

    return make


class TestAutoencoder(WatchedSuite):
    @pytest.fixture
    def objective(self, compiled_engine, make_split):
        split = make_split()
        return FitObjective(compiled_engine, lambda fold: split)

    @pytest.fixture
    def units(self):
        return [Fit((8, 4), 2, SHORT, seed) for seed in (1, 2)]

    @pytest.fixture
    def failing(self, units):
        return replace(units[0], recipe=replace(SHORT, **DIVERGING))

    @pytest.fixture
    def broken(self, raising):
        return partial(raising, NativeEngine, "fit")


class TestTune(TestAutoencoder):
    config = Trial((8, 4), 2, SHORT, ("holdout",), (1, 2))

    @pytest.fixture
    def objective(self, compiled_engine, make_split):
        split = make_split()
        return TuneObjective(compiled_engine, lambda fold: split)


@pytest.mark.parametrize("kind", ["frozen", "thawed", "thawed, one stage 1 for all folds"])
class TestTransfer(ObjectiveSuite):
    @pytest.fixture
    def job(self, table_csv, frame, kind, compiled_engine, tmp_path):
        (frame + 0.01).to_csv(tmp_path / "labelled.csv", index=False)
        options = {
            "data_path": str(table_csv), "regression_target": "down", "classification_target": "",
            "n_cv_folds": 2, "epochs": 2, "stage2_epochs": 2, "unfreeze": kind != "frozen",
            "labelled_path": str(tmp_path / "labelled.csv") if "all folds" in kind else None,
        }  # fmt: skip
        return TransferJob.prepare(require_settings(TransferSettings, options), is_on_disk=False)

    @pytest.fixture
    def objective(self, job):
        return FoldsObjective(cache(job.part), job.data, job.settings)

    @pytest.fixture
    def units(self, objective, job):
        params = {"latent_dim": 2, "hidden_dims": "8-4", "family": "ae", "activation": "relu", "norm": "none",
                  "dropout": 0.2, "learning_rate": 1e-3, "weight_decay": 1e-4, "head_dropout": 0.1,
                  "head_learning_rate": 3e-3, "head_weight_decay": 1e-4}  # fmt: skip
        return objective.units(configuration(params, job.settings))

    @pytest.fixture
    def failing(self, units):
        known = units[0].configuration
        return units[0]._replace(configuration=replace(known, recipe=replace(known.recipe, **DIVERGING)))

    @pytest.fixture
    def broken(self, raising):
        return partial(raising, NativeEngine, "fit")


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 3))


class TestModule(WatchedSuite):
    n_threads = 1  # a module may draw from torch's own generator, of which a process has one

    @pytest.fixture
    def objective(self):
        rows = torch.linspace(-1, 1, 60).reshape(20, 3)
        pairs = read_pairs(rows, "rows", 0)
        optimizer = HyperparameterOptimizer(Net, {"learning_rate": (1e-4, 1e-2), "num_epochs": [3]})
        return ModuleObjective(partial(optimizer._train_unit, train=pairs, val=pairs))

    @pytest.fixture
    def units(self):
        return [ModuleUnit({"learning_rate": 1e-3, "num_epochs": 3})]

    @pytest.fixture
    def failing(self):
        return ModuleUnit({"learning_rate": 1e30, "num_epochs": 3})

    @pytest.fixture
    def broken(self, raising):
        return partial(raising, optimizer_module, "train_module")
