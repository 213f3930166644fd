from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing
from math import inf

import optuna
import psutil
import pytest
import sqlalchemy
from optuna.trial import TrialState, create_trial

from autoenc.engines import StopFlag, Stopped
from autoenc.errors import InputError
from autoenc.record.record import Record
from autoenc.report.transfer_reports import best_params, draw_stages, stages_plot, write_tables
from autoenc.searching import loop
from autoenc.searching.executors import Threads
from autoenc.searching.loop import End
from autoenc.settings.tune import StrategyName
from autoenc.two_stage.job import report_fold
from autoenc.two_stage.objective import FoldOutcome, FoldsObjective, Scores
from autoenc.two_stage.record import open_transfer_record, read_study, stored_settings, transfer_context
from autoenc.two_stage.samplers import make_pruner, make_sampler
from autoenc.two_stage.space import suggest
from autoenc.two_stage.trials import TransferTrials

pytestmark = pytest.mark.slow


def new_study(settings) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=make_sampler(settings), pruner=make_pruner(settings))


def value_of(configuration) -> float:
    """A made-up objective of everything that is open."""
    size = configuration.latent_dim + sum(configuration.hidden_dims)
    recipe = configuration.recipe
    kinds = len(recipe.family + recipe.activation + recipe.norm)
    stage1 = size * recipe.dropout + 100 * recipe.initial_lr + recipe.weight_decay + kinds
    return stage1 + sum(configuration.heads)


class MadeUp(FoldsObjective):
    """The made-up objective in three folds; a trial in ``fail`` fails, the loop is cut off at ``cut``."""

    def __init__(self, stop, fail=(), cut=None, error=None) -> None:
        super().__init__(
            lambda repeat: (None, [None] * 3), None, None,
            after_fold=lambda trial, fold, value: report_fold(trial, fold, value, 2),
        )  # fmt: skip
        self.stop, self.fail, self.cut, self.error = stop, fail, cut, error

    def job(self, unit, watch):
        def measured(stop):
            if self.error is not None:
                raise self.error
            return FoldOutcome(None, value_of(unit.configuration) + unit.fold / 100)

        return measured

    def judge(self, trial):
        outcomes = trial.first_outcomes()
        if trial.number == self.cut:
            self.stop.set()
            return None
        if trial.number in self.fail:
            return End(failure="it diverged")
        for i in range(trial.n_judged, len(outcomes)):
            trial.n_judged = i + 1
            try:
                self._after_fold(trial.handle, i, outcomes[i].value)
            except optuna.TrialPruned:
                return End()
        return End(outcomes[0].value) if len(outcomes) == 3 else None


def run(study, settings, n_trials, n_jobs=1, fail=(), cut=None, error=None, deadline_s=inf) -> list[int]:
    """Run the made-up objective."""
    ended, stop = [], StopFlag()
    objective = MadeUp(stop, fail, cut, error)
    wanted = settings.model_copy(update={"n_trials": n_trials})
    threads = Threads(objective, n_jobs, stop)
    try:
        trials = TransferTrials(Record(study), wanted, objective, ended.append, deadline_s)
        loop.run(trials, objective, threads, stop, n_jobs)
    finally:
        threads.close()
    return ended


def told(study) -> list[tuple]:
    return [(trial.number, trial.state, trial.value, trial.params) for trial in study.trials]


@pytest.mark.parametrize("sampler", StrategyName.__args__)
def test_a_search_that_was_cut_off_goes_on_to_the_same_trials(make_settings, tmp_path, data, sampler):
    settings = make_settings(sampler=sampler)
    context = transfer_context(settings, data)
    whole = new_study(settings)
    assert run(whole, settings, 13) == list(range(13))
    path = tmp_path / "study.db"
    assert run(open_transfer_record(path, settings, context).study, settings, 13, cut=11) == list(range(11))
    study = open_transfer_record(path, settings, context).study
    assert study.trials[11].state == TrialState.RUNNING
    assert run(study, settings, 13) == [11, 12]
    assert told(study) == told(whole)
    assert run(study, settings, 13) == []


