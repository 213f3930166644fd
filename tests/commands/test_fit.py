"""``fit``: a model within a budget, on any table, that goes on where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.record.lock import RecordLock
from autoenc.report.comparison import draw_comparison
from autoenc.report.fit_answer import enough_units, in_words
from autoenc.report.page.content import content_of
from autoenc.report.page.write import page_of
from autoenc.report.plots import complexity_plot, curves_plot
from autoenc.searching.pace import Pace
from autoenc.searching.race import Race
from autoenc.settings.fit import FitSettings, TableProfile
from autoenc.workflows.compare import latest_records, size_rows
from autoenc.workflows.fit import FitJob, _Clock

_PROFILE = TableProfile(n_train=200, n_columns=6, zero_share=0.0, has_long_tails=False)
QUICK = {"budget": 1.5, "folds": 2, "latent_dim": 2, "quiet": True}


def factors(n_rows: int = 120, n_columns: int = 6, seed: int = 0) -> np.ndarray:
    """Rows that lie near a curved surface of two dimensions."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_rows, 2))
    bent = np.tanh(points @ rng.normal(size=(2, n_columns)) * 2)
    return bent + 0.05 * rng.normal(size=bent.shape)


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit") / "table.csv"
    pd.DataFrame(factors(), columns=list("abcdef")).to_csv(path, index=False)
    return path


def test_a_table_is_all_that_must_be_given(call, csv, tmp_path) -> None:
    answer = call("fit", csv, "--budget", 3, "--output_dir", tmp_path / "out", "--latent_dim", 2)
    assert answer.code == 0
    assert "explains" in answer.out
    assert "PCA" in answer.out
    assert "cost" in answer.out
    model = autoenc.load_model(tmp_path / "out" / "best_model_latent2.pth")
    assert model.encode(pd.read_csv(csv)).shape == (120, 2)
    document = json.loads((tmp_path / "out" / "hyperparam_results_latent2.json").read_text())
    assert document["measure"] == "explained"
    best = document["best_configuration"]
    assert best["holdout_explained_variance"] >= best["holdout_pca_explained_variance"] - 0.005


@pytest.mark.slow
def test_more_budget_adds_to_what_is_known(call, csv, tmp_path) -> None:
    def n_fits() -> int:
        return len(autoenc.load_results(tmp_path / "out", data=csv).outcomes)

    arguments = ("fit", "--data_path", csv, "--latent_dim", 2, "--folds", 2, "--output_dir", tmp_path / "out")
    assert call(*arguments, "--budget", 1.5, "--quiet").code == 0
    first = n_fits()
    assert call(*arguments, "--budget", 0.5, "--quiet").code == 0
    assert n_fits() <= first + 1  # the choice may be another one among those that are known
    for budget in (6, 20, 60):  # on a busy machine the first may be spent by starting
        assert call(*arguments, "--budget", budget, "--quiet").code == 0
        if n_fits() > first + 1:
            break
    assert n_fits() > first + 1


def test_analyze_and_runs_show_it_as_what_it_is(call, csv, tmp_path) -> None:
    out = tmp_path / "out"
    fitted = call("fit", csv, "--budget", 1.5, "--folds", 2, "--latent_dim", 2, "--output_dir", out)
    assert fitted.code == 0
    answer = call("analyze", out)
    assert (answer.code, answer.err) == (0, "")
    said = fitted.out[fitted.out.index("chosen ") : fitted.out.index("\nresults ")]
    assert said in answer.out
    assert answer.out.startswith("stacks and recipes for latent size 2, judged by 2 folds\n")
    assert "--seeds" not in answer.out
    (line,) = call("runs", out).out.splitlines()[1:]
    assert line.split()[3:5] == ["fit", "finished"]


def test_latent_sizes_are_compared_by_unexplained_variance(call, csv, tmp_path) -> None:
    out = tmp_path / "out"
    sizes = ["--latent_dim", "1,2", "--folds", 2]
    assert call("fit", csv, "--budget", 3, *sizes, "--output_dir", out, "--quiet").code == 0
    head = call("compare", out).out.splitlines()[0]
    assert head.split()[4:6] == ["unexpl.", "PCA"]
    rows = size_rows(latest_records([out])[0])
    axis = draw_comparison(rows, None).axes[0]
    assert axis.get_ylabel() == "unexplained variance, mean over folds (share)"
    assert axis.get_title(loc="left") == "Unexplained variance of the chosen stack against latent size"
    page = page_of([content_of(autoenc.load_results(out, size)) for size in (1, 2)])
    assert '<button type="button">unexplained of PCA</button>' in page


