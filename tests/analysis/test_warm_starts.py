"""Warm starts from outside: what they report, and that interruptions, jobs and shards leave no trace."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from processes import results_but_time, start

from autoenc.analysis.warm_starts import compare_warm_starts, warm_start_document
from autoenc.engines import Fit, Outcome, Recipe
from autoenc.engines.native import NativeEngine
from autoenc.searching.strategies import make_strategy
from autoenc.searching.trials import Trial, trained_trials_of, trials_of
from autoenc.settings import SearchSettings, parse_settings, require_settings

OPTIONS = ["--hidden_dims_search", "4,8", "--max_layers", "3", "--epochs", "3", "--warm_start"]
N_STACKS, N_WARM = 9, 7

UNTRAINED = {"test_loss_is_made_of": None}
"""What only a search can say, which trains the best stack again: a merge trains nothing."""


def arguments(data: Path, folder: Path, *more: object) -> list[str]:
    return ["search", "--data_path", str(data), "--output_dir", str(folder), *OPTIONS, *map(str, more)]


@pytest.fixture(scope="module")
def whole(call, table_csv, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    answer = call(*arguments(table_csv, folder))
    assert answer.code == 0, answer.err
    (folder / "screen").write_text(answer.out)
    return folder


def document_of(folder: Path) -> dict:
    return json.loads((folder / "hyperparam_results_latent3.json").read_text())


def test_warm_starts_are_told_beside_the_comparison_and_not_in_it(whole, call, table_csv, tmp_path) -> None:
    plain = [word for word in arguments(table_csv, tmp_path) if word != "--warm_start"]
    assert call(*plain).code == 0
    warm, cold = results_but_time(whole), results_but_time(tmp_path)
    found = warm.pop("warm_start")
    assert warm == cold
    assert len(found["entries"]) == found["pairs"] == N_WARM
    for entry in found["entries"]:
        assert entry["parent"] == entry["config"][:-1]
        assert 1 <= entry["cold_epochs"] <= 3
    screen = (whole / "screen").read_text()
    assert "16 fits: one split, 1 seed each" in screen
    assert "7 of the fits start from the trained stack that they extend" in screen
    assert f"warm start    {found['reached']} of 7 stacks reach the loss of a random start" in screen


def trial_with(stack: tuple[int, ...], warm: bool, seeds: tuple[int, ...] = (1,)) -> Trial:
    return Trial(stack, 3, Recipe(epochs=4, warm_start=warm), ("holdout",), seeds)


def outcomes_of(curves: dict[Trial, list[list[float]]]) -> dict[Fit, Outcome]:
    return {
        fit: Outcome(losses, losses, losses[-1], 0.1, {})
        for trial, its in curves.items()
        for fit, losses in zip(trial.fits, its, strict=True)
    }


def test_epochs_to_the_cold_loss_are_counted() -> None:
    parent, cold, warm = trial_with((8,), False), trial_with((8, 4), False), trial_with((8, 4), True)
    curves = {parent: [[9, 8, 7, 6]], cold: [[8, 4, 5, 5]], warm: [[6, 5, 4, 3]]}
    (one,) = compare_warm_starts([parent, cold, warm], outcomes_of(curves))
    assert (one.architecture, one.parent, one.parent_epochs) == ((8, 4), (8,), 4)
    assert (one.cold_epochs, one.warm_epochs, one.epochs_saved) == (2, 2, 0)
    curves[warm] = [[5, 5, 4, 3]]
    assert compare_warm_starts([*curves], outcomes_of(curves))[0].epochs_saved == 1
    curves[warm] = [[9, 9, 9, 5.1]]
    (never,) = compare_warm_starts([*curves], outcomes_of(curves))
    assert (never.warm_epochs, never.epochs_saved) == (None, None)
    told = warm_start_document([one, never])
    assert (told["pairs"], told["reached"], told["median_epochs_saved"], told["parent_epochs"]) == (
        2,
        1,
        0,
        4,
    )
    assert warm_start_document([])["median_epochs_saved"] is None


def test_over_several_fits_the_mean_curves_are_compared_and_incomplete_pairs_left_out() -> None:
    parent, cold, warm = (trial_with(s, w, (1, 2)) for s, w in [((8,), 0), ((8, 4), 0), ((8, 4), 1)])
    curves = {
        parent: [[9, 9, 9, 9]] * 2,
        cold: [[8, 6, 4, 2], [9, 9, 7, 6]],
        warm: [[5, 2, 2, 2], [5, 7, 5, 5]],
    }
    (one,) = compare_warm_starts([*curves], outcomes_of(curves))
    assert (one.cold_epochs, one.warm_epochs, one.epochs_saved) == (4, 3, 1)
    outcomes = outcomes_of(curves)
    del outcomes[warm.fits[1]]
    assert compare_warm_starts([*curves], outcomes) == []


def test_the_grid_proposes_warm_starts_and_compares_them_when_told_to() -> None:
    settings = require_settings(SearchSettings, {"warm_start": True, "seeds": "2", "dropout": "0,0.1"})
    strategy = make_strategy(settings)
    warm = [fit for fit in strategy.propose({}) if fit.recipe.warm_start]
    assert len(strategy.propose({})) == (34 + 30) * 4
    assert len(set(warm)) == 30 * 4
    assert all(len(fit.architecture) > 1 for fit in warm)
    assert strategy.compared({}) == trials_of(SearchSettings(seeds=2, dropout=(0, 0.1)))
    both = require_settings(SearchSettings, {"warm_start": True, "compare_warm": True})
    assert make_strategy(both).compared({}) == trained_trials_of(both)
    assert {trial.name for trial in trials_of(both)} >= {"64-32, warm_start True", "64-32, warm_start False"}


def test_a_comparison_with_warm_starts_shows_them_as_an_option(call, table_csv, tmp_path) -> None:
    answer = call(*arguments(table_csv, tmp_path, "--compare_warm", "--folds", "2", "--save_models"))
    assert answer.code == 0, answer.err
    document = document_of(tmp_path)
    assert document["total_configurations"] == len(document["all_results"]) == N_STACKS + N_WARM
    assert sum(entry["recipe"]["warm_start"] for entry in document["all_results"]) == N_WARM
    (effect,) = document["factors"]
    assert (effect["factor"], effect["value"], effect["n_pairs"]) == ("warm_start", True, N_WARM)
    assert "effect        warm_start True against False" in answer.out
    assert document["best_configuration"]["holdout_test_loss"] > 0


def test_jobs_and_a_restart_in_the_middle_leave_no_trace(call, table_csv, tmp_path, monkeypatch) -> None:
    more = ["--seeds", "2", "--folds", "2", "--norm", "layer,none"]
    assert call(*arguments(table_csv, tmp_path / "a", "--jobs", "3", *more)).code == 0
    expected = results_but_time(tmp_path / "a")
    fit, n_trained = NativeEngine.fit, 0

    def breaking(self, split, wanted, stop=None, **options):
        nonlocal n_trained
        if wanted.architecture != (1,):
            n_trained += 1
            if n_trained > 9:
                raise KeyboardInterrupt
        return fit(self, split, wanted, stop, **options)

    monkeypatch.setattr(NativeEngine, "fit", breaking)
    with pytest.raises(KeyboardInterrupt):
        call(*arguments(table_csv, tmp_path / "b", "--jobs", "1", *more))
    monkeypatch.undo()
    answer = call(*arguments(table_csv, tmp_path / "b", "--jobs", "1", *more))
    assert "already trained" in answer.out
    assert results_but_time(tmp_path / "b") == expected


@pytest.mark.slow
def test_killed_and_resumed_it_comes_to_the_same(call, table_csv, tmp_path) -> None:
    long = ["--epochs", "3000"]  # what ends within a moment would be recorded by one write
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    killed.mkdir()
    process = start(arguments(table_csv, killed, *long), killed / "log", dies_at_write=16)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    answer = call(*arguments(table_csv, killed, *long))
    n_done = int(re.search(r"(\d+) of 16 already trained", answer.out)[1])
    assert 3 <= n_done < 16
    assert call(*arguments(table_csv, whole, *long)).code == 0
    assert results_but_time(killed) == results_but_time(whole)


def test_merged_shards_equal_the_whole(whole, call, table_csv, tmp_path) -> None:
    for i in (2, 0, 1):
        assert call(*arguments(table_csv, tmp_path, "--shard", f"{i}/3")).code == 0
        if i == 0:
            answer = call("merge", tmp_path, "--output_dir", tmp_path / "part")
            assert answer.code == 1
            assert "MISSING" in answer.out
    answer = call("merge", tmp_path, "--output_dir", tmp_path / "all")
    assert answer.code == 0
    assert "16 of 16 stacks from 3 records" in answer.out
    assert results_but_time(tmp_path / "all") == {**results_but_time(whole), **UNTRAINED}


def test_analyze_tells_the_same_from_the_record_alone(whole, call) -> None:
    expected = results_but_time(whole)
    (whole / "hyperparam_results_latent3.json").unlink()
    answer = call("analyze", whole)
    assert answer.code == 0
    assert "warm start    " in answer.out
    assert results_but_time(whole) == expected


def test_dry_run_counts_warm_starts_and_the_same_command_trains_nothing(
    whole, call, table_csv, tmp_path
) -> None:
    answer = call(*arguments(table_csv, tmp_path, "--dry_run"))
    assert answer.code == 0, answer.err
    assert "16 fits, 16 left to train" in answer.out
    assert "16 fits, 0 left to train" in call(*arguments(table_csv, whole, "--dry_run")).out
    state = json.loads((whole / "search_state.json").read_text())
    assert (state["total"], state["finished"], state["failed"], state["remaining"]) == (16, 16, 0, 0)


def test_a_failed_parent_fails_its_warm_children_only(call, table_csv, tmp_path, monkeypatch) -> None:
    fit = NativeEngine.fit

    def failing(self, split, wanted, stop=None, **options):
        if wanted.architecture == (8, 4):
            raise ArithmeticError("it overflowed")
        return fit(self, split, wanted, stop, **options)

    monkeypatch.setattr(NativeEngine, "fit", failing)
    answer = call(*arguments(table_csv, tmp_path))
    assert answer.code == 0
    assert "failed        1 of 9" in answer.out
    document = document_of(tmp_path)
    assert [entry["config"] for entry in document["failed_configurations"]] == [[8, 4]]
    assert document["warm_start"]["pairs"] == 5  # without 8-4 and 8-4-4
    assert "; 2 failed" in answer.out
    monkeypatch.undo()
    assert call(*arguments(table_csv, tmp_path, "--retry_failed")).code == 0
    assert document_of(tmp_path)["warm_start"]["pairs"] == N_WARM


def test_verify_trains_warm_starts_with_both_engines(call, table_csv, tmp_path) -> None:
    answer = call(*arguments(table_csv, tmp_path, "--verify", "3"))
    assert "warm start  float64" in answer.out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"compare_warm": True}, "--compare_warm compares what --warm_start trains; give both"),
        ({"warm_start": True, "strategy": "halving"}, "--warm_start extends stacks that are trained in full"),
        ({"warm_start": True, "max_layers": "1"}, "--warm_start needs stacks that extend others"),
    ],
)
def test_what_does_not_go_together_is_refused(given, told) -> None:
    settings, problems = parse_settings(SearchSettings, given)
    assert settings is None
    assert len(problems) == 1
    assert problems[0].startswith(told)