def test_a_trial_that_was_cut_off_between_two_folds_is_taken_up_again(make_settings):
    settings = make_settings()
    study = new_study(settings)
    trial = study.ask()
    suggest(trial, settings)
    trial.report(123.0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(study, settings, 2) == [0, 1]
    assert study.trials[0].state == TrialState.COMPLETE


class Counted(MadeUp):
    """Counts the folds that are measured, and is cut off after some of them."""

    def __init__(self, stop, settings, n_most=None) -> None:
        super().__init__(stop)
        self._settings, self.n_most, self.measured = settings, n_most, []

    def job(self, unit, watch):
        def measured(stop):
            if len(self.measured) == self.n_most:
                self.stop.set()
                raise Stopped
            self.measured.append(unit.fold)
            scores = Scores(value_of(unit.configuration) + unit.fold / 7, None, None, unit.fold / 3)
            return FoldOutcome(scores, scores.objective(self._settings))

        return measured

    judge = FoldsObjective.judge


def run_counted(path, settings, context, n_most=None) -> tuple[list[int], optuna.Study]:
    study, stop = open_transfer_record(path, settings, context).study, StopFlag()
    objective = Counted(stop, settings, n_most)
    threads = Threads(objective, 1, stop)
    try:
        loop.run(TransferTrials(Record(study), settings, objective), objective, threads, stop, 1)
    finally:
        threads.close()
    return objective.measured, study


def test_a_trial_that_is_taken_up_measures_no_fold_again(make_settings, data, tmp_path):
    settings = make_settings(n_trials=3)
    context = transfer_context(settings, data)
    folds, whole = run_counted(tmp_path / "whole.db", settings, context)
    assert folds == 3 * [0, 1, 2]
    path, folds = tmp_path / "study.db", []
    for n_most in (1, 1, 2, 0, None):
        measured, study = run_counted(path, settings, context, n_most)
        folds += measured
    assert folds == 3 * [0, 1, 2]
    assert told(study) == told(whole)
    assert [trial.intermediate_values for trial in study.trials] == [
        trial.intermediate_values for trial in whole.trials
    ]
    attributes = [trial.user_attrs.keys() for trial in study.trials]
    assert attributes == [trial.user_attrs.keys() for trial in whole.trials]
    assert not any("measured" in keys for keys in attributes), "once it ended, its result says it all"


def test_folds_that_end_after_their_trial_are_noted_nowhere(make_settings, data, tmp_path):
    """As where several are in training and the first one fails, or is enough for a pruner."""
    settings = make_settings(n_trials=4)
    study, stop = open_transfer_record(tmp_path / "s.db", settings, {}).study, StopFlag()

    class Failing(Counted):
        def job(self, unit, watch):
            measured = super().job(unit, watch)

            def late(stop):
                if unit.fold == 0:
                    return FoldOutcome(None, failure="it diverged")
                time.sleep(0.2)
                return measured(stop)

            return late

    objective = Failing(stop, settings)
    objective.ahead = 3
    threads = Threads(objective, 3, stop)
    try:
        loop.run(TransferTrials(Record(study), settings, objective), objective, threads, stop, 1)
    finally:
        threads.close()
    assert [trial.state for trial in study.trials] == 4 * [TrialState.FAIL]


def test_folds_of_a_trial_that_are_damaged_are_measured_again(make_settings, data, tmp_path):
    settings = make_settings(n_trials=1)
    context = transfer_context(settings, data)
    _, whole = run_counted(tmp_path / "whole.db", settings, context)
    path = tmp_path / "study.db"
    measured, _ = run_counted(path, settings, context, 2)
    assert measured == [0, 1]
    with closing(sqlite3.connect(path)) as file, file:
        changed = file.execute(
            "UPDATE trial_user_attributes SET value_json = replace(value_json, '[0, 0, ', '[0, 0, 1')"
            " WHERE key = 'measured'"
        )
        assert changed.rowcount == 1
    measured, study = run_counted(path, settings, context)
    assert measured == [0, 1, 2]
    assert told(study) == told(whole)


def test_several_trials_at_once(make_settings):
    study = new_study(make_settings())
    assert sorted(run(study, make_settings(), 7, n_jobs=3)) == list(range(7))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


def test_a_failed_trial_ends_nothing_and_says_why(make_settings):
    study = new_study(make_settings())
    run(study, make_settings(), 4, fail=(1, 2))
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    assert study.trials[1].user_attrs["failure"] == "it diverged"


def test_a_mistake_is_raised_and_leaves_its_trial_to_be_run_again(make_settings):
    study = new_study(make_settings())

    with pytest.raises(ZeroDivisionError):
        run(study, make_settings(), 2, error=ZeroDivisionError())
    assert [trial.state.name for trial in study.trials] == ["RUNNING"]


def test_no_trial_begins_after_the_time(make_settings):
    study = new_study(make_settings())
    assert run(study, make_settings(), 2, deadline_s=time.monotonic()) == []
    assert study.trials == []


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_pruner_ends_bad_trials_between_folds(make_settings, pruner):
    settings = make_settings(pruner=pruner)
    study = new_study(settings)
    run(study, settings, 30)
    pruned = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert pruned
    assert all(len(trial.intermediate_values) < 3 for trial in pruned)
    assert all("failure" not in trial.user_attrs for trial in pruned)


def test_the_study_knows_its_options(make_settings, data, tmp_path):
    settings = make_settings(dropout_range="0.2", seed=5)
    open_transfer_record(tmp_path / "study.db", settings, transfer_context(settings, data))
    path = tmp_path / "study.db"
    assert make_settings(**stored_settings(read_study(path), path)) == settings


@pytest.mark.parametrize("n_statements", [0, 1, 3, 10, 20, 28])
def test_a_study_that_is_there_is_whole(make_settings, data, tmp_path, monkeypatch, n_statements):
    """Cut off anywhere in its making, it is begun again."""
    settings, path, seen = make_settings(), tmp_path / "study.db", [0]

    def count(connection, cursor, statement, *more):
        seen[0] += 1
        if seen[0] > n_statements:
            raise KeyboardInterrupt

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", count)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_transfer_record(path, settings, transfer_context(settings, data))
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", count)
    assert not path.exists()
    assert open_transfer_record(path, settings, transfer_context(settings, data)).trials() == []


TORN = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("pragma cache_size = 1")
connection.execute("create table if not exists filler (text)")
connection.commit()
connection.execute("begin immediate")
for i in range(200):
    connection.execute("insert into filler values (?)", ("x" * 5000,))
connection.execute("delete from study_user_attributes")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_middle_of_a_write_is_taken_back(make_settings, data, tmp_path):
    settings, path = make_settings(), tmp_path / "study.db"
    run(open_transfer_record(path, settings, transfer_context(settings, data)).study, settings, 2)
    done = subprocess.run([sys.executable, "-c", TORN, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "study.db-journal").stat().st_size > 0
    study = open_transfer_record(path, settings, transfer_context(settings, data)).study
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2


def test_what_is_wrong_with_a_file_is_told_as_it_is(make_settings, data, tmp_path):
    path = tmp_path / "study.db"
    open_transfer_record(path, make_settings(), transfer_context(make_settings(), data))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"--resume .*study\.db: is damaged: "):
        read_study(path)
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update alembic_version set version_num = 'v0.9.0.a'")
    with pytest.raises(InputError, match="optuna storage upgrade") as told:
        read_study(path)
    assert told.value is not None  # what was raised keeps the storage, but not its file
    assert str(path) not in {file.path for file in psutil.Process().open_files()}
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from study_user_attributes where key = 'autoenc_transfer_settings'")
    with pytest.raises(InputError, match="is not the record of a transfer-aware search"):
        read_study(path)


@pytest.mark.parametrize("name", ["a%20b", "100%", "what?", "a#b", "{x}", "ä ö"])
def test_a_folder_may_be_called_anything(make_settings, data, tmp_path, name):
    settings, path = make_settings(), tmp_path / name / "study.db"
    path.parent.mkdir()
    run(open_transfer_record(path, settings, transfer_context(settings, data)).study, settings, 1)
    assert len(read_study(path).trials) == 1
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_pruner_does_not_look_at_the_name_of_the_folder(make_settings, data, tmp_path):
    settings = make_settings(sampler="random", pruner="hyperband", n_cv_folds=5)
    states = []
    for name in ("A", "B", "C"):
        (tmp_path / name).mkdir()
        study = open_transfer_record(
            tmp_path / name / "study.db", settings, transfer_context(settings, data)
        ).study
        run(study, settings, 12)
        states.append([trial.state for trial in study.trials])
    assert states[0] == states[1] == states[2]
    assert len(set(states[0])) == 2


def test_the_study_of_a_version_with_other_options_is_refused(make_settings, data, tmp_path):
    path = tmp_path / "study.db"
    study = open_transfer_record(path, make_settings(), transfer_context(make_settings(), data)).study
    stored = stored_settings(study, path)
    study.set_user_attr("autoenc_transfer_settings", {**stored, "warp": 9})
    with pytest.raises(InputError, match="by a version of autoenc that had --warp; this one has not"):
        stored_settings(read_study(path), path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n_cv_folds": 4}, "n_cv_folds 3 there, 4 here"),
        ({"seed": 1}, "seed 42 there, 1 here"),
        ({"seeds": 2}, "seeds 1 there, 2 here"),
        ({"latent_dim_options": "2"}, "latent_dim_options [2, 8] there, [2] here"),
        ({"columns": "a,b"}, "columns a,b,c,d,e there, a,b here; other data"),
        ({"unfreeze": True}, "unfreeze False there, True here"),
    ],
)
def test_the_study_of_another_experiment_is_refused(make_settings, data, tmp_path, changed, words):
    from autoenc.two_stage.data import TransferData

    path = tmp_path / "study.db"
    open_transfer_record(path, make_settings(), transfer_context(make_settings(), data))
    other = make_settings(**changed)
    with pytest.raises(InputError) as error:
        open_transfer_record(path, other, transfer_context(other, TransferData.load(other)))
    assert error.value.problems == [f"{path}: is of another experiment: {words}"]


