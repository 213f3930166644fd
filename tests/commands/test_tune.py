"""The adaptive search from outside: its files, its families, its interruptions, its wrong inputs."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from datetime import timedelta
from pathlib import Path

import optuna
import pandas as pd
import pytest
from processes import start

from autoenc import load_model, load_results
from autoenc.record.storage import open_storage
from autoenc.tuning.study import tune_studies

SMALL = ["--hidden_size_range", "8,32", "--num_layers_range", "1,2", "--epochs", "3", "--jobs", "1"]
FILES = {
    "best_hyperparameters.json", "optimization_results.json", "optimization_report.txt", "all_trials.csv",
    "top_20_trials.csv",
}  # fmt: skip
RESILIENT = {
    "resilient_search_state.json", "resilient_search_results.csv", "resilient_search_progress.png",
    "detailed_progress_analysis.png",
}  # fmt: skip


@pytest.fixture(scope="session")
def table(tmp_path_factory, root) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.read_csv(root / "data" / "stains.csv").head(200).to_csv(path, index=False)
    return path


@pytest.fixture
def tune(call, table):
    def tuned(folder: Path, *more: object):
        return call("tune", "--data_path", table, "--output_dir", folder, *SMALL, *more)

    return tuned


def trials(folder: Path) -> list[tuple]:
    """What every trial tried, and what it came to."""
    study = tune_studies(open_storage(folder / "study.journal", read_only=True))[-1]
    return [
        (t.number, t.state.name, t.value, sorted(t.params.items()), sorted(t.intermediate_values.items()))
        for t in study.get_trials(deepcopy=False)
    ]


def finalists(folder: Path) -> list[dict]:
    """How the finalists compare, as the file says."""
    return json.loads((folder / "best_hyperparameters.json").read_text())["finalists"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", "tpe", "cmaes", "resilient"])
def test_a_search_leaves_its_files_and_goes_on_where_it_was(tune, tmp_path, strategy):
    options = ["--strategy", strategy, "--n_trials"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert tune(whole, *options, 14).code == 0
    for n in (3, 11, 14):
        assert tune(parts, *options, n).code == 0
    wanted = FILES | (RESILIENT if strategy == "resilient" else set())
    assert wanted <= {path.name for path in whole.iterdir()}
    if (
        strategy != "resilient"
    ):  # where a family begins depends on the number of trials, and there is one here
        assert trials(whole) == trials(parts)
    assert [t[:4] for t in trials(whole)] == [t[:4] for t in trials(parts)]
    best = json.loads((whole / "best_hyperparameters.json").read_text())
    assert best["n_trials"] == 14
    assert best["best_value"] == min(t[2] for t in trials(whole))
    drawn = [best["best_params"][f"hidden_size_{i + 1}"] for i in range(best["best_params"]["num_layers"])]
    built = [min(drawn[: i + 1]) for i in range(len(drawn))]
    assert best["best_stack"] == "-".join(map(str, built))
    assert f"best stack  {best['best_stack']} " in (whole / "optimization_report.txt").read_text()
    again = tune(whole, *options, 14)
    assert again.code == 0
    assert len(trials(whole)) == 14


def test_a_grid_tries_every_point_once(tune, tmp_path):
    fixed = ["--weight_decay_range", "1e-4", "--dropout_range", "0", "--batch_size_options", "32",
             "--activation_options", "relu", "--learning_rate_range", "1e-3,1e-2"]  # fmt: skip
    answer = tune(tmp_path, "--strategy", "grid", "--n_trials", "500", *fixed, "--hidden_size_range", "8,16")
    assert answer.code == 0
    points = [tuple(t[3]) for t in trials(tmp_path)]
    assert len(points) == len(set(points)) == 5 * 3 * 2


@pytest.mark.slow
def test_a_killed_search_resumes_to_the_same_trials(tune, table, tmp_path):
    options = ["--strategy", "tpe", "--n_trials", "16", "--pruner", "median", "--epochs", "40"]
    assert tune(tmp_path / "whole", *options).code == 0
    folder, log = tmp_path / "killed", tmp_path / "log"
    command = ["tune", "--data_path", str(table), "--output_dir", str(folder), *SMALL, *options]
    for n_writes in (10, 61, 200, 3, 171):
        process = start(command, log, dies_at_write=n_writes)
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert tune(folder, *options).code == 0
    assert trials(folder) == trials(tmp_path / "whole")
    assert any(t[1] == "PRUNED" for t in trials(folder))


def test_a_trial_whose_searcher_was_killed_before_it_marked_it_is_taken_up(tune, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/study.db"
    options = ["--storage", url, "--strategy", "tpe", "--n_trials"]
    assert tune(tmp_path / "out", *options, 2).code == 0
    (study,) = tune_studies(open_storage(url))
    study.ask()  # and no more: it is killed
    monkeypatch.setattr("autoenc.record.record._MARKING", timedelta(seconds=3))
    assert tune(tmp_path / "out", *options, 4).code == 0
    (study,) = tune_studies(open_storage(url))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4


def test_a_stopped_search_says_how_to_resume(table, tmp_path):
    log, folder = tmp_path / "log", tmp_path / "out"
    command = ["tune", "--data_path", str(table), "--output_dir", str(folder), *SMALL, "--n_trials", "10000"]
    process = start(command, log)
    end = time.monotonic() + 60
    while "first" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in log.read_text()
    assert "resume with:" in log.read_text()
    assert {path.name for path in folder.iterdir()} >= FILES


def test_results_do_not_depend_on_the_number_of_jobs(tune, tmp_path):
    for jobs in (1, 3):
        assert tune(tmp_path / str(jobs), "--strategy", "random", "--n_trials", 8, "--jobs", jobs).code == 0
    assert trials(tmp_path / "1") == trials(tmp_path / "3")


def test_each_family_begins_from_the_best_before_it(tune, tmp_path):
    answer = tune(tmp_path, "--strategy", "resilient", "--families", "ae,dae,vae", "--n_trials", 15)
    assert answer.code == 0
    frame = pd.read_csv(tmp_path / "resilient_search_results.csv")
    assert list(frame.family) == ["ae"] * 5 + ["dae"] * 5 + ["vae"] * 5
    parameters = ["num_layers", "learning_rate", "dropout", "batch_size", "activation", "norm"]
    for start_at in (5, 10):
        best = frame.value[:start_at].idxmin()
        assert frame.loc[start_at, parameters].to_dict() == frame.loc[best, parameters].to_dict()
    state = json.loads((tmp_path / "resilient_search_state.json").read_text())
    assert state["families"]["dae"]["started_from_trial"] == frame.value[:5].idxmin()
    assert state["state"] == "finished"
    assert state["best"]["trial"] == frame.value.idxmin()
    assert state["thresholds"]["excellent"] == pytest.approx(0.9 * state["baselines"]["pca"])


def test_the_best_trial_is_trained_in_full_and_measured_on_untouched_rows(tune, call, table, tmp_path):
    assert tune(tmp_path, "--n_trials", 6, "--families", "ae,vae").code == 0
    answer = call("train-best", "--from", tmp_path, "--epochs", 7)
    assert answer.code == 0, answer.err
    found = json.loads((tmp_path / "train_best.json").read_text())
    assert len(found["test_losses"]) == 7
    assert found["test_rows_chose_it"] is False
    model = load_model(tmp_path / "best_model_latent3.pth")
    assert model.info["final_test_loss"] == found["test_loss"] == found["test_losses"][-1]
    assert model.encode(pd.read_csv(table)).shape == (200, 3)
    # A trial by its number, with other options.
    answer = call("train-best", "--from", tmp_path, "--trial", 2, "--hidden_dims", "12,4", "--dropout", 0.3,
                  "--patience", 2, "--output_dir", tmp_path / "other")  # fmt: skip
    assert answer.code == 0, answer.err
    found = json.loads((tmp_path / "other" / "train_best.json").read_text())
    assert (found["config"], found["recipe"]["dropout"], found["recipe"]["patience"]) == ([12, 4], 0.3, 0)


def test_of_another_table_nobody_knows_which_rows_chose(tune, call, table, tmp_path):
    assert tune(tmp_path, "--n_trials", 2).code == 0
    shuffled = tmp_path / "shuffled.csv"
    pd.read_csv(table).sample(frac=1, random_state=1).to_csv(shuffled, index=False)
    answer = call("train-best", "--from", tmp_path, "--epochs", 2, "--data_path", shuffled)
    assert answer.code == 0
    assert "rows of another table" in answer.out
    assert "held-out" not in answer.out
    assert json.loads((tmp_path / "train_best.json").read_text())["test_rows_chose_it"] is None


def test_the_best_stack_of_an_exhaustive_search_is_trained_too(call, table, tmp_path):
    grid = ["--hidden_dims_search", "8,16", "--max_layers", 1, "--epochs", 4]
    call("search", "--data_path", table, "--output_dir", tmp_path, *grid, "--quiet")
    answer = call("train-best", "--from", tmp_path)
    assert answer.code == 0, answer.err
    assert "optimistic" in answer.out
    results = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    found = json.loads((tmp_path / "train_best.json").read_text())
    assert found["test_loss"] == results["best_configuration"]["final_test_loss"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--strategy", "annealing"], "--strategy must be one of"),
        (["--families", "ae,gan"], "--families must be one of"),
        (["--learning_rate_range", "1e-2,1e-4"], "--learning_rate_range must be an ascending range"),
        (["--hidden_size_range", "0,8"], "--hidden_size_range must be at least 1"),
        (["--batch_size_options", ""], "--batch_size_options"),
        (["--activation_options", "relu,sine"], "--activation_options must be one of"),
        (["--n_trials", "0"], "--n_trials must be at least 1"),
        (["--families", "ae,dae,vae", "--n_trials", "2"], "each of the 3 families"),
        (["--strategy", "grid", "--num_layers_range", "1,8"], "at most 100,000"),
        (["--strategy", "grid", "--families", "ae,vae"], "run it once for each"),
        (["--excellent_threshold", "2"], "must descend"),
        (["--timeout_hours", "-1"], "--timeout_hours must be above 0"),
    ],
)
def test_wrong_input_is_told(tune, tmp_path, options, told):
    answer = tune(tmp_path / "out", *options)
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out" / "study.journal").exists()


def test_a_record_of_another_search_is_refused_and_kept(tune, tmp_path):
    assert tune(tmp_path, "--n_trials", 2).code == 0
    answer = tune(tmp_path, "--n_trials", 2, "--dropout_range", "0.1,0.2", "--seed", 5)
    assert answer.code == 2
    assert "differs in --dropout_range (0.0,0.5, now 0.1,0.2), --seed (42, now 5)" in answer.err
    assert len(trials(tmp_path)) == 2
    answer = tune(tmp_path, "--n_trials", 3, "--dropout_range", "0.1,0.2", "--fresh")
    assert answer.code == 0
    assert len(trials(tmp_path)) == 3
    names = {s.study_name for s in open_storage(tmp_path / "study.journal", read_only=True).get_all_studies()}
    (kept,) = [name for name in names if name.startswith("tune-tpe-latent3.")]
    assert f"the old record is kept as study {kept}" in answer.out.splitlines()


def test_train_best_tells_what_is_not_there(call, tune, tmp_path):
    assert "there is no study.journal" in call("train-best", "--from", tmp_path).err
    assert tune(tmp_path, "--n_trials", 2).code == 0
    assert "has trials 0 to 1" in call("train-best", "--from", tmp_path, "--trial", 9).err
    answer = call("train-best", "--from", tmp_path, "--hidden_dims", "8,16")
    assert (answer.code, answer.err) == (2, "error: --hidden_dims must not increase, got 8,16\n")
    assert "--from is required" in call("train-best").err


def test_other_tools_read_the_study(tune, tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    assert tune(tmp_path / "out", "--n_trials", 3, "--storage", url).code == 0
    study = optuna.load_study(study_name="tune-tpe-latent3", storage=url)
    assert len(study.trials) == 3
    assert {"num_layers", "learning_rate"} <= set(study.best_params)


def test_a_cluster_comes_to_the_same_trials(tune, tmp_path):
    pytest.importorskip("distributed", reason="dask and distributed are not installed")
    from dask_cluster import DaskProcesses

    # One trial after the other, so that the pruner knows the same ones here and there.
    options = ["--strategy", "tpe", "--n_trials", 16, "--folds", 2, "--finalists", 2, "--pruner", "median"]
    options += ["--jobs", 1]
    assert tune(tmp_path / "here", *options).code == 0
    cluster = DaskProcesses(tmp_path)
    try:
        cluster.start_worker()
        answer = tune(tmp_path / "there", *options, "--scheduler", cluster.address)
        assert answer.code == 0, answer.err
    finally:
        cluster.stop()
    assert trials(tmp_path / "here") == trials(tmp_path / "there")
    assert "PRUNED" in {state for _, state, *_ in trials(tmp_path / "there")}
    assert finalists(tmp_path / "here") == finalists(tmp_path / "there") != []


def test_fewer_trials_than_there_are_leave_the_stored_number_as_it_is(tune, tmp_path):
    def stored() -> int:
        study = tune_studies(open_storage(tmp_path / "study.journal", read_only=True))[-1]
        return study.user_attrs["autoenc_tune"]["settings"]["n_trials"]

    for n_trials, number in ((4, 4), (2, 4), (5, 5)):
        assert tune(tmp_path, "--strategy", "random", "--n_trials", n_trials, "--quiet").code == 0
        assert stored() == number
    assert len(trials(tmp_path)) == 5


def test_a_dry_run_tells_the_plan_and_leaves_nothing(call, table_csv, tmp_path) -> None:
    words = (
        "--data_path",
        table_csv,
        "--output_dir",
        tmp_path / "out",
        "--n_trials",
        3,
        "--epochs",
        2,
        "--folds",
        2,
    )
    answer = call("tune", *words, "--dry_run")
    assert "\nmemory about " in answer.out
    assert answer.code == 0, answer.err
    assert "3 trials left, of 2 fits each" in answer.out
    assert re.search(r"training will take about [\d.]+ s on this machine", answer.out)
    assert not (tmp_path / "out").exists()
    assert call("tune", *words).code == 0
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    assert "0 trials left" in call("tune", *words, "--dry_run").out
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before


def test_finalists_that_are_not_decided_are_told(tune, call, tmp_path):
    options = ["--n_trials", 3, "--folds", 2, "--strategy", "resilient"]
    assert tune(tmp_path, *options).code == 0
    assert "not decided" not in call("analyze", tmp_path).out
    assert tune(tmp_path, *options, "--finalists", 2, "--timeout_hours", 1e-9).code == 0
    said = "the finalists are not decided: 2 cross-validations left in this round; the same command goes on"
    assert said in call("analyze", tmp_path).out
    state = json.loads((tmp_path / "resilient_search_state.json").read_text())["state"]
    assert state == "stopped by --timeout_hours"


def test_the_first_of_the_finalists_is_kept(tune, call, tmp_path):
    options = ["--n_trials", 6, "--folds", 2, "--jobs"]
    assert tune(tmp_path, *options, 2).code == 0
    lowest = json.loads((tmp_path / "best_hyperparameters.json").read_text())
    assert "finalists" not in lowest
    answer = tune(tmp_path, *options, 2, "--finalists", 4)
    assert answer.code == 0, answer.err
    assert "the best 4 are judged again at the end, by up to 6 further folds" in answer.out
    judged = finalists(tmp_path)
    assert [finalist["n_folds"] for finalist in judged] == [8, 8, 4, 4]
    assert judged[0]["mean"] <= judged[1]["mean"]
    kept, losses = judged[0]["number"], {finalist["number"]: finalist["mean"] for finalist in judged}
    assert json.loads((tmp_path / "best_hyperparameters.json").read_text())["best_trial_number"] == kept
    assert f"finalist      trial {kept}: {losses[kept]:.4f} over 8 folds" in answer.out
    assert f"trial {kept} of tune-tpe-latent3" in call("train-best", "--from", tmp_path).out
    results = load_results(tmp_path)
    assert results.best_trial.number == results.leaderboard["trial"].iloc[0] == kept
    assert results.leaderboard["finalist_mean"].iloc[0] == losses[kept]
    # Nothing is trained twice, and the result does not depend on the number of jobs.
    size = (tmp_path / "study.journal").read_text().count('"fold"')
    assert tune(tmp_path, *options, 2, "--finalists", 4).code == 0
    assert (tmp_path / "study.journal").read_text().count('"fold"') == size
    assert tune(tmp_path / "one", *options, 1, "--finalists", 4).code == 0
    assert finalists(tmp_path / "one") == judged


def test_a_stopped_round_of_finalists_goes_on(tune, tmp_path, monkeypatch):
    options = ["--n_trials", 4, "--folds", 2, "--finalists", 4]
    assert tune(tmp_path / "whole", *options).code == 0
    monkeypatch.setattr("autoenc.workflows.tune.judge_finalists", lambda *given: None)
    assert tune(tmp_path / "parts", *options).code == 0
    assert finalists(tmp_path / "parts") == []
    monkeypatch.undo()
    assert tune(tmp_path / "parts", *options).code == 0
    assert finalists(tmp_path / "parts") == finalists(tmp_path / "whole")


def test_the_best_trials_become_an_ensemble(tune, call, table, tmp_path):
    options = ["--n_trials", 5, "--folds", 2]
    answer = tune(tmp_path, *options, "--ensemble", 3)
    assert answer.code == 0, answer.err
    ensemble = load_model(tmp_path / "best_ensemble_latent3.pth")
    ranked = sorted(trials(tmp_path), key=lambda trial: trial[2])
    noted = load_results(tmp_path).ensemble
    assert [member["trial"] for member in noted["members"]] == [trial[0] for trial in ranked[:3]]
    assert not noted["optimistic"]  # the test rows had no part in the choice
    rows = pd.read_csv(table)
    for member, (number, *_) in zip(ensemble.members, ranked, strict=False):
        folder = tmp_path / str(number)
        assert call("train-best", "--from", tmp_path, "--trial", number, "--output_dir", folder).code == 0
        alone = load_model(folder / "best_model_latent3.pth").reconstruct(rows)
        pd.testing.assert_frame_equal(member.reconstruct(rows), alone)
    loss = json.loads((tmp_path / str(ranked[0][0]) / "train_best.json").read_text())["test_loss"]
    assert noted["single_test_loss"] == pytest.approx(loss, rel=1e-5)
    assert re.search(rf"^ensemble +of 3: test loss {noted['test_loss']:.6f}", answer.out, re.MULTILINE)
    assert f"ensemble      {tmp_path / 'best_ensemble_latent3.pth'}" in answer.out
    # The record is not of another search without it, or with another one.
    assert "already done" in tune(tmp_path, *options).out
    assert "of 2: test loss" in tune(tmp_path, *options, "--ensemble", 2).out


@pytest.mark.parametrize(
    ("n", "told"), [(1, "must be 0 or at least 2, got 1"), (6, "is more than the 5 trials to choose from")]
)
def test_an_ensemble_that_cannot_be_is_told(tune, tmp_path, n, told):
    answer = tune(tmp_path / "out", "--n_trials", 5, "--ensemble", n)
    assert answer.code == 2
    assert told in answer.err


def test_ties_stand_in_the_summary_the_files_and_the_table(tune, tmp_path):
    answer = tune(tmp_path, "--n_trials", 3, "--folds", 3, "--seeds", 2)
    assert answer.code == 0, answer.err
    results = load_results(tmp_path)
    tied, method = results.ties()
    for name in ("best_hyperparameters.json", "optimization_results.json"):
        assert json.loads((tmp_path / name).read_text())["ties"] == {"tied": tied, "method": method}
    assert f"({method})" in answer.out
    assert method in (tmp_path / "optimization_report.txt").read_text()
    board = results.leaderboard
    assert sorted(board.loc[board["tied"], "trial"]) == sorted(tied)
