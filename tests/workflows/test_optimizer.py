from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from autoenc import (
    DynamicAutoencoder,
    HyperparameterOptimizer,
    HyperparameterSearchSpace,
    InputError,
    sparse_aware_loss,
)
from autoenc.tuning.pairs import read_pairs

STRATEGIES = ("random", "tpe", "cmaes", "resilient")
SPACE = {
    "hidden_size": (2, 24), "depth": [1, 2], "activation": [nn.Tanh, nn.ReLU],
    "learning_rate": (1e-4, 1e-1), "batch_size": [8, 16], "num_epochs": [2],
}  # fmt: skip


class Net(nn.Module):
    def __init__(self, n_inputs: int, hidden_size: int, depth: int, activation=nn.ReLU, dropout=0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(hidden_size if i else n_inputs, hidden_size), activation()]
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(hidden_size, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Fragile(Net):
    """Cannot be made with one layer, and diverges with tanh."""

    def __init__(self, depth: int, activation=nn.ReLU, **more) -> None:
        if depth == 1:
            raise RuntimeError("one layer is too few")
        super().__init__(depth=depth, activation=activation, **more)
        self.factor = float("inf") if activation is nn.Tanh else 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.factor


def pairs(n_rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(n_rows, 3, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, :1] - 2 * x[:, 1:2]).sin()


TRAIN, VAL = pairs(48, 0), pairs(24, 1)


def optimizer(model_class=Net, space=SPACE, **more) -> HyperparameterOptimizer:
    more.setdefault("model_options", {"n_inputs": 3})
    return HyperparameterOptimizer(model_class, space, **more)


def history(study: optuna.Study) -> list:
    return [(trial.state, trial.params, trial.values, trial.intermediate_values) for trial in study.trials]


def test_the_best_model_is_trained_again_to_the_same_bits() -> None:
    result = optimizer().optimize(TRAIN, VAL, n_trials=6)
    assert result.n_trials == 6
    assert set(result.best_params) == set(SPACE)
    assert result.best_params["activation"] in (nn.Tanh, nn.ReLU)
    model = result.best_model()
    with torch.no_grad():
        assert nn.functional.mse_loss(model(VAL[0]), VAL[1]).item() == result.best_value
    again = result.best_model().state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
    assert result.best_value == min(trial.value for trial in result.study.trials)


def test_results_follow_from_parameters_seed_and_data_alone() -> None:
    first = optimizer().optimize(TRAIN, VAL, n_trials=4).study
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert history(optimizer().optimize(TRAIN, VAL, n_trials=4).study) == history(first)
    assert torch.equal(torch.get_rng_state(), state)  # and the caller's generator is left alone
    other = optimizer(seed=1).optimize(TRAIN, VAL, n_trials=4).study
    assert history(other) != history(first)


def test_training_learns() -> None:
    space = {"hidden_size": [16], "depth": [1], "learning_rate": [0.03], "num_epochs": [40]}
    result = optimizer(space=space).optimize(TRAIN, VAL, n_trials=1)
    assert result.best_value < 0.3 * VAL[1].var().item()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_in_parts_equals_one_in_one_go(strategy, tmp_path) -> None:
    n_trials = 7
    whole = optimizer(strategy=strategy).optimize(TRAIN, VAL, n_trials=n_trials).study
    for n_so_far in (2, 3, n_trials):
        parts = optimizer(strategy=strategy, storage=tmp_path / "new" / "study.journal")
        result = parts.optimize(TRAIN, VAL, n_trials=n_so_far)
    assert history(result.study) == history(whole)


def test_a_pruned_search_goes_on_exactly_too(tmp_path) -> None:
    space = {**SPACE, "num_epochs": [6]}
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    whole = optimizer(space=space, pruner=pruner).optimize(TRAIN, VAL, n_trials=8).study
    assert TrialState.PRUNED in {trial.state for trial in whole.trials}
    for n_so_far in (3, 8):
        parts = optimizer(space=space, pruner=pruner, storage=str(tmp_path / "study.journal"))
        study = parts.optimize(TRAIN, VAL, n_trials=n_so_far).study
        if n_so_far == 3:  # a kill in the middle of the next trial
            left = study.ask()
            parts.space.suggest(left)
            left.report(whole.trials[3].intermediate_values[0], 0)
    assert history(study) == history(whole)


def test_a_trial_left_by_an_interruption_is_taken_up_in_this_process(tmp_path) -> None:
    calls = 0

    def interrupted(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise KeyboardInterrupt
        return nn.functional.mse_loss(output, target)

    interrupted.__qualname__ = "mse_loss"
    url = f"sqlite:///{tmp_path}/study.db"
    with pytest.raises(KeyboardInterrupt):
        optimizer(storage=url, loss=interrupted).optimize(TRAIN, VAL, n_trials=3)
    result = optimizer(storage=url).optimize(TRAIN, VAL, n_trials=3)
    assert history(result.study) == history(optimizer().optimize(TRAIN, VAL, n_trials=3).study)


def test_failing_trials_tell_why_and_do_not_end_the_search() -> None:
    result = optimizer(Fragile, strategy="random").optimize(TRAIN, VAL, n_trials=12)
    assert result.n_trials == 12
    assert result.best_params["depth"] == 2
    assert set(result.failures.values()) == {
        "RuntimeError: one layer is too few",
        "ArithmeticError: the loss stopped being finite in epoch 1",
    }
    assert result.best_params["activation"] is nn.ReLU


def test_the_resilient_strategy_avoids_what_cannot_be_made() -> None:
    result = optimizer(Fragile, strategy="resilient", space={**SPACE, "activation": [nn.ReLU]}).optimize(
        TRAIN, VAL, n_trials=14
    )
    assert not [number for number in result.failures if number > 8]


def test_where_nothing_succeeds_the_reason_is_told() -> None:
    result = optimizer(loss=lambda output, target: (output - target).square()).optimize(
        TRAIN, VAL, n_trials=2
    )
    with pytest.raises(
        InputError, match=r"has succeeded; the last failure: ValueError: loss must give one num"
    ):
        _ = result.best_params


class Rows(Dataset):
    def __init__(self, pairs: tuple[torch.Tensor, torch.Tensor]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs[0])

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.pairs[0][index].numpy().astype(np.float64), self.pairs[1][index].numpy()


def test_all_kinds_of_data_are_the_same_to_it() -> None:
    expected = history(optimizer().optimize(TRAIN, VAL, n_trials=2).study)
    arrays = [tuple(part.numpy().astype(np.float64) for part in given) for given in (TRAIN, VAL)]
    datasets = [TensorDataset(*TRAIN), TensorDataset(*VAL)]
    for train, val in (arrays, datasets, [Rows(TRAIN), DataLoader(Rows(VAL), batch_size=7)]):
        assert history(optimizer().optimize(train, val, n_trials=2).study) == expected


def test_a_shuffling_loader_gives_its_rows_in_a_seeded_order() -> None:
    loader = DataLoader(TensorDataset(*TRAIN), batch_size=5, shuffle=True)
    first, again = (history(optimizer().optimize(loader, VAL, n_trials=2).study) for _ in range(2))
    assert first == again


def test_autoencoders_of_tables_with_missing_cells_are_searched_as_any_other() -> None:
    table = torch.rand(60, 5, generator=torch.Generator().manual_seed(2))
    table[table < 0.1] = torch.nan
    space = HyperparameterSearchSpace(
        num_layers_range=(1, 3), hidden_size_range=(4, 16), norm_options="layer", num_epochs=2
    )
    result = optimizer(
        DynamicAutoencoder, space, loss=sparse_aware_loss, model_options={"input_dim": 5, "latent_dim": 2}
    ).optimize(table[:40], table[40:], n_trials=4)
    assert not result.failures
    assert set(result.best_params) == {
        "hidden_dims", "dropout", "activation", "norm", "learning_rate", "weight_decay", "batch_size",
    }  # fmt: skip
    dims = result.best_params["hidden_dims"]
    assert list(dims) == sorted(dims, reverse=True)
    assert result.best_model().shape.hidden_dims == dims


def test_a_search_space_gives_what_the_constructor_names() -> None:
    class Named(nn.Linear):
        def __init__(self, num_layers: int, hidden_size: int, learning_rate: float, **rest) -> None:
            super().__init__(3, 1)
            assert not rest
            self.told = (num_layers, hidden_size, learning_rate)

    space = HyperparameterSearchSpace(num_layers_range=(2, 3), hidden_size_range=(8, 9), num_epochs=1)
    result = optimizer(Named, space, model_options={}).optimize(TRAIN, VAL, n_trials=2)
    best = result.best_params
    assert set(best) == {"num_layers", "hidden_size", "learning_rate", "weight_decay", "batch_size"}
    assert result.best_model().told == (best["num_layers"], best["hidden_size"], best["learning_rate"])
    assert result.optimizer.train_best(TRAIN, VAL, num_epochs=3).val_losses[2] > 0


def test_choices_may_be_anything_and_distributions_are_taken_as_they_are() -> None:
    class Stack(nn.Linear):
        def __init__(self, hidden_dims, width: int) -> None:
            super().__init__(3, 1)
            self.told = hidden_dims, width

    space = {
        "hidden_dims": [(4, 2), (3,)], "width": IntDistribution(4, 20, step=8), "num_epochs": [1],
        "weight_decay": FloatDistribution(0, 0.5, step=0.25), "learning_rate": (0.0, 0.1),
    }  # fmt: skip
    made = optimizer(Stack, space, model_options={})
    assert made.space.distributions["learning_rate"] == FloatDistribution(0, 0.1)
    assert made.space.distributions["weight_decay"].step == 0.25
    result = made.optimize(TRAIN, VAL, n_trials=4)
    dims, width = result.best_model().told
    assert dims in [(4, 2), (3,)]
    assert width in (4, 12, 20)


def test_the_best_is_trained_longer_also_from_a_storage(tmp_path) -> None:
    path = tmp_path / "study.journal"
    made = optimizer(storage=path)
    with pytest.raises(InputError, match=r"there is no search yet .*run optimize first"):
        made.train_best(TRAIN, VAL)
    made.optimize(TRAIN, VAL, n_trials=3)
    here = made.train_best(TRAIN, VAL, num_epochs=4)
    there = optimizer(storage=path).train_best(TRAIN, VAL, num_epochs=4)
    assert here.val_losses == there.val_losses
    assert len(here.train_losses) == len(here.val_losses) == 4
    assert here.val_loss == here.val_losses[-1]
    with pytest.raises(InputError, match="num_epochs must be at least 1, got 0"):
        made.train_best(TRAIN, VAL, num_epochs=0)
    with pytest.raises(InputError, match="there is no search 'other' yet in"):
        optimizer(storage=path, study_name="other").train_best(TRAIN, VAL)


def test_another_search_does_not_go_on_in_the_same_study(tmp_path) -> None:
    path = tmp_path / "study.journal"
    optimizer(storage=path).optimize(TRAIN, VAL, n_trials=1)
    for other, differing in [
        (optimizer(storage=path, seed=1), "seed"),
        (optimizer(storage=path, space={**SPACE, "num_epochs": [3]}), "search_space"),
        (optimizer(storage=path, loss=nn.L1Loss()), "loss"),
    ]:
        with pytest.raises(InputError, match=f"is another search; it differs in {differing}; give another"):
            other.optimize(TRAIN, VAL, n_trials=2)
    with pytest.raises(InputError, match="it differs in val_data"):
        optimizer(storage=path).optimize(TRAIN, TRAIN, n_trials=2)
    assert optimizer(storage=path, study_name="other", seed=1).optimize(TRAIN, VAL, n_trials=1).n_trials == 1


def test_what_is_missing_or_taken_by_nobody_is_told_at_once() -> None:
    space = {"hidden_sizes": (2, 3), "dropout": (0.5, 0.1), "n_inputs": [3], "batch_size": (0, 4)}
    with pytest.raises(ValueError, match="needs hidden_size, depth: give them in model_options") as caught:
        optimizer(space=space, model_options={"n_inputs": 3, "n_outputs": 1}, strategy="hill", device="warp")
    text = str(caught.value)
    assert (
        "search_space: hidden_sizes is an option of neither Net nor the training; Net takes n_inputs" in text
    )
    assert "dropout must be an ascending range, e.g. (0.1, 0.5), got (0.5, 0.1)" in text
    assert "n_inputs is given in model_options too" in text
    assert "batch_size must be whole numbers of at least 1, got (0, 4)" in text
    assert "model_options: Net takes no n_outputs" in text
    assert "strategy must be one of grid, random, tpe, cmaes, gp, nsgaii, resilient, got 'hill'" in text
    assert "device 'warp' cannot be used" in text


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({**SPACE, "depth": 2}, r"depth must be a range as a tuple \(low, high\), a list .* got 2"),
        ([], "search_space must be a HyperparameterSearchSpace or a mapping .*, got list"),
        ({**SPACE, "depth": []}, r"depth must be a range as a tuple"),
        ({**SPACE, "activation": [nn.ReLU, nn.ReLU]}, "activation must not repeat a choice, got ReLU, ReLU"),
        (
            HyperparameterSearchSpace(norm_options="none"),
            "norm_options is given, but Net takes no norm from it",
        ),
    ],
)
def test_a_wrong_space_is_told(space, text) -> None:
    with pytest.raises(InputError, match=text):
        optimizer(
            space=space, model_options={"n_inputs": 3, **({"depth": 1} if "depth" not in space else {})}
        )