def test_what_is_compared_by_explained_variance_is_called_no_loss(call, csv, tmp_path) -> None:
    grid = ["--hidden_dims_search", "4,8", "--max_layers", 1, "--epochs", 2, "--recipe", "plain"]
    where = ["--latent_dim", 2, "--output_dir", tmp_path / "out"]
    answer = call(
        "search", "--data_path", csv, *grid, "--start", "random,pca", "--loss", "sparse,mse", *where
    )
    assert answer.code == 0
    assert "start pca against random: unexplained variance " in answer.out
    lines = call("analyze", tmp_path / "out").out.splitlines()
    assert "parameter efficiency: no smaller stack has a lower unexplained variance than these" in lines
    head, *rows = lines[lines.index("best configurations") + 1 :][:9]
    assert head.split() == ["stack", "unexplained", "parameters", "time"]
    assert {len(row) for row in rows[:8]} == {len(head)}  # all columns end where their heads do


@pytest.mark.slow
def test_an_interruption_keeps_what_is_recorded(csv, tmp_path, root) -> None:
    arguments = ["fit", csv, "--budget", "60", "--output_dir", tmp_path / "out", "--latent_dim", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "autoenc", *map(str, arguments)], cwd=root, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    journal = tmp_path / "out" / "study.journal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not journal.exists() or journal.stat().st_size < 20_000):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "resume with: " in err
    assert "Traceback" not in err
    assert autoenc.load_results(tmp_path / "out", data=csv).outcomes


def test_a_latent_size_that_pca_cannot_have_is_refused_before_anything_is_made(call, csv, tmp_path) -> None:
    answer = call("fit", csv, "--latent_dim", 7, "--output_dir", tmp_path / "out")
    assert answer.code == 2
    assert answer.err == (
        "error: start pca: the latent size must be at most 6, the smaller of training rows and columns, "
        "got 7\n"
    )
    assert not (tmp_path / "out").exists()


def test_wrong_options_are_told(call, csv, tmp_path) -> None:
    for option, value, told in (
        ("--budget", "0", "--budget must be above 0"),
        ("--folds", "1", "--folds must be 0 or at least 2"),
        ("--latent_dim", "0", "--latent_dim must be at least 1"),
        ("--epochs", "3", "--epochs is an option of search, tune, train-best, and not of this command"),
    ):
        answer = call("fit", csv, option, value, "--output_dir", tmp_path / "out")
        assert answer.code == 2
        assert told in answer.err
    assert not (tmp_path / "out").exists()


def hard_tables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    usual = factors(80)
    outlier, missing, constant = usual.copy(), usual.copy(), usual.copy()
    outlier[3, 2] = 1e9
    missing[rng.random(missing.shape) < 0.5] = np.nan
    constant[:, 1], constant[:, 4] = 7.0, 0.0
    constant[5, 4] = 1.0  # constant in most folds
    return {
        "few rows": usual[:8],
        "wide": rng.normal(size=(20, 60)),
        "an outlier": outlier,
        "half missing": missing,
        "constant": constant,
        "counts": np.floor(np.exp(rng.uniform(0, 14, size=(80, 5)))),
        "one column": usual[:, :1],
    }


@pytest.mark.parametrize("name", hard_tables())
def test_hard_tables_have_an_answer_no_worse_than_pca(name) -> None:
    values = hard_tables()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such tables look odd, which is said
        results = autoenc.fit(values, **{**QUICK, "latent_dim": min(2, values.shape[1])})
    chosen = results.selection.chosen
    pca = results.finished[0]
    assert pca.trial.recipe.is_pca
    assert chosen.loss <= pca.loss
    latent = results.best_model().encode(values)
    assert np.isfinite(latent).all()


def test_auto_takes_the_size_beyond_which_units_stop_paying() -> None:
    results = autoenc.fit(factors(200), **{**QUICK, "latent_dim": "auto", "budget": 8})
    assert 1 <= results.settings.latent_size <= 5
    assert enough_units([(1, 0.5), (2, 0.8), (3, 0.805), (5, 0.81)]) == 2
    assert enough_units([(1, 0.5), (2, 0.8)]) == 2
    assert enough_units([]) is None


def test_too_little_time_for_a_network_is_told_from_networks_that_are_no_better() -> None:
    short = autoenc.fit(factors(2000, 20), latent_dim=2, budget=0.001, folds=2, quiet=True)
    assert "there was no time to judge one network by all folds" in str(short)
    noise = np.random.default_rng(0).normal(size=(60, 5))
    poor = autoenc.fit(noise, latent_dim=4, budget=2, folds=2, quiet=True)
    assert ("no time" in str(poor)) == (len(poor.finished) == 1)  # which of both is up to the machine


def test_pictures_call_the_variance_that_is_left_no_loss() -> None:
    result = autoenc.fit(factors(), **QUICK)
    assert curves_plot(result).value_name == "unexplained variance"
    assert "\nunexplained 0." in complexity_plot(result).best_label
    content = content_of(result)
    assert (content.measure, content.measure_in_words) == ("loss", "unexplained variance")
    assert ", whose unexplained variance is " in content.headline


