"""``phases`` from outside: each phase from the one before, judged by the same rows, and resumed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from itertools import pairwise

import pandas as pd
import pytest
from processes import start

from autoenc.config import load_layers, resolve
from autoenc.record.storage import open_storage
from autoenc.settings import TuneSettings
from autoenc.tuning.study import tune_studies
from autoenc.workflows.observe import observe_folder

PHASES = ["baseline", "coarse", "fine", "bayesian"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, root):
    """A folder with a table and the three files of a small experiment without folds."""
    place = tmp_path_factory.mktemp("a place")
    pd.read_csv(root / "data" / "stains.csv").head(120).to_csv(place / "table.csv", index=False)
    experiment = f"""
data_path: {place / "table.csv"}
output_dir: {place / "out"}
hidden_dims_search: [8, 16]
max_layers: 1
epochs: 2
jobs: 1
coarse: {place / "coarse.yaml"}
bayesian: {place / "bayesian.yaml"}
"""
    space = "search_space:\n  hidden_size_range: [8, 32]\n  num_layers_range: [1, 2]\n"
    (place / "experiment.yaml").write_text(experiment)
    (place / "coarse.yaml").write_text(f"search_method: random\nn_trials: 6\nepochs: 1\n{space}")
    (place / "bayesian.yaml").write_text(f"search_method: bayesian\nn_trials: 8\n{space}")
    return place


@pytest.fixture(scope="module")
def done(call, place):
    answer = call("phases", place / "experiment.yaml", "--folds", 2)
    assert answer.code == 0, answer.err
    return answer


def trials(folder):
    study = tune_studies(open_storage(folder / "study.journal", read_only=True))[-1]
    return study, study.get_trials(deepcopy=False)


def test_the_summary_tells_every_phase(done, place):
    document = json.loads((place / "out" / "phases.json").read_text())
    assert [entry["phase"] for entry in document["phases"]] == PHASES
    losses = [entry["best_loss"] for entry in document["phases"]]
    changes = [entry["change"] for entry in document["phases"]]
    assert changes == [None, *(new / old - 1 for old, new in pairwise(losses))]
    assert [entry["epochs"] for entry in document["phases"]] == [2, 1, 2, 2]
    assert [entry["n_trials"] for entry in document["phases"][:2]] == [2, 6]
    for entry in document["phases"]:
        assert f"{entry['phase']:<9} {entry['best_loss']:>10.6f}" in done.out
    best = min(reversed(document["phases"]), key=lambda entry: entry["best_loss"])
    assert f"autoenc train-best --from {shlex.quote(best['folder'])}" in done.out
    assert "'" in shlex.quote(best["folder"])  # there is a space in it


@pytest.mark.parametrize("command", ["analyze", "compare", "report", "pivot", "refine", "train-best"])
def test_the_folder_of_all_phases_is_answered_with_theirs(call, done, place, tmp_path, command):
    more = {"refine": ["--to", tmp_path / "x.yaml"]}.get(command, [])
    folder = ["--from"] if command in ("refine", "train-best") else []
    answer = call(command, *folder, place / "out", *more)
    assert answer.code == 2
    assert " here; its folders baseline, bayesian, coarse, fine have one" in answer.err


def test_all_phases_are_judged_by_the_same_rows(done, place):
    found = [observe_folder(place / "out" / phase, None, phase) for phase in PHASES]
    assert len({seen.pca for seen in found}) == 1  # PCA of other rows would come to another loss
    assert {seen.settings["folds"] for seen in found} == {2}


def test_a_phase_begins_with_the_best_of_the_one_before_within_its_ranges(done, place):
    layers, problems = load_layers(None, str(place / "out" / "fine.yaml"), {})
    ranges = resolve(TuneSettings, layers, {}).settings
    assert not problems
    _, fine = trials(place / "out" / "fine")
    study, bayesian = trials(place / "out" / "bayesian")
    assert study.user_attrs["autoenc_tune"]["settings"]["learning_rate_range"] == list(
        ranges.learning_rate_range
    )
    low, high = ranges.learning_rate_range
    assert all(low <= trial.params["learning_rate"] <= high for trial in [*fine, *bayesian])
    first = min(fine, key=lambda trial: trial.value)
    assert bayesian[0].value == first.value
    assert min(trial.value for trial in bayesian) <= first.value


def test_a_rerun_skips_what_is_complete(done, call, place):
    before = {phase: observe_folder(place / "out" / phase, None, phase) for phase in PHASES}
    written = (place / "out" / "fine.yaml").stat().st_mtime_ns
    again = call("phases", place / "experiment.yaml", "--folds", 2)
    assert again.code == 0, again.err
    assert {phase: observe_folder(place / "out" / phase, None, phase) for phase in PHASES} == before
    assert (place / "out" / "fine.yaml").stat().st_mtime_ns == written
    assert "stays as it is" in again.out


def test_an_interrupted_phase_ends_them_and_a_rerun_goes_on(place, call, tmp_path):
    options = ["--folds", "2", "--output_dir", str(tmp_path / "out"), "--phases", "coarse,fine"]
    command = ["phases", str(place / "experiment.yaml"), *options]
    log = tmp_path / "log"
    process = start([*command, "--n_trials", "4000"], log)
    end = time.monotonic() + 60
    while "first" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 128 + signal.SIGTERM
    assert not (tmp_path / "out" / "fine.yaml").exists()
    n_done = len(trials(tmp_path / "out" / "coarse")[1])
    answer = call(*command, "--n_trials", n_done + 4)
    assert answer.code == 0, answer.err
    assert len(observe_folder(tmp_path / "out" / "coarse", None, "").trials) == n_done + 4


def test_a_fine_file_that_somebody_changed_is_checked_first(call, place, tmp_path):
    (tmp_path / "fine.yaml").write_text("search_space:\n  dropout_range: [0, 2]\n")
    answer = call("phases", place / "experiment.yaml", "--output_dir", tmp_path)
    assert answer.code == 2
    assert answer.err.startswith(f"error: fine: {tmp_path / 'fine.yaml'}:2: dropout_range must be below 1")
    assert not (tmp_path / "baseline").exists()


def test_what_is_wrong_is_told_before_anything_runs(call, place, tmp_path):
    def told(text="", *options):
        path = tmp_path / "experiment.yaml"
        path.write_text((place / "experiment.yaml").read_text() + text)
        answer = call("phases", path, "--output_dir", tmp_path / "out", *options)
        assert answer.code == 2
        assert "Traceback" not in answer.err
        assert not (tmp_path / "out").exists()
        return answer.err

    assert "cannot be read" in call("phases", tmp_path / "none.yaml").err
    assert "coarse: " in told("latent_dim: [2, 3]\n")
    assert "leave out storage" in told("storage: sqlite:///x.db\n")
    assert "add coarse" in told("", "--phases", "fine")
    assert "add fine" in told("", "--phases", "bayesian")
    assert "--folds must be 0 or at least 2" in told("", "--folds", "1")
    assert "--phases must be one of" in told("", "--phases", "corse")
    assert "cannot be read" in told("", "--coarse", tmp_path / "none.yaml")


def test_the_searches_that_come_along_are_found_from_anywhere(call, table_csv, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"data_path: {table_csv}\nlatent_dim: 2\n")
    options = (
        "--phases",
        "coarse",
        "--n_trials",
        "2",
        "--epochs",
        "1",
        "--folds",
        "2",
        "--output_dir",
        "out",
    )
    answer = call("phases", "mine.yaml", *options, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / "out" / "coarse" / "study.journal").exists()


def test_a_dry_run_tells_every_phase_and_writes_nothing(call, done, place, tmp_path):
    answer = call("phases", place / "experiment.yaml", "--folds", 2, "--dry_run")
    assert answer.code == 0, answer.err
    assert answer.out.count(" 0 left to train") + answer.out.count("0 trials left") >= 3
    elsewhere = ("--output_dir", tmp_path / "none")
    answer = call("phases", place / "experiment.yaml", "--folds", 2, "--dry_run", *elsewhere)
    assert answer.code == 0, answer.err
    assert answer.out.count("its ranges follow from the coarse phase") == 2
    assert list(tmp_path.iterdir()) == []


def test_phases_start_over_where_that_is_asked_for(call, place, tmp_path):
    options = ("--folds", 2, "--output_dir", tmp_path, "--n_trials", 4, "--phases", "coarse,fine", "--quiet")
    for more in ((), ("--fresh",)):
        assert call("phases", place / "experiment.yaml", *options, *more).code == 0
    assert len([*tmp_path.glob("fine.yaml*")]) == 2
    for phase in ("coarse", "fine"):
        storage = open_storage(tmp_path / phase / "study.journal", read_only=True)
        studies = [study.study_name for study in storage.get_all_studies() if "tune-" in study.study_name]
        assert len(studies) == 2, "the old record is kept under another name"