def test_a_model_class_that_is_none_is_told() -> None:
    with pytest.raises(InputError, match="model_class must be a class of torch modules, got 'Net'"):
        optimizer("Net")
    with pytest.raises(InputError, match="threads must be at least 1, got 0"):
        optimizer(threads=0)
    with pytest.raises(InputError, match="n_trials must be at least 1, got 0"):
        optimizer().optimize(TRAIN, VAL, n_trials=0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (7, "train_data must be a Dataset or DataLoader .*, got int"),
        ((TRAIN[0], TRAIN[1], TRAIN[1]), r"got \(Tensor, Tensor, Tensor\)"),
        ((TRAIN[0], TRAIN[1][:5]), "must have a target for each input, got 48 inputs and 5 targets"),
        (torch.empty(0, 3), "train_data must have at least one row, got none"),
        (torch.tensor(3.0), "train_data must have rows, got one number"),
        ([torch.rand(2, 3), torch.rand(2, 4)], "train_data cannot be stacked to one tensor: "),
        (np.array([{}, {}]), "train_data must hold numbers"),
    ],
)
def test_wrong_data_is_told(data, text) -> None:
    with pytest.raises(InputError, match=text):
        optimizer().optimize(data, VAL, n_trials=1)


@pytest.mark.slow
def test_a_cluster_comes_to_the_same_trials(tmp_path) -> None:
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    from dask_cluster import DaskProcesses

    def trials(**more) -> list[tuple]:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
        result = optimizer(strategy="random", pruner=pruner, **more).optimize(TRAIN, VAL, n_trials=9)
        return [(trial.state.name, trial.params, trial.value) for trial in result.study.get_trials()]

    cluster = DaskProcesses(tmp_path)
    try:
        here = Path(__file__)  # whose classes the worker needs
        cluster.start_worker(PYTHONPATH=f"{here.parents[2]}:{here.parent}")
        assert trials(scheduler=cluster.address) == trials()
        assert "PRUNED" in {state for state, *_ in trials()}
    finally:
        cluster.stop()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scheduler": "host"}, "scheduler must be the address of a Dask scheduler"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_at_once(options, text) -> None:
    with pytest.raises(InputError, match=text):
        optimizer(**options)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_told_by_the_arguments_name() -> None:
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    with pytest.raises(InputError, match=r"^scheduler tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        optimizer(scheduler="tcp://127.0.0.1:1").optimize(TRAIN, VAL, n_trials=1)


def test_the_value_is_the_mean_over_seeds() -> None:
    space = {"hidden_size": [4], "depth": [1], "num_epochs": [2]}
    alone = [optimizer(space=space, seed=seed).optimize(TRAIN, VAL, n_trials=1) for seed in (42, 43)]
    both = optimizer(space=space, seeds=2).optimize(TRAIN, VAL, n_trials=1)
    values = [result.best_value for result in alone]
    assert values[0] != values[1]
    assert both.study.trials[0].user_attrs["losses"] == values
    assert both.best_value == pytest.approx(np.mean(values))
    kept, first = both.best_model().state_dict(), alone[0].best_model().state_dict()
    assert all(torch.equal(kept[name], value) for name, value in first.items())


def test_each_row_judges_in_one_fold() -> None:
    rows = read_pairs((torch.arange(10.0)[:, None], torch.arange(10.0)[:, None]), "rows", 0)
    parts = [rows.without_fold(fold, 3, 7) for fold in range(3)]
    held = torch.cat([val.inputs for _, val in parts])[:, 0]
    assert sorted(held.tolist()) == [*range(10)]
    for train, val in parts:
        assert sorted([*train.inputs[:, 0].tolist(), *val.targets[:, 0].tolist()]) == [*range(10)]
    assert sorted(len(val.inputs) for _, val in parts) == [3, 3, 4]


def test_folds_judge_by_training_rows(tmp_path: Path) -> None:
    search = optimizer(folds=3, storage=tmp_path / "s.journal")
    result = search.optimize(TRAIN, n_trials=2)
    best = min(result.study.trials, key=lambda trial: trial.value)
    train = read_pairs(TRAIN, "train", 42)
    losses = []
    for fold in range(3):
        others, held = train.without_fold(fold, 3, 42)
        alone = optimizer(space={**SPACE}).train(best.params, others, held)
        losses.append(alone.val_loss)
    assert best.user_attrs["losses"] == losses
    assert best.value == pytest.approx(np.mean(losses))
    assert result.best_model()(TRAIN[0]).shape == (48, 1)
    assert search.optimize(TRAIN, n_trials=2).study.trials[1].value == result.study.trials[1].value
    with pytest.raises(InputError, match="it differs in folds"):
        optimizer(folds=2, storage=tmp_path / "s.journal").optimize(TRAIN)


def test_a_fresh_search_keeps_the_earlier_one(tmp_path: Path) -> None:
    place = tmp_path / "s.journal"
    optimizer(storage=place).optimize(TRAIN, VAL, n_trials=2)
    result = optimizer(storage=place, seeds=2).optimize(TRAIN, VAL, n_trials=1, fresh=True)
    assert result.n_trials == 1
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(place)))
    counts = sorted(len(study.get_trials()) for study in studies_of(storage))
    assert counts == [1, 2]


def studies_of(storage: optuna.storages.BaseStorage) -> list[optuna.Study]:
    names = optuna.get_all_study_names(storage)
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def test_a_trial_fails_with_its_first_training() -> None:
    result = optimizer(Fragile, {**SPACE, "depth": [1]}, folds=2, seeds=2).optimize(TRAIN, n_trials=1)
    assert result.failures == {0: "RuntimeError: one layer is too few"}


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"folds": 1}, (), "folds must be 0 or at least 2, got 1"),
        ({"seeds": 0}, (), "seeds must be at least 1"),
        ({"folds": 2}, (TRAIN, VAL), "leave out val_data or folds"),
        ({}, (TRAIN,), "val_data must be given, or folds"),
        ({"folds": 50}, (TRAIN,), "folds must be at most the 48 rows, got 50"),
    ],
)
def test_folds_and_seeds_that_cannot_be_are_told(options, data, message) -> None:
    with pytest.raises(InputError, match=message):
        optimizer(**options).optimize(*data)