@pytest.mark.parametrize(
    "changed", [{"sampler": "random"}, {"pruner": "median"}, {"n_trials": 7, "n_jobs": 2}, {"finalists": 2}]
)
def test_how_trials_are_made_does_not_make_another_experiment(make_settings, data, tmp_path, changed):
    open_transfer_record(tmp_path / "study.db", make_settings(), transfer_context(make_settings(), data))
    other = make_settings(**changed)
    open_transfer_record(tmp_path / "study.db", other, transfer_context(other, data))


def test_a_file_that_is_no_record_is_refused_and_left_alone(tmp_path):
    text, foreign = tmp_path / "text.db", tmp_path / "foreign.db"
    text.write_text("no database")
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE t (x)")
    optuna_db = tmp_path / "other_study.db"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=f"sqlite:///{optuna_db}").set_user_attr("x", 1)
    for path, words in (
        (tmp_path / "none.db", "there is no such file"),
        (tmp_path, "is a folder; the record is called study.db"),
        (text, "is not an SQLite file"),
        (foreign, "is not the record of a transfer-aware search"),
        (optuna_db, "is not the record of a transfer-aware search"),
    ):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(InputError) as error:
            read_study(path)
        assert error.value.problems[0].startswith(f"--resume {path}: ")
        assert words in error.value.problems[0]
        assert before is None or path.read_bytes() == before


