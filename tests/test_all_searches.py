"""What one search can, all can where it has a meaning: searches by options, from outside."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from optuna import load_study
from optuna.pruners import MedianPruner
from optuna.trial import TrialState
from torch import nn

import autoenc
from autoenc.data.division import HOLDOUT
from autoenc.record.fits import searches_in
from autoenc.record.record import TRANSFER, TUNE, Record
from autoenc.record.storage import open_storage
from autoenc.settings import FitSettings, PhasesSettings, SearchSettings, TransferSettings, TuneSettings
from autoenc.settings.options import aliases_of
from autoenc.settings.tune import StrategyName
from autoenc.workflows import optimizer as optimizer_module
from autoenc.workflows import transfer as workflow

pytestmark = pytest.mark.slow

DATA = ("--columns", "a,b,c,d", "--epochs", 2, "--jobs", 1, "--quiet")
GRID = ("search", *DATA, "--latent_dim", 2, "--hidden_dims_search", "3,4,8", "--max_layers", 1)
TUNE_ = (
    "tune", *DATA, "--latent_dim", 2, "--hidden_size_range", "3,8", "--num_layers_range", "1,2",
    "--n_trials", 6, "--pruner", "median",
)  # fmt: skip
ONE = ("--dropout_range", 0.1, "--learning_rate_range", 1e-3, "--weight_decay_range", 1e-4)
POINTS = (*ONE, "--batch_size_options", 16, "--activation_options", "relu,tanh", "--norm_options", "none")
TWO_STAGE = (
    "transfer", *DATA, "--regression_target", "score", "--classification_target", "kind", "--name", "s",
    "--stage2_epochs", 1, "--latent_dim_options", 2, "--hidden_dims_options", "4,8-4", "--n_trials", 4,
    "--pruner", "median",
)  # fmt: skip
HEADS = ("--head_dropout_range", 0.1, "--head_learning_rate_range", 1e-2, "--head_weight_decay_range", 0.1)

SEARCHES = {
    "grid": GRID,
    "halving": (*GRID, "--strategy", "halving", "--max_layers", 2),
    "random": (*TUNE_, "--strategy", "random"),
    "tpe": (*TUNE_, "--strategy", "tpe"),
    "cmaes": (*TUNE_, "--strategy", "cmaes"),
    "gp": (*TUNE_, "--strategy", "gp"),
    "nsgaii": (*TUNE_, "--strategy", "nsgaii"),
    "resilient": (*TUNE_, "--strategy", "resilient"),
    "points": (*TUNE_, "--strategy", "grid", *POINTS),
    "families": (*TUNE_, "--families", "ae,vae"),
    "transfer": (*TWO_STAGE, "--strategy", "tpe"),
    "transfer cmaes": (*TWO_STAGE, "--strategy", "cmaes"),
    "transfer gp": (*TWO_STAGE, "--strategy", "gp"),
    "transfer nsgaii": (*TWO_STAGE, "--strategy", "nsgaii"),
    "transfer resilient": (*TWO_STAGE, "--strategy", "resilient"),
    "transfer points": (*TWO_STAGE, "--strategy", "grid", *ONE, *HEADS, "--family_options", "ae"),
}
SHOWN = {"grid", "tpe", "transfer"}
"""Those whose results are looked at by every command; the others leave the same records."""
JUDGED = ("--folds", 3, "--seeds", 2, "--stratify", "site", "--group", "person", "--finalists", 2)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.random((90, 4)).round(4), columns=list("abcd"))
    frame["score"], frame["kind"] = (10 * frame.a + frame.b).round(3), np.where(frame.c > 0.6, 5, 3)
    frame["person"] = [f"p{i % 18}" for i in range(90)]
    frame["site"] = np.where(rng.random(90) < 0.4, "x", "y")
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def recorded(url: str) -> dict[str, Counter[str]]:
    """Numbers of trials of each study by their states."""
    names = [study.study_name for study in open_storage(url, read_only=True).get_all_studies()]
    studies = {name: load_study(study_name=name, storage=url) for name in names}
    return {name: Counter(trial.state.name for trial in study.trials) for name, study in studies.items()}


@pytest.mark.parametrize("name", SEARCHES)
def test_every_option_takes_effect_in_every_search(call, table, tmp_path, monkeypatch, name):
    monkeypatch.setattr(workflow, "write_pictures", lambda study, folder: [])
    url, output = f"sqlite:///{tmp_path / 'studies.db'}", tmp_path / "out"
    command = (*SEARCHES[name], "--data_path", table, "--output_dir", output, "--storage", url, *JUDGED)
    whole = call(*command)
    assert whole.code == 0, whole.err
    check_record(url)
    check_ties(output)

    first = recorded(url)
    plan = call(*(word for word in command if word != "--quiet"), "--dry_run")
    assert plan.code == 0, plan.err
    assert re.search(r"\b(0 left to train|0 trials left|4 wanted, 4 done|2 wanted, 2 done)", plan.out)
    assert call(*command).code == 0
    assert recorded(url) == first, "what is recorded is not trained again"
    if name in SHOWN:
        show(call, output / "s" if name == "transfer" else output, url, tmp_path)
    if name == "tpe":
        assert call(*command, "--fresh").code == 0
        assert len(recorded(url)) > len(first), "the old record is kept as a study of another name"


def check_record(url: str) -> None:
    """Folds, seeds, groups and shares are in what was trained."""
    storage = open_storage(url, read_only=True)
    two_stage, adaptive = Record.all_of(storage, TRANSFER), Record.all_of(storage, TUNE)
    for record in two_stage:
        context = record.study.user_attrs[TRANSFER]
        assert (context["group"], context["stratify"], context["seeds"]) == ("person", "site", 2)
        complete = record.trials(TrialState.COMPLETE)
        assert complete
        assert all(len(trial.intermediate_values) == 3 for trial in complete)
    for record in adaptive:
        depends_on = json.loads(record.study.user_attrs[TUNE]["context"]["division"])
        assert {"stratify", "group"} <= {*depends_on}
        identity = record.study.user_attrs[TUNE]["identity"]
        assert (identity["folds"], identity["seeds"], identity["pruner"]) == (3, 2, "median")
        assert all(trial.intermediate_values for trial in record.trials(TrialState.COMPLETE)), "reported"
    exhaustive = searches_in(storage)
    for fits in exhaustive:
        assert {"stratify", "group"} <= {*json.loads(fits.context.division)}
        judged = [fit for fit in fits.outcomes() if fit.fold != HOLDOUT]
        assert len({fit.seed for fit in judged}) == 4
        assert len({fit.fold for fit in judged}) == 6, "three folds, and three others that judge finalists"
    assert two_stage or adaptive or exhaustive


def check_ties(output: Path) -> None:
    """The files say which stacks or trials may be as good as the best, by folds and seeds."""
    names = {
        "hyperparam_results_*.json": "selection", "best_hyperparameters.json": "ties",
        "best_params.json": "ties",
    }  # fmt: skip
    (told,) = [
        json.loads(path.read_text())[key] for name, key in names.items() for path in output.rglob(name)
    ]
    assert told["tied"]
    assert told["method"].endswith("over 3 folds and 2 seeds")


def show(call, folder: Path, url: str, tmp_path: Path) -> None:
    """Every command that looks at a search takes this one."""
    record = ("--storage", url)
    for command in (
        ("analyze", folder, *record),
        ("pivot", folder, *record, "--rows", "num_layers", "--columns", "learning_rate"),
        ("train-best", "--from", folder, *record, "--output_dir", tmp_path / "best"),
        ("report", folder, *record),
        ("runs", folder),
        ("refine", "--from", folder, *record, "--to", tmp_path / "fine.yaml"),
    ):
        answer = call(*command)
        assert answer.code == 0, (command, answer.err)


class Net(nn.Sequential):
    def __init__(self, hidden_size: int) -> None:
        super().__init__(nn.Linear(4, hidden_size), nn.Tanh(), nn.Linear(hidden_size, 4))


@pytest.mark.parametrize("strategy", get_args(StrategyName))
def test_every_option_takes_effect_in_a_search_of_modules(table, tmp_path, monkeypatch, strategy):
    url, rows = f"sqlite:///{tmp_path / 'studies.db'}", pd.read_csv(table)[list("abcd")]
    space = {"hidden_size": (2, 8), "learning_rate": (1e-3, 1e-1), "num_epochs": [2]}
    options = {"folds": 3, "seeds": 2, "finalists": 2, "pruner": MedianPruner(), "study_name": "s"}
    trainings, train = [], optimizer_module.train_module

    def trained(*given):
        trainings.append(given)
        return train(*given)

    monkeypatch.setattr(optimizer_module, "train_module", trained)

    def search(**more):
        optimizer = autoenc.HyperparameterOptimizer(Net, space, strategy=strategy, storage=url, **options)
        return optimizer.optimize(rows, n_trials=6, **more)

    whole = search()
    first, finalists, n_trainings = recorded(url), whole.finalists, len(trainings)
    assert first["s"].total() == 6
    assert all(trial.intermediate_values for trial in whole.ranked), "reported"
    assert [finalist.n_folds for finalist in finalists] == [6, 6]
    assert whole.ties()[1].endswith("over 3 folds and 2 seeds")
    assert whole.leaderboard["tied"].any()

    again = search()
    assert (recorded(url), again.finalists) == (first, finalists)
    assert len(trainings) == n_trainings, "what is recorded is not trained again"
    if strategy == "tpe":
        assert search(fresh=True).finalists == finalists
        assert len(recorded(url)) == 2, "the old record is kept as a study of another name"
        assert len(trainings) == 2 * n_trainings


KINDS = {
    "search": SearchSettings, "tune": TuneSettings, "transfer": TransferSettings, "fit": FitSettings,
    "phases": PhasesSettings,
}  # fmt: skip
OPTIONS = (
    "folds", "seeds", "stratify", "group", "finalists", "storage", "scheduler", "shard", "fresh", "dry_run",
    "pruner", "n_trials", "timeout_hours", "ensemble", "save_models", "refit", "select", "score", "strategy",
    "families", "retry_failed", "verbose", "plot", "track", "verify",
)  # fmt: skip
HERE = {
    "search": {*OPTIONS} - {"pruner", "n_trials", "timeout_hours", "families", "plot"},
    "tune": {*OPTIONS}
    - {"shard", "save_models", "refit", "select", "score", "retry_failed", "verbose", "verify"},
    "transfer": {
        "folds", "seeds", "stratify", "group", "finalists", "storage", "scheduler", "fresh", "dry_run",
        "pruner", "n_trials", "timeout_hours", "strategy", "track",
    },
    "fit": {"folds", "stratify", "group", "storage", "scheduler", "fresh", "refit", "track"},
    "phases": {"folds", "fresh", "dry_run", "n_trials"},
}  # fmt: skip


@pytest.mark.parametrize("command", KINDS)
def test_what_a_search_has_no_meaning_for_is_refused_with_a_sentence(call, command):
    kind = KINDS[command]
    known = {*kind.model_fields, *aliases_of(kind)}
    assert {name for name in OPTIONS if name in known} == HERE[command]
    flags = [f"--{name}={name}" for name in OPTIONS if name not in known]
    answer = call(command, *(["x.yaml"] if command == "phases" else []), *flags)
    assert answer.code == 2
    lines = answer.err.splitlines()
    for flag in flags:
        name = flag.split("=")[0]
        (line,) = [line for line in lines if line.startswith(f"error: {name} ")]
        assert " is not an option here; " in line or " is an option of " in line, line


def test_adaptive_searches_judged_by_other_rows_are_left_out_of_a_comparison_and_named(call, table, tmp_path):
    where = ("--data_path", table, "--output_dir", tmp_path)
    for name, size in (("grid", "2,3"), ("random", "4")):
        assert call(*SEARCHES[name], *where, "--latent_dim", size).code == 0
    answer = call("compare", tmp_path)
    assert answer.code == 0, answer.err
    assert [line.split()[0] for line in answer.out.splitlines()[1:3]] == ["2", "3"]
    (line,) = answer.err.splitlines()
    assert line.startswith("warning: left out: the adaptive search for latent size 4, ")


def test_latent_sizes_of_every_search_are_compared(call, table, tmp_path):
    for name, more in (("grid", ("--storage", f"sqlite:///{tmp_path / 'studies.db'}")), ("random", ())):
        folders = [tmp_path / f"{name}{size}" for size in (2, 3)]
        for size, folder in enumerate(folders, 2):
            where = ("--data_path", table, "--output_dir", folder, *more)
            assert call(*SEARCHES[name], *where, "--latent_dim", size).code == 0
        answer = call("compare", *folders, *more)
        assert answer.code == 0, answer.err
        assert [line.split()[0] for line in answer.out.splitlines()[1:3]] == ["2", "3"]
    (tmp_path / "study.db").touch()
    assert f"`autoenc pivot {tmp_path} --rows latent_dim` compares them" in call("compare", tmp_path).err
