"""Results of a search of torch modules: ties, finalists, tables, and what an interruption leaves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autoenc import HyperparameterOptimizer, HyperparameterSearchSpace, InputError, ModuleResults
from autoenc.analysis.ties import tied_with_best
from autoenc.data.division import repeat_seed
from autoenc.searching.finalists import n_judgements
from autoenc.tuning.pairs import read_pairs
from autoenc.workflows import optimizer as optimizer_module

SPACE = {"hidden_size": (2, 24), "learning_rate": (1e-4, 1e-1), "num_epochs": [2]}
FOLDS, SEEDS, FINALISTS, N_TRIALS = 3, 2, 3, 5
JUDGED = {"folds": FOLDS, "seeds": SEEDS, "finalists": FINALISTS}
ROWS = torch.rand(48, 3, generator=torch.Generator().manual_seed(0))
DATA = ROWS, (ROWS[:, :1] - 2 * ROWS[:, 1:2]).sin()


class Net(nn.Sequential):
    def __init__(self, hidden_size: int) -> None:
        super().__init__(nn.Linear(3, hidden_size), nn.Tanh(), nn.Dropout(0.1), nn.Linear(hidden_size, 1))


class Deep(nn.Sequential):
    def __init__(self, hidden_dims: tuple[int, ...]) -> None:
        widths = [3, *hidden_dims]
        layers = [nn.Linear(*ends) for ends in pairwise(widths)]
        super().__init__(*layers, nn.Linear(widths[-1], 1))


def search(**more) -> HyperparameterOptimizer:
    return HyperparameterOptimizer(Net, SPACE, **{**JUDGED, **more})


@pytest.fixture(scope="module")
def whole() -> ModuleResults:
    return search().optimize(DATA, n_trials=N_TRIALS)


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """The seeds of all trainings since."""
    seeds: list[int] = []
    train = optimizer_module.train_module

    def training(make, training, train_rows, val_rows, loss, seed, *more):
        seeds.append(seed)
        return train(make, training, train_rows, val_rows, loss, seed, *more)

    monkeypatch.setattr(optimizer_module, "train_module", training)
    return seeds


def judgements(results: ModuleResults) -> dict[str, object]:
    """What the record holds of the finalists' round."""
    return {name: value for name, value in results.study.user_attrs.items() if "finalists" in name}


def test_the_best_are_judged_again_by_other_folds_and_seeds(whole) -> None:
    finalists = whole.finalists
    ranked = [trial.number for trial in whole.ranked]
    assert {finalist.number for finalist in finalists} == {*ranked[:FINALISTS]}
    assert finalists[0].n_folds > finalists[-1].n_folds == 2 * FOLDS
    assert finalists[0].mean <= finalists[1].mean
    number = finalists[-1].number
    trial, train = whole.study.trials[number], read_pairs(DATA, "train", 42)
    first, losses = repeat_seed(42, 1), []
    for fold in range(FOLDS):
        others, held = train.without_fold(fold, FOLDS, first)
        losses += [[search(seed=first + i).train(trial.params, others, held).val_loss for i in range(SEEDS)]]
    judged = whole.study.user_attrs[f"autoenc_module_finalists/{number}/1"]
    assert judged == pytest.approx(np.mean(losses, axis=1).tolist())
    values = np.reshape(trial.user_attrs["losses"], (FOLDS, SEEDS)).mean(axis=1)
    assert finalists[-1].mean == pytest.approx(np.mean([*values, *judged]))


def test_the_first_of_the_finalists_is_the_best(whole, tmp_path) -> None:
    kept = whole.finalists[0].number
    assert whole.best_trial is not None
    assert whole.best_trial.number == kept == whole.leaderboard["trial"].iloc[0]
    assert whole.best_params == whole.study.trials[kept].params
    assert whole.best_value == whole.study.trials[kept].value
    place = tmp_path / "s.journal"
    search(storage=place).optimize(DATA, n_trials=N_TRIALS)
    later = search(storage=place).train_best(DATA, DATA)
    train = read_pairs(DATA, "train", 42)
    expected = search().train(whole.study.trials[kept].params, train, train)
    assert later.val_losses == expected.val_losses
    assert f"finalist      trial {kept}: " in repr(whole)


def test_trials_that_may_be_as_good_are_named(whole) -> None:
    ranked = whole.ranked
    losses = np.array([trial.user_attrs["losses"] for trial in ranked]).reshape(-1, FOLDS, SEEDS)
    expected = [ranked[i].number for i in tied_with_best(losses, 1 / (FOLDS - 1))]
    tied, method = whole.ties()
    assert sorted(tied or ()) == sorted(expected)
    assert tied
    assert tied[0] == ranked[0].number
    assert "3 folds and 2 seeds" in method
    board = whole.leaderboard
    assert {*board.loc[board["tied"], "trial"]} == {*expected}
    assert f"({method})" in repr(whole)


def test_seeds_alone_show_ties_and_one_seed_none() -> None:
    options = {"folds": 0, "finalists": 1}
    tied, method = search(**options, seeds=3).optimize(DATA, DATA, n_trials=3).ties()
    assert tied
    assert "3 seeds on this one split" in method
    results = search(finalists=1, seeds=1).optimize(DATA, n_trials=2)
    assert results.ties()[0] is None
    assert results.ties()[1].endswith("seeds=3 shows it")
    assert results.leaderboard["tied"].isna().all()