def attributed(value: float, stage1: float) -> optuna.trial.FrozenTrial:
    scores = {"mae": 0.5, "f1": None, "recall": None, "stage1_loss": stage1, "stage2_objective": value}
    return create_trial(value=value, user_attrs=scores)


def test_the_reports_are_views_of_the_study(make_settings, tmp_path):
    study = new_study(make_settings())
    assert best_params(study)["best_value"] is None
    draw_stages(stages_plot(study))
    study.add_trials([attributed(2.0, 0.3), attributed(1.0, 0.5), attributed(3.0, 0.1)])
    assert best_params(study) == {
        "best_value": 1.0, "best_params": {}, "n_trials": 3, "best_trial_number": 1,
        "components": {"mae": 0.5, "f1": None, "recall": None, "stage1_loss": 0.5, "stage2_objective": 1.0},
        "finalists": [],
        "ties": {
            "tied": None, "method": "not tested: that takes at least 3 folds and 2 seeds, or 3 seeds",
        },
    }  # fmt: skip
    plot = stages_plot(study)
    assert (plot.stage1, plot.stage2) == ([0.5, 0.3, 0.1], [1, 2, 3])
    assert plot.rank_correlation == pytest.approx(-1)
    assert "-1.00" in plot.title
    draw_stages(plot)
    names = [path.name for _, path in write_tables(study, tmp_path)]
    assert names == ["best_params.json", "all_trials.csv", "top_20_trials.csv"]
    assert json.loads((tmp_path / "best_params.json").read_text())["n_trials"] == 3
