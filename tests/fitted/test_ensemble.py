"""Ensembles: the mean of their members, whole in a file, and what a search says of them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from processes import results_but_time

from autoenc import FittedEnsemble, InputError, load_model
from autoenc.analysis.baselines import reconstruction_loss
from autoenc.data.division import split_table
from autoenc.data.table import Scaling, load_table
from autoenc.engines import Fit, Recipe
from autoenc.engines.native import NativeEngine
from autoenc.engines.randomness import initial_state
from autoenc.fitted.autoencoder import FittedAutoencoder, fitted_model
from autoenc.fitted.ensemble import save_ensemble
from autoenc.settings import SearchSettings, parse_settings
from autoenc.workflows import ensemble as commands_ensemble

COLUMNS = ["a", "b", "c", "d"]
GRID = ["--hidden_dims_search", "4,8", "--max_layers", "2", "--epochs", "3"]


def scaling(kind: str = "standard", shift: float = 0.0) -> Scaling:
    return Scaling(kind, np.array([1.0, 2.0, -3.0, 1e4]) + shift, np.array([2.0, 0.5, 1.0, 1e3]))


def member(*stack: int, scaled: Scaling | None = None, columns: list[str] = COLUMNS) -> FittedAutoencoder:
    recipe = Recipe(activation="gelu")
    state = initial_state(Fit(stack, 2, recipe).network(4), 3)
    return fitted_model(state, recipe, columns, scaled or scaling(), {"seed": 3})


@pytest.fixture
def ensemble() -> FittedEnsemble:
    return FittedEnsemble([member(5), member(6, 3), member(4, 4, 2)], {"note": "by a test", "members": [1]})


@pytest.fixture
def saved(ensemble, tmp_path) -> Path:
    save_ensemble(tmp_path / "e.pth", ensemble)
    return tmp_path / "e.pth"


def rows() -> pd.DataFrame:
    values = np.random.default_rng(1).normal(scaling().center, scaling().scale, (9, 4)).astype(np.float32)
    values[2, 1] = values[4] = np.nan
    return pd.DataFrame(values, columns=COLUMNS, index=range(10, 19))


def test_it_reconstructs_the_mean_of_its_members(ensemble) -> None:
    frame = rows()
    mean = np.mean([m.reconstruct(frame.to_numpy()) for m in ensemble.members], axis=0)
    np.testing.assert_allclose(ensemble.reconstruct(frame.to_numpy()), mean, rtol=1e-5)
    found = ensemble.reconstruct(frame[["d", "b", "c", "a"]].assign(more="text"))
    assert list(found.columns) == COLUMNS
    pd.testing.assert_index_equal(found.index, frame.index)
    np.testing.assert_array_equal(found.to_numpy(), ensemble.reconstruct(frame.to_numpy()))


def test_it_comes_back_from_its_file_whole(ensemble, saved) -> None:
    loaded = load_model(saved)
    assert isinstance(loaded, FittedEnsemble)
    assert loaded.info == ensemble.info
    assert (loaded.columns, loaded.scaling.kind) == (COLUMNS, "standard")
    assert [m.info for m in loaded.members] == [m.info for m in ensemble.members]
    np.testing.assert_array_equal(loaded.reconstruct(rows()), ensemble.reconstruct(rows()))
    assert load_model(saved).members[1].encode(rows()).shape == (9, 2)


def test_there_is_nothing_to_encode_into(ensemble) -> None:
    with pytest.raises(ValueError, match=r"latent spaces of their own; use members\[i\].encode"):
        ensemble.encode(rows())


@pytest.mark.parametrize(
    "members",
    [
        [],
        [member(5)],
        [member(5), member(5, columns=["a", "b", "d", "c"])],
        [member(5), member(5, scaled=scaling("robust"))],
        [member(5), member(5, scaled=scaling(shift=1.0))],
    ],
)
def test_members_that_do_not_belong_together_are_refused(members) -> None:
    with pytest.raises(ValueError, match="members must "):
        FittedEnsemble(members, {})


def drop(name: str):
    return lambda content: content["members"][1].pop(name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("members"),
        lambda content: content.pop("info"),
        lambda content: content["members"].clear(),
        lambda content: content["members"].pop() and content["members"].pop(),
        lambda content: content.update(members=3),
        lambda content: content.update(info=7),
        lambda content: content["members"].append("text"),
        lambda content: content["members"][0].update(columns=["a", "b", "d", "c"]),
        lambda content: content["members"][0]["scaling"].update(kind="robust"),
        lambda content: content["members"][2]["scaling"].update(center=torch.zeros(3)),
        lambda content: content["members"][0]["state_dict"].update({"encoder.0.bias": torch.zeros(9)}),
        *(drop(name) for name in ("state_dict", "recipe", "columns", "scaling", "info")),
    ],
)
def test_a_damaged_file_is_refused(saved, damage) -> None:
    content = torch.load(saved, weights_only=True)
    damage(content)
    torch.save(content, saved)
    with pytest.raises(InputError, match=r"e\.pth: is a damaged model file: "):
        load_model(saved)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, share) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"truncated|not a model file"):
        load_model(saved)


def test_another_version_is_refused(saved) -> None:
    torch.save({**torch.load(saved, weights_only=True), "version": 2}, saved)
    with pytest.raises(InputError, match="is of model format 2, but this version reads 1"):
        load_model(saved)


@pytest.fixture
def search(call, table_csv, tmp_path):
    def run(*more: object):
        answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, *GRID, *more)
        path = tmp_path / "hyperparam_results_latent3.json"
        return answer, json.loads(path.read_text()) if path.exists() else None

    return run


def test_a_search_saves_the_best_fits_and_says_what_they_are_worth(search, tmp_path, table_csv) -> None:
    answer, document = search("--ensemble", "4", "--seeds", "2", "--save_models")
    assert answer.code == 0, answer.err
    fits = [
        (fit["final_test_loss"], entry["config"], fit["seed"])
        for entry in document["all_results"]
        for fit in entry["fits"]
    ]
    found = document["ensemble"]
    assert [(m["config"], m["seed"]) for m in found["members"]] == [fit[1:] for fit in sorted(fits)[:4]]
    ensemble, table = load_model(tmp_path / "best_ensemble_latent3.pth"), load_table(table_csv)
    for one, (loss, config, seed) in zip(ensemble.members, sorted(fits)[:4], strict=True):
        assert (one.info["hidden_dims"], one.info["seed"]) == (config, seed)
        assert one.info["final_test_loss"] == loss
    split, scaled = split_table(table, "maxabs", 42)
    rows, target = table.values[split.test], split.values[split.test]
    together = scaled.apply(ensemble.reconstruct(rows))
    assert found["test_loss"] == pytest.approx(reconstruction_loss(together, target, Recipe()), rel=1e-4)
    single = load_model(tmp_path / "best_model_latent3.pth")
    assert found["single_test_loss"] == pytest.approx(single.info["final_test_loss"], rel=1e-5)
    low, high = found["difference_interval"]
    assert low <= found["test_loss"] - found["single_test_loss"] <= high
    assert found["better"] is (True if high < 0 else False if low > 0 else None)
    assert found["optimistic"] is True
    assert "ensemble      of 4: test loss" in answer.out
    assert "so both losses are optimistic" in answer.out


def test_with_folds_the_members_are_the_best_trials_trained_on_all_rows(search, tmp_path) -> None:
    answer, document = search("--ensemble", "3", "--folds", "3", "--dropout", "0,0.3")
    assert answer.code == 0, answer.err
    ranked = sorted(document["all_results"], key=lambda entry: entry["final_test_loss"])
    found = document["ensemble"]
    assert [(m["config"], m["recipe"]) for m in found["members"]] == [
        (entry["config"], entry["recipe"]) for entry in ranked[:3]
    ]
    best = document["best_configuration"]
    assert found["single_test_loss"] == pytest.approx(best["holdout_test_loss"], rel=1e-5)
    assert found["optimistic"] is False
    assert "optimistic" not in answer.out
    assert load_model(tmp_path / "best_ensemble_latent3.pth").members[0].info["n_train"] == 48


def test_analyze_tells_the_same_from_the_record_alone(search, call, tmp_path) -> None:
    search("--ensemble", "2")
    expected = results_but_time(tmp_path)
    assert expected["ensemble"]["test_loss"] > 0
    (tmp_path / "hyperparam_results_latent3.json").unlink()
    answer = call("analyze", tmp_path)
    assert "ensemble      of 2: test loss" in answer.out
    assert results_but_time(tmp_path) == expected
    search("--ensemble", "2", "--jobs", "1")
    assert results_but_time(tmp_path) == expected


def test_a_signal_while_members_are_trained_stops_in_order(search, tmp_path, monkeypatch) -> None:
    candidates = commands_ensemble._candidates

    def interrupted(job, results):
        os.kill(os.getpid(), signal.SIGTERM)
        return candidates(job, results)

    monkeypatch.setattr(commands_ensemble, "_candidates", interrupted)
    answer, document = search("--ensemble", "2")
    assert answer.code == 128 + signal.SIGTERM
    assert "5 of 5 stacks are recorded" in answer.err
    assert document["ensemble"] is None
    assert not (tmp_path / "best_ensemble_latent3.pth").exists()


def test_encode_refuses_an_ensemble(saved, call, tmp_path, table_csv) -> None:
    answer = call("encode", "--model", saved, "--data_path", table_csv, "--output", tmp_path / "l.csv")
    assert answer.code == 2
    (line,) = answer.err.splitlines()
    assert "is an ensemble, whose members have latent spaces of their own" in line
    assert not (tmp_path / "l.csv").exists()


@pytest.mark.parametrize(
    ("n_good", "told"), [(3, "of 3 (4 were asked for"), (1, "none was made: 1 fit succeeded")]
)
def test_where_fits_fail_the_rest_is_used(search, tmp_path, monkeypatch, n_good, told) -> None:
    fit = NativeEngine.fit
    good = [(8,), (8, 4), (4, 4)][:n_good]

    def failing(self, split, wanted, stop=None, **options):
        if wanted.architecture not in (*good, (1,)):
            raise ArithmeticError("it overflowed")
        return fit(self, split, wanted, stop, **options)

    monkeypatch.setattr(NativeEngine, "fit", failing)
    answer, document = search("--ensemble", "4")
    assert answer.code == 0
    assert f"ensemble      {told}" in answer.out
    assert len(document["ensemble"]["members"]) == n_good
    assert (tmp_path / "best_ensemble_latent3.pth").exists() == (n_good > 1)
    assert (document["ensemble"]["test_loss"] is None) == (n_good == 1)


def test_a_single_test_row_gives_no_interval(call, tmp_path) -> None:
    values = np.random.default_rng(0).random((5, 3))
    pd.DataFrame(values, columns=list("abc")).to_csv(tmp_path / "t.csv", index=False)
    answer = call(
        "search", "--data_path", tmp_path / "t.csv", "--output_dir", tmp_path, "--ensemble", "2", *GRID
    )
    assert answer.code == 0, answer.err
    assert "no interval: a single test row" in answer.out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ensemble": "1"}, "--ensemble must be 0 or at least 2, got 1"),
        ({"ensemble": "35"}, "--ensemble 35 is more than the 34 fits to choose from"),
        ({"ensemble": "69", "seeds": "2"}, "--ensemble 69 is more than the 68 fits to choose from"),
        (
            {"ensemble": "35", "seeds": "2", "folds": "3"},
            "--ensemble 35 is more than the 34 fits to choose from",
        ),
        ({"ensemble": "35", "warm_start": True}, "--ensemble 35 is more than the 34 fits to choose from"),
        ({"ensemble": "-1"}, "--ensemble must be at least 0, got '-1'"),
    ],
)
def test_a_number_of_members_that_cannot_be_is_refused(given, told) -> None:
    assert parse_settings(SearchSettings, given) == (None, [told])


@pytest.mark.parametrize(
    "given",
    [
        {"ensemble": "34"},
        {"ensemble": "68", "seeds": "2"},
        {"ensemble": "64", "warm_start": True, "compare_warm": True},
    ],
)
def test_a_number_of_members_that_can_be_is_taken(given) -> None:
    assert parse_settings(SearchSettings, given)[1] == []