def test_an_interrupted_round_goes_on_and_trains_nothing_twice(whole, tmp_path, trained, monkeypatch) -> None:
    per_trial = FOLDS * SEEDS
    n_all = per_trial * (N_TRIALS + n_judgements(FINALISTS))
    place = tmp_path / "s.journal"
    train = optimizer_module.train_module

    def interrupted_after(n_most):
        left = iter(range(n_most))

        def training(*given):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return train(*given)

        return training

    for n_most in (per_trial * N_TRIALS + 1, per_trial, 2 * per_trial + 3):
        monkeypatch.setattr(optimizer_module, "train_module", interrupted_after(n_most))
        with pytest.raises(KeyboardInterrupt):
            search(storage=place).optimize(DATA, n_trials=N_TRIALS)
    monkeypatch.setattr(optimizer_module, "train_module", train)
    result = search(storage=place).optimize(DATA, n_trials=N_TRIALS)
    # Only the cross-validation in which an interruption came begins anew.
    assert len(trained) == n_all + 1 + 3
    assert judgements(result) == judgements(whole)
    assert result.finalists == whole.finalists
    trained.clear()
    assert search(storage=place).optimize(DATA, n_trials=N_TRIALS).finalists == whole.finalists
    assert trained == []


def test_an_interrupted_trial_repeats_no_training_that_ended(tmp_path, trained, monkeypatch) -> None:
    options = {"storage": tmp_path / "s.journal", "finalists": 1}
    whole = search(finalists=1).optimize(DATA, n_trials=3)
    trained.clear()
    train = optimizer_module.train_module
    for n_most in (2, 3, 4):
        left = iter(range(n_most))

        def interrupted(*given, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return train(*given)

        monkeypatch.setattr(optimizer_module, "train_module", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(**options).optimize(DATA, n_trials=3)
    monkeypatch.setattr(optimizer_module, "train_module", train)
    result = search(**options).optimize(DATA, n_trials=3)
    assert len(trained) == 3 * FOLDS * SEEDS
    parts, at_once = (
        [(trial.value, *map(trial.user_attrs.get, ("losses", "model_params"))) for trial in each.ranked]
        for each in (result, whole)
    )
    assert parts == at_once


def test_finalists_that_are_not_decided_are_told() -> None:
    results = search(finalists=1).optimize(DATA, n_trials=3)
    assert (results.n_undecided(), "not decided" in repr(results)) == (0, False)
    results.study.set_user_attr("autoenc_module_finalists", 2)  # as one that was stopped at once leaves it
    assert results.n_undecided() == 2
    said = "the finalists are not decided: 2 cross-validations left in this round; the same call goes on"
    assert said in repr(results)
    assert results.best_trial == results.ranked[0]
    assert results.finalists == []


def test_more_trials_use_what_was_judged(tmp_path, trained) -> None:
    place = tmp_path / "s.journal"
    search(storage=place, finalists=1).optimize(DATA, n_trials=N_TRIALS)
    search(storage=place, finalists=2).optimize(DATA, n_trials=N_TRIALS)
    before = len(trained)
    result = search(storage=place, finalists=2).optimize(DATA, n_trials=N_TRIALS)
    assert len(trained) == before
    assert len(result.finalists) == 2
    assert search(storage=place, finalists=1).optimize(DATA, n_trials=N_TRIALS).finalists == []
    assert len(trained) == before


@pytest.mark.slow
def test_a_cluster_judges_the_same_finalists(whole, tmp_path) -> None:
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    from dask_cluster import DaskProcesses

    cluster = DaskProcesses(tmp_path)
    try:
        here = Path(__file__)  # whose classes the worker needs
        cluster.start_worker(PYTHONPATH=f"{here.parents[2]}:{here.parent}")
        results = search(strategy="random", scheduler=cluster.address).optimize(DATA, n_trials=N_TRIALS)
    finally:
        cluster.stop()
    alone = search(strategy="random").optimize(DATA, n_trials=N_TRIALS)
    assert results.finalists == alone.finalists
    assert judgements(results) == judgements(alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 0}, "finalists 3 judges by further folds of the training rows; give folds=5"),
        ({"finalists": 0}, "finalists must be at least 1 and at most 1,024, got 0"),
        ({"finalists": 2000}, "finalists must be at least 1 and at most 1,024, got 2000"),
    ],
)
def test_finalists_that_cannot_be_are_told(options, message) -> None:
    with pytest.raises(InputError, match=message):
        search(**options)


def test_the_tables_and_pictures_are_those_of_every_search(whole, tmp_path) -> None:
    board = whole.leaderboard
    assert [*board][:6] == [
        "trial", "value", "standard_error", "finalist_mean", "finalist_standard_error", "tied",
    ]  # fmt: skip
    assert "stack" not in board
    assert board["parameters"].tolist() == [5 * width + 1 for width in board["hidden_size"]]
    assert whole.plot.history().get_xlabel() == "trial"
    assert "Net by tpe: 5 complete" in whole._repr_html_()
    pytest.importorskip("jinja2")
    pytest.importorskip("plotly")
    whole.report(tmp_path / "page.html", DATA[0])
    page = (tmp_path / "page.html").read_text()
    assert f"Trial {whole.finalists[0].number} is kept" in page
    assert "knows neither latent points nor columns" in page


def test_a_stack_of_a_space_is_shown() -> None:
    space = HyperparameterSearchSpace(num_layers_range=(1, 2), hidden_size_range=(2, 8), num_epochs=1)
    results = HyperparameterOptimizer(Deep, space).optimize(DATA, DATA, n_trials=3)
    stacks = ["-".join(map(str, results.optimizer.space.options(trial.params).model["hidden_dims"]))
              for trial in results.ranked]  # fmt: skip
    assert results.leaderboard["stack"].tolist() == stacks