def test_a_result_says_itself_in_words() -> None:
    results = autoenc.fit(factors(), **QUICK)
    assert "explains" in repr(results)
    assert results.leaderboard["loss"].notna().all()
    assert list(results.leaderboard["stack"]).count("PCA") == 1
    assert {"start", "initial_lr", "loss_kind"} <= set(results.leaderboard.columns)


def test_all_rows_may_be_learned_from_at_the_end() -> None:
    values = factors()
    usual = autoenc.fit(values, **QUICK).best_model()
    every = autoenc.fit(values, **QUICK, refit="all").best_model()
    assert (usual.info["trained_on"], every.info["trained_on"]) == ("training rows", "all rows")
    assert (usual.info["n_train"], every.info["n_train"]) == (96, 120)
    assert "final_test_loss" not in every.info


def test_an_array_gives_back_all_its_columns() -> None:
    values = np.hstack([factors(), np.zeros((120, 1)), factors()[:, :1]])  # one constant, one there twice
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = autoenc.fit(values, **QUICK)
    assert results.best_model().reconstruct(values).shape == values.shape


def test_candidates_stand_in_the_order_in_which_they_were_proposed() -> None:
    results = autoenc.fit(factors(), **{**QUICK, "budget": 4})
    assert len(results.finished) > 1
    assert results.in_order_of_training == results.finished
    assert results.in_order_of_training[0].trial.recipe.is_pca


def test_epochs_that_are_fixed_are_not_called_a_bound() -> None:
    trial = Race(FitSettings().race(2, _PROFILE)).pca
    stopped = replace(trial, recipe=replace(trial.recipe, initial_lr=1e-3, epochs=90, patience=10))
    fixed = replace(trial, recipe=replace(trial.recipe, initial_lr=1e-3, epochs=90))
    assert in_words(stopped).endswith("at most 90 epochs")
    assert in_words(fixed).endswith("batches of 32, 90 epochs")


@pytest.mark.parametrize(("n_folds", "seconds"), [(2, 22), (5, 13.75)])
def test_time_is_left_for_a_training_on_the_rows_of_all_folds(n_folds: int, seconds: float) -> None:
    results = autoenc.fit(factors(), **{**QUICK, "folds": n_folds})
    job = FitJob(results.settings, None, SimpleNamespace(n_at_once=0), None, None, is_on_disk=False)
    assert _Clock(job, results, Pace(None))._seconds_of_last(10) == pytest.approx(seconds)


def test_fits_of_a_stack_have_spent_their_shares_and_others_were_side_by_side() -> None:
    results = autoenc.fit(factors(), **QUICK)
    settings = results.settings.model_copy(update={"jobs": 2})
    spent = sum(outcome.seconds for outcome in results.outcomes.values())
    ends = []
    for n_at_once in (0, 64):
        engine = SimpleNamespace(n_at_once=n_at_once)
        job = FitJob(settings, None, engine, None, None, is_on_disk=False, started=1000.0)
        ends.append(_Clock(job, results, Pace(None))._end)
    assert ends[0] - ends[1] == pytest.approx(spent / 2)


def test_of_fits_of_a_stack_the_last_training_is_alone() -> None:
    results = autoenc.fit(factors(), **QUICK)
    job = FitJob(results.settings, None, SimpleNamespace(n_at_once=64), None, None, is_on_disk=False)
    share = results.ranked[0].seconds / len(results.ranked[0].outcomes)
    alone = SimpleNamespace(shares=True, seconds=lambda fits: 10 * share)
    clock = _Clock(job, results, alone)
    assert clock._seconds_alone(results.ranked[0]) == pytest.approx(10 * share), "no part of a stack's time"
    assert _Clock(job, results, Pace(None))._seconds_alone(results.ranked[0]) == pytest.approx(share)


def test_the_plan_says_how_many_fits_are_trained_together(call, csv, tmp_path) -> None:
    answer = call(
        "fit", csv, "--budget", 1, "--output_dir", tmp_path, "--latent_dim", 2, "--engine", "stacked"
    )
    assert "engine stacked, up to 64 fits at once on cpu" in answer.out


@pytest.mark.parametrize(("command", "way"), [
    ("search", ", or divide the work with --shard i/N"), ("tune", ", or let several share one --storage"),
    ("fit", ", or name another folder with --output_dir"),
])  # fmt: skip
def test_a_folder_that_another_process_has_is_answered_with_what_the_command_can_do(
    call, csv, tmp_path, command, way
) -> None:
    with RecordLock(tmp_path / "study.journal"):
        answer = call(command, "--data_path", csv, "--latent_dim", 2, "--output_dir", tmp_path)
    assert answer.code == 2
    assert answer.err.rstrip().endswith(way)
    assert command == "search" or "--shard" not in answer.err
