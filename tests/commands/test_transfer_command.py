from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

import autoenc
from autoenc import load_model
from autoenc.analysis.ties import tied_with_best
from autoenc.errors import InputError
from autoenc.settings import TransferSettings
from autoenc.two_stage.checkpoint import FittedTransfer
from autoenc.two_stage.data import TransferData
from autoenc.two_stage.finalists import fold_objectives
from autoenc.two_stage.folds import divide
from autoenc.two_stage.stages import TrainingFailed
from autoenc.workflows import transfer as workflow
from autoenc.workflows.train_transfer import train_best_transfer

QUICK = (
    "--regression_target", "score", "--classification_target", "kind", "--n_cv_folds", "2", "--epochs", "2",
    "--stage2_epochs", "2", "--latent_dim_options", "2,8", "--hidden_dims_options", "4,8-4",
)  # fmt: skip


@pytest.fixture(scope="module")
def rows_csv(tmp_path_factory):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.random((80, 4)).round(4), columns=list("abcd"))
    frame["score"] = (10 * frame.a + frame.b).round(3)
    frame["kind"] = np.where(frame.c > 0.6, 5, 3)
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(call, rows_csv, tmp_path_factory):
    output = tmp_path_factory.mktemp("results")
    answer = call("transfer", "--data_path", rows_csv, "--output_dir", output, "--n_trials", 3, *QUICK)
    assert (answer.code, answer.err) == (0, "")
    assert "estimate " in answer.out
    assert "best trial " in answer.out
    return output / "rows"


def test_it_leaves_what_it_promises(folder):
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "study.db", "best_params.json", "all_trials.csv", "top_20_trials.csv", "figures", "transfer.log",
        "runs",
    }  # fmt: skip
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "optimization_history.png", "param_importances.png", "parallel_coordinate.png", "slice_plot.png",
        "stage1_vs_stage2.png",
    }  # fmt: skip
    best = json.loads((folder / "best_params.json").read_text())
    parts = best["components"]
    value = 1.5 * parts["mae"] + 2 * (1 - parts["f1"]) + 1.5 * (1 - parts["recall"])
    assert best["best_value"] == pytest.approx(value + 0.1 * parts["stage1_loss"])
    assert best["n_trials"] == 3
    assert set(best["best_params"]) == {
        "latent_dim", "hidden_dims", "family", "activation", "norm", "dropout", "learning_rate",
        "weight_decay", "head_dropout", "head_learning_rate", "head_weight_decay",
    }  # fmt: skip
    assert len(pd.read_csv(folder / "all_trials.csv")) == 3
    assert {each["number"] for each in best["finalists"]} == {0, 1, 2}
    assert best["finalists"][0]["number"] == best["best_trial_number"]
    log = (folder / "transfer.log").read_text()
    assert "trial 2 " in log
    assert log.count("finalist      trial ") == 3
    assert "best trial" in log


def test_other_programs_read_the_study(folder):
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'study.db'}")
    assert len(study.trials) == 3
    connection = sqlite3.connect(folder / "study.db")
    assert connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone() == (3,)
    connection.close()


@pytest.fixture
def without_pictures(monkeypatch):
    """Neither pictures nor an estimate, which take most of the time of so small a search."""
    monkeypatch.setattr(workflow, "write_pictures", lambda study, folder: [])
    monkeypatch.setattr(workflow, "estimate_trial_s", lambda *given: 1.0)


@pytest.mark.usefixtures("without_pictures")
def test_it_goes_on_with_the_options_that_it_was_begun_with(call, rows_csv, tmp_path):
    whole = ("transfer", "--data_path", rows_csv, "--output_dir", tmp_path, *QUICK, "--quiet")
    assert call(*whole, "--name", "whole", "--n_trials", 4) == (0, "", "")
    assert call(*whole, "--name", "halves", "--n_trials", 2).code == 0
    resumed = call("transfer", "--resume", tmp_path / "halves" / "study.db", "--n_trials", 4)
    assert resumed.code == 0
    assert "4 wanted, 2 done" in resumed.out
    documents = [
        json.loads((tmp_path / name / "best_params.json").read_text()) for name in ("whole", "halves")
    ]
    assert documents[0] == documents[1]
    assert len(documents[0]["finalists"]) == 4
    tables = [pd.read_csv(tmp_path / name / "all_trials.csv") for name in ("whole", "halves")]
    pd.testing.assert_frame_equal(*(table.drop(columns="duration_s") for table in tables))


@pytest.mark.usefixtures("without_pictures")
def test_a_record_that_cannot_be_gone_on_with(call, folder, rows_csv, tmp_path):
    def refused(*arguments) -> str:
        answer = call("transfer", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert len(answer.err.splitlines()) == 1
        return answer.err

    (tmp_path / "text.db").write_text("text")
    assert "there is no such file" in refused("--resume", tmp_path / "none.db")
    assert "is not an SQLite file" in refused("--resume", tmp_path / "text.db")
    study = folder / "study.db"
    assert "another experiment: seed 42 there, 7 here" in refused("--resume", study, "--seed", 7)
    again = ("--data_path", rows_csv, "--output_dir", folder.parent, *QUICK, "--epochs", "3")
    assert "another experiment: epochs 2 there, 3 here" in refused(*again)


def test_a_record_that_is_refused_leaves_nothing_beside_it(call, folder, rows_csv, tmp_path):
    place = tmp_path / "out" / "rows"
    place.mkdir(parents=True)
    whole = (folder / "study.db").read_bytes()
    damaged = whole.replace(b"classification_target", b"classification_\xff\xfe\xfdget")
    for content in (b"SQLite format 3\0" + b"\xff" * 4096, b"text", damaged):
        (place / "study.db").write_bytes(content)
        answer = call("transfer", "--data_path", rows_csv, "--output_dir", tmp_path / "out", *QUICK)
        assert answer.code == 2
        assert (place / "study.db").read_bytes() == content
        assert [name for name in os.listdir(place) if name[0] != "."] == ["study.db"]  # and that it is held


def test_everything_that_is_wrong_is_told_at_once(call, rows_csv, tmp_path):
    (tmp_path / "file").write_text("kept")
    answer = call(
        "transfer", "--data_path", rows_csv, "--regression_target", "scor", "--classification_target", "a",
        "--output_dir", tmp_path / "file",
    )  # fmt: skip
    assert answer.code == 2
    problems = answer.err.splitlines()
    assert len(problems) == 3
    for part, problem in zip(
        ["has no column 'scor'", "'a' must have two classes, got", "is a file, not a folder"],
        problems,
        strict=True,
    ):
        assert part in problem
    options = call("transfer", "--sampler", "zzz", "--n_cv_folds", "1", "--pruner", "none")
    assert len(options.err.splitlines()) == 2
    assert (
        "--sampler must be one of 'grid', 'random', 'tpe', 'cmaes', 'gp', 'nsgaii' or 'resilient'"
        in options.err
    )


def test_pivot_and_refine_read_it(call, folder, rows_csv, tmp_path):
    options = ("--rows", "hidden_dims", "--columns", "learning_rate", "--score", "0.8*loss+0.2*time")
    answer = call("pivot", folder, *options, "--output", tmp_path)
    assert (answer.code, answer.err) == (0, "")
    ranking = pd.read_csv(tmp_path / "ranking.csv")
    assert len(ranking) == 3
    assert set(ranking.hidden_dims) <= {"4", "8-4", 4}
    assert {"latent_dim", "head_dropout"} <= {*ranking.columns}
    assert call("pivot", folder, "--metric", "mae", "--output", tmp_path).code == 0

    fine = tmp_path / "fine.yaml"
    answer = call("refine", "--from", folder, "--to", fine, "--n_trials", 4, "--top", 3)
    assert (answer.code, answer.err) == (0, "")
    assert f"search with   autoenc transfer --search_config {fine}" in answer.out
    output = ("--output_dir", tmp_path / "fine", "--epochs", 1, "--dry_run")
    assert call("transfer", "--search_config", fine, *output).err == ""
    shown = call("config", "show", "transfer", "--search_config", fine).out
    assert f"{fine}:" in next(line for line in shown.splitlines() if line.startswith("hidden_dims_options"))
    assert "score" in next(line for line in shown.splitlines() if line.startswith("regression_target"))
    for method in ("grid", "gp"):
        to = tmp_path / f"{method}.yaml"
        assert call("refine", "--from", folder, "--to", to, "--search_method", method).code == 0
        assert f"search_method: {method}\n" in to.read_text()


def test_runs_says_where_they_are(call, folder):
    assert call("runs", folder.parent).err == f"error: {folder.parent}: holds no runs; its folders rows do\n"


@pytest.mark.usefixtures("without_pictures")
def test_a_warning_names_the_table_that_it_is_about(call, rows_csv, tmp_path):
    frame = pd.read_csv(rows_csv)
    frame.assign(d=0.5).to_csv(tmp_path / "few.csv", index=False)
    frame.drop(columns=["score", "kind"]).to_csv(tmp_path / "all.csv", index=False)
    answer = call(
        "transfer", "--data_path", tmp_path / "all.csv", "--labelled_path", tmp_path / "few.csv",
        "--output_dir", tmp_path / "out", *QUICK, "--n_trials", 1, "--quiet",
    )  # fmt: skip
    assert answer.code == 0
    assert answer.err.startswith(f"warning: {tmp_path / 'few.csv'}: ")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.usefixtures("without_pictures")
def test_resume_finds_its_folder_from_anywhere(call, rows_csv, tmp_path, monkeypatch):
    options = ("--data_path", rows_csv, "--output_dir", tmp_path / "out", *QUICK, "--finalists", 1, "--quiet")
    assert call("transfer", *options, "--n_trials", 1).code == 0
    place = tmp_path / "out" / "rows"
    for where, path in ((place, "study.db"), (place.parent, "rows/study.db"), (tmp_path, place / "study.db")):
        monkeypatch.chdir(where)
        answer = call("transfer", "--resume", path, "--n_trials", 1)
        assert (answer.code, "1 wanted, 1 done" in answer.out) == (0, True)
    assert call("transfer", "--resume", place / "study.db", "--output_dir", tmp_path / "out").code == 0
    wrong = call("transfer", "--resume", place / "study.db", "--name", "other", "--n_trials", 3)
    assert (wrong.code, wrong.err) == (
        2, f"error: --resume {place}/study.db: goes on in the folder of the file; leave out --name\n"
    )  # fmt: skip
    (place / "copy.db").write_bytes((place / "study.db").read_bytes())
    assert "must be called study.db" in call("transfer", "--resume", place / "copy.db").err
    assert "is a folder; the record is called study.db" in call("transfer", "--resume", place).err
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_time_limit_is_told(call, rows_csv, tmp_path):
    options = ("--data_path", rows_csv, "--output_dir", tmp_path, *QUICK)
    assert call("transfer", *options, "--n_trials", 3, "--finalists", 1, "--quiet").code == 0
    ended = call("transfer", *options, "--n_trials", 5, "--timeout_hours", 1e-9, "--finalists", 4)
    assert ended.code == 0
    assert "time limit    3 of 5 trials are done; the finalists are not decided" in ended.out
    (record,) = tmp_path.glob("*/study.db")
    assert "3 of 5 trials are done; the same command goes on" in call("analyze", record.parent).out


def test_an_estimate_that_cannot_be_made_stops_nothing(call, rows_csv, tmp_path, monkeypatch):
    def diverging(*given):
        raise TrainingFailed("stage 1: it diverged")

    monkeypatch.setattr(workflow, "estimate_trial_s", diverging)
    monkeypatch.setattr(workflow, "write_pictures", lambda study, folder: [])
    options = ("--data_path", rows_csv, "--output_dir", tmp_path, *QUICK, "--n_trials", 1)
    answer = call("transfer", *options)
    assert answer.code == 0
    assert "estimate      none: a configuration in the middle of the space cannot be trained" in answer.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--n_cv_folds", "65"), "--n_cv_folds must be at most 64, got 65: "),
        (
            ("--data_path", "{one}", "--labelled_path", "{rows}"),
            "must have at least 5 rows for stage 1, has 1",
        ),
        (("--mae_weight", "0", "--stage1_weight", "0"), "must not all be 0: --stage1_weight, --mae_weight"),
    ],
)
def test_too_few_rows_and_empty_objectives_are_told(call, rows_csv, tmp_path, options, words):
    one = tmp_path / "one.csv"
    pd.read_csv(rows_csv).head(1).assign(a=9).to_csv(one, index=False)
    options = [option.format(one=one, rows=rows_csv) for option in options]
    answer = call(
        "transfer", "--data_path", rows_csv, "--output_dir", tmp_path, *QUICK, "--classification_target", "",
        *options,
    )  # fmt: skip
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert words in answer.err


@pytest.fixture(scope="module")
def trained(folder):
    return train_best_transfer(folder, options={"epochs": 3, "stage2_epochs": 15})


def test_the_best_model_predicts_both_targets(trained, rows_csv, folder):
    path, model, scores = trained
    assert path == folder / "best_model.pth"
    loaded = load_model(path)
    assert isinstance(loaded, FittedTransfer)
    frame = pd.read_csv(rows_csv).sample(frac=1, random_state=0)
    found = loaded.predict(frame)
    pd.testing.assert_frame_equal(found, model.predict(frame))
    assert list(found.columns) == ["score", "kind_probability", "kind"]
    assert list(found.index) == list(frame.index)
    assert set(found.kind) <= {3, 5}
    assert ((found.kind == 5) == (found.kind_probability >= 0.5)).all()
    assert np.corrcoef(found.score, frame.score)[0, 1] > 0.5  # in the units of the column
    assert 3 < found.score.mean() < 8
    assert loaded.encode(frame).shape[1] == loaded.info["latent_dim"]
    assert loaded.reconstruct(frame).shape == (80, 4)
    assert loaded.info["targets"] == {"regression": "score", "classification": "kind"}
    assert loaded.info["test_scores"]["mae"] == scores.mae
    assert loaded.info["recipe"]["epochs"] == 3
    by_array = loaded.predict(frame[list("abcd")].to_numpy())
    np.testing.assert_allclose(by_array.to_numpy(float), found.to_numpy(float))


@pytest.mark.usefixtures("without_pictures")
def test_classes_may_be_words(call, rows_csv, tmp_path):
    frame = pd.read_csv(rows_csv)
    frame["kind"] = frame["kind"].map({3: "lecture", 5: "group work"})
    frame.to_csv(tmp_path / "words.csv", index=False)
    place = ("--data_path", tmp_path / "words.csv", "--output_dir", tmp_path)
    answer = call("transfer", *place, *QUICK, "--n_trials", 2, "--positive_class", "group work")
    assert (answer.code, answer.err) == (0, "")
    assert "kind (classification, 80 known; to be found: group work)" in answer.out
    assert call("train-best", "--from", tmp_path / "words", "--stage2_epochs", 30).code == 0
    files = ("--model", tmp_path / "words" / "best_model.pth", "--data_path", tmp_path / "words.csv")
    assert call("predict", *files, "--output", tmp_path / "found.csv").code == 0
    found = pd.read_csv(tmp_path / "found.csv")
    assert set(found.kind) <= {"lecture", "group work"}
    assert ((found.kind == "group work") == (found.kind_probability >= 0.5)).all()
    likely = found.kind_probability[frame.kind == "group work"].mean()
    assert likely > found.kind_probability[frame.kind == "lecture"].mean()


@pytest.mark.usefixtures("without_pictures")
def test_groups_shares_and_seeds(call, rows_csv, tmp_path):
    frame = pd.read_csv(rows_csv)
    frame = frame.assign(
        person=[f"p{i % 13}" for i in frame.index], site=["x" if i % 3 else "y" for i in frame.index]
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "search.yaml").write_text("group: person\nseeds: 2\n")
    options = ("--data_path", tmp_path / "rows.csv", "--output_dir", tmp_path, *QUICK, "--n_trials", 2)
    given = (*options, "--config", tmp_path / "search.yaml", "--stratify", "site")
    answer = call("transfer", *given, "--finalists", 2)
    assert (answer.code, answer.err) == (0, "")
    assert "2 folds by 2 seeds each; " in answer.out
    assert "stay out of the search, with groups by person kept together" in answer.out
    found = json.loads((tmp_path / "rows" / "best_params.json").read_text())
    assert [each["n_folds"] for each in found["finalists"]] == [4, 4]
    answer = call("transfer", *options)
    assert answer.code == 2
    assert (
        "group person there, None here; seeds 2 there, 1 here; stratify site there, None here" in answer.err
    )
    model = train_best_transfer(tmp_path / "rows").model
    assert model.info["n_train"] < len(frame) - 10


@pytest.mark.usefixtures("without_pictures")
def test_a_study_begun_before_an_option_was_there_goes_on(call, rows_csv, tmp_path):
    options = ("--data_path", rows_csv, "--output_dir", tmp_path, *QUICK)
    assert call("transfer", *options, "--n_trials", 1, "--finalists", 1).code == 0
    path = tmp_path / "rows" / "study.db"
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{path}")
    for name, content in study.user_attrs.items():
        if isinstance(content, dict):
            study.set_user_attr(name, {k: v for k, v in content.items() if k != "positive_class"})
    assert call("transfer", "--resume", path, "--n_trials", 2).code == 0
    answer = call("transfer", "--resume", path, "--n_trials", 2, "--positive_class", "3")
    assert answer.code == 2
    assert "another experiment: other data; positive_class None there, 3 here" in answer.err


def test_a_damaged_or_newer_model_is_refused(trained, tmp_path):
    content = torch.load(trained[0], weights_only=True)
    changes = [
        {"version": 3}, {"heads": {}}, {"units": None}, {"classes": None}, {"targets": {}},
        {"columns": ["a"]}, {"state_dict": {}},
    ]  # fmt: skip
    for i, change in enumerate(changes):
        path = tmp_path / f"{i}.pth"
        torch.save({**content, **change}, path)
        with pytest.raises(InputError, match=r"damaged|update autoenc"):
            load_model(path)


def test_another_seed_of_the_training_leaves_the_test_rows_where_they_were(folder, rows_csv, tmp_path):
    _, model, scores = train_best_transfer(folder, tmp_path / "seven.pth", {"seed": 7})
    settings = TransferSettings(
        data_path=str(rows_csv), regression_target="score", classification_target="kind", n_cv_folds=2
    )
    test = divide(TransferData.load(settings), 2, settings.seed).final.validation
    frame = pd.read_csv(rows_csv)
    learned = np.setdiff1d(np.arange(len(frame)), test)
    wrong = np.abs(model.predict(frame).score - frame.score)[test].mean()
    assert wrong / frame.score[learned].std(ddof=0) == pytest.approx(scores.mae, rel=1e-5)
    assert model.info["seed"] == 7


def test_training_the_best_is_described_and_keeps_the_earlier_model(call, folder, tmp_path):
    arguments = ("train-best", "--from", folder, "--output_dir", tmp_path, "--epochs", 2)
    assert call(*arguments).err == ""
    assert "the earlier model is kept as " in call(*arguments).err
    assert len(list(tmp_path.glob("best_model*"))) == 2
    documents = [json.loads(path.read_text()) for path in (tmp_path / "runs").iterdir()]
    assert [document["state"] for document in documents] == ["finished", "finished"]
    assert documents[0]["metrics"]["best_loss"] == documents[1]["metrics"]["best_loss"]
    listed = call("runs", tmp_path)
    assert (listed.code, listed.out.count("train-best")) == (0, 2)


def test_training_the_best_tells_what_the_same_heads_do_without_an_encoder(call, folder, tmp_path):
    answer = call("train-best", "--from", folder, "--output_dir", tmp_path)
    info = load_model(tmp_path / "best_model.pth").info
    assert set(info["baselines"]) == {"raw features", "PCA"}
    assert f"objective     {info['test_scores']['stage2_objective']:.4f}" in answer.out
    for name, beside in info["baselines"].items():
        (line,) = (line for line in answer.out.splitlines() if line.startswith(name))
        assert f"{beside['stage2_objective']:.4f} with the same heads: {beside['above']:+.4f}" in line
        difference = beside["stage2_objective"] - info["test_scores"]["stage2_objective"]
        assert beside["above"] == pytest.approx(difference)
        low, high = beside["above_interval"]
        verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
        assert line.endswith(verdict)


def test_predictions_never_take_the_place_of_what_they_are_made_of(call, trained, rows_csv):
    before = rows_csv.read_bytes(), trained[0].read_bytes()
    for output, name in ((rows_csv, "data_path"), (trained[0], "model")):
        for verb in ("predict", "encode"):
            arguments = ("--model", trained[0], "--data_path", rows_csv, "--output", output)
            answer = call(verb, *arguments)
            assert answer.code == 2
            assert answer.err == f"error: --output {output}: is --{name} itself, which would be overwritten\n"
    assert (rows_csv.read_bytes(), trained[0].read_bytes()) == before


def test_a_model_of_the_first_format_still_predicts(root):
    model = load_model(root / "tests" / "assets" / "transfer-format1.pth")
    found = model.predict(np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]))
    np.testing.assert_allclose(found["score"], [2.581265, 2.576670], atol=1e-5)
    np.testing.assert_allclose(found["kind_probability"], [0.506211, 0.367525], atol=1e-5)
    assert found["kind"].tolist() == [2, 1]


def test_training_the_best_needs_a_search_and_its_data(folder, tmp_path, rows_csv):
    with pytest.raises(InputError, match=r"--from .*there is no such file"):
        train_best_transfer(tmp_path)
    other = tmp_path / "other.csv"
    pd.read_csv(rows_csv).assign(a=0.5).to_csv(other, index=False)
    with pytest.raises(InputError, match="its content differs"):
        train_best_transfer(folder, tmp_path / "m.pth", {"data_path": str(other)})
    assert not (tmp_path / "m.pth").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_killed_search_goes_on(call, root, rows_csv, tmp_path):
    options = ["--data_path", str(rows_csv), "--output_dir", str(tmp_path), *QUICK, "--quiet"]
    # The time limit ends it where this test is killed itself and cannot end it any more.
    limit = ["--n_trials", "10000", "--timeout_hours", "0.05"]
    command = [sys.executable, "-m", "autoenc", "transfer", *options, *limit]
    process = subprocess.Popen(command, cwd=root, start_new_session=True)
    database = tmp_path / "rows" / "study.db"

    def n_complete() -> int:
        if not (tmp_path / "rows" / "all_trials.csv").exists():
            return 0
        return len((tmp_path / "rows" / "all_trials.csv").read_text().splitlines()) - 1

    try:
        deadline = time.monotonic() + 100
        while n_complete() < 3 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    n_done = len(optuna.load_study(study_name=None, storage=f"sqlite:///{database}").trials)
    assert n_done >= 3
    wanted = n_done + 2
    assert call("transfer", "--resume", database, "--n_trials", wanted, "--quiet") == (0, "", "")
    assert call("transfer", *options, "--name", "whole", "--n_trials", wanted).code == 0
    tables = [pd.read_csv(tmp_path / name / "all_trials.csv") for name in ("rows", "whole")]
    pd.testing.assert_frame_equal(*(table.drop(columns="duration_s") for table in tables))


@pytest.mark.usefixtures("without_pictures")
def test_fewer_trials_than_there_are_leave_the_stored_number_as_it_is(call, rows_csv, tmp_path):
    study_db = tmp_path / "rows" / "study.db"
    assert (
        call("transfer", "--data_path", rows_csv, "--output_dir", tmp_path, "--n_trials", 3, *QUICK).code == 0
    )
    few = tmp_path / "few.yaml"
    few.write_text("n_trials: 2\n")
    for more, number in ((["--n_trials", 1], 3), (["--config", few], 3), ([], 3), (["--n_trials", 4], 4)):
        answer = call("transfer", "--resume", study_db, "--quiet", *more)
        assert (answer.code, answer.err) == (0, "")
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{study_db}")
        assert study.user_attrs["autoenc_transfer_settings"]["value"]["n_trials"] == number
        assert sum("finalist" not in str(trial.system_attrs) for trial in study.trials) == number


@pytest.mark.slow
def test_a_dry_run_tells_the_plan_and_leaves_nothing(call, rows_csv, tmp_path):
    words = ("--data_path", rows_csv, "--output_dir", tmp_path / "out", *QUICK)
    answer = call("transfer", *words, "--dry_run")
    assert re.search(r"^memory +about [\d,]+ MiB$", answer.out, re.MULTILINE)
    assert answer.code == 0, answer.err
    assert re.search(r"^trials +\d+ wanted, 0 done$", answer.out, re.MULTILINE)
    assert re.search(r"^estimate +[\d.]+ s a trial, [\d.]+ s in all$", answer.out, re.MULTILINE)
    assert not (tmp_path / "out").exists()
    assert call("transfer", *words).code == 0
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    assert re.search(
        r"^trials +(\d+) wanted, \1 done$", call("transfer", *words, "--dry_run").out, re.MULTILINE
    )
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before


@pytest.mark.parametrize(("kind", "name"), [("regression", "score"), ("classification", "kind")])
def test_who_names_one_target_predicts_that_alone(call, folder, rows_csv, tmp_path, kind, name):
    options = ("--data_path", rows_csv, "--output_dir", tmp_path, "--dry_run", "--n_cv_folds", 2)
    plan = call("transfer", *options, f"--{kind}_target", name)
    assert plan.code == 0
    assert name in plan.out
    neither = call("transfer", *options)
    assert neither.code == 2
    assert "'rtop'" in neither.err
    assert "'student_centred'" in neither.err
    again = call("transfer", "--resume", folder / "study.db", f"--{kind}_target", name, "--dry_run")
    assert again.code == 0, "the study knows the other"
    one_less = call("transfer", *options, "--regression_target", "")
    assert "'student_centred'" in one_less.err, "the usual other one stays"
    assert "both empty" not in one_less.err


@pytest.mark.slow
def test_a_fresh_search_keeps_the_old_record_aside(call, rows_csv, tmp_path):
    words = ("--data_path", rows_csv, "--output_dir", tmp_path, "--name", "n", *QUICK)
    assert call("transfer", *words).code == 0
    path = tmp_path / "n" / "study.db"
    first = best_of(path)
    assert call("transfer", *words, "--seed", 7).code == 2
    answer = call("transfer", *words, "--seed", 7, "--fresh")
    assert answer.code == 0, answer.err
    (kept,) = path.parent.glob("study.db.*")
    assert f"the old record is kept as {kept}" in answer.out
    assert best_of(kept) == first != best_of(path)
    resumed = call("transfer", "--resume", path)  # goes on, and does not start over
    assert resumed.code == 0
    assert len(list(path.parent.glob("study.db.2*"))) == 1
    assert "--fresh starts over, and --resume goes on" in call("transfer", "--resume", path, "--fresh").err


def best_of(path) -> float:
    return optuna.load_study(study_name=None, storage=f"sqlite:///{path}").best_value


@pytest.mark.slow
@pytest.mark.usefixtures("without_pictures")
def test_a_record_at_a_storage_url(call, folder, rows_csv, tmp_path):
    """Two searches in one database: the same trials as in a file, resumed, shown, trained and loaded."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    options = ("--data_path", rows_csv, "--output_dir", tmp_path, *QUICK, "--storage", url)
    assert call("transfer", *options, "--n_trials", 1).code == 0
    assert call("transfer", *options, "--n_trials", 2, "--name", "other", "--seed", 1).code == 0
    assert "3 wanted, 1 done" in call("transfer", *options, "--n_trials", 3, "--dry_run").out
    answer = call("transfer", *options, "--n_trials", 3)
    assert (answer.code, answer.err) == (0, "")
    assert f"record        {url}" in answer.out
    assert not (tmp_path / "rows" / "study.db").exists()
    in_file, shared = (
        json.loads((at / "best_params.json").read_text()) for at in (folder, tmp_path / "rows")
    )
    assert {**shared, "finalists": []} == {**in_file, "finalists": []}
    places = {"transfer-rows": url, None: f"sqlite:///{folder / 'study.db'}"}
    studies = [optuna.load_study(study_name=name, storage=place) for name, place in places.items()]
    values = [[trial.value for trial in study.trials] for study in studies]
    assert values[0] == values[1]
    answer = call("analyze", tmp_path / "rows", "--storage", url)
    assert (answer.code, answer.err) == (0, "")
    assert "transfer-rows: 3 trials" in answer.out
    answer = call("train-best", "--from", tmp_path / "other", "--storage", url)
    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / "other" / "best_model.pth").exists()
    loaded = [
        autoenc.load_results(tmp_path / "rows", storage=url),
        autoenc.load_results(tmp_path / "other", storage=url),
        autoenc.load_results(storage=url),  # the last used one
    ]
    assert [len(results.leaderboard) for results in loaded] == [3, 2, 3]
    assert loaded[2].best_model().info["test_scores"] == train_best_transfer(folder).model.info["test_scores"]
    answer = call("transfer", *options, "--seed", 7)
    assert answer.code == 2
    assert f"{url}: study transfer-rows is of another experiment: seed 42 there, 7 here" in answer.err
    answer = call("train-best", "--from", tmp_path / "third", "--storage", url)
    assert answer.code == 2
    assert call("transfer", *options, "--seed", 7, "--n_trials", 1, "--fresh").code == 0
    names = optuna.get_all_study_names(storage=url)
    assert len(names) == 3
    assert sum(name.startswith("transfer-rows.") for name in names) == 1
    assert len(autoenc.load_results(storage=url).leaderboard) == 1


def test_a_file_to_resume_and_a_storage_exclude_each_other(call, folder):
    answer = call("transfer", "--resume", folder / "study.db", "--storage", "sqlite:///x.db")
    assert answer.code == 2
    assert "--resume names a file; a record at --storage goes on with the same options" in answer.err


@pytest.mark.usefixtures("without_pictures")
def test_ties_stand_in_the_summary_the_files_and_the_table(call, rows_csv, tmp_path):
    words = ("transfer", "--data_path", rows_csv, "--output_dir", tmp_path, *QUICK, "--n_trials", 4, "--name")
    answer = call(*words, "one")
    assert "not tested: that takes at least 3 folds and 2 seeds, or 3 seeds" in answer.out
    answer = call(*words, "s", "--folds", 3, "--seeds", 2, "--finalists", 2)
    assert answer.code == 0, answer.err
    results = autoenc.load_results(tmp_path / "s")
    tied, method = results.ties()
    ranked = results.ranked
    losses = np.array([trial.user_attrs["objectives"] for trial in ranked]).reshape(4, 3, 2)
    np.testing.assert_allclose(losses.mean(axis=(1, 2)), [trial.value for trial in ranked])
    np.testing.assert_allclose(losses[0].mean(axis=1), fold_objectives(ranked[0]))
    assert sorted(tied) == sorted(ranked[i].number for i in tied_with_best(losses, 1 / 2))
    assert "3 folds and 2 seeds" in method
    assert f"({method})" in answer.out
    document = json.loads((tmp_path / "s" / "best_params.json").read_text())
    assert document["ties"] == {"tied": tied, "method": method}
    board = results.leaderboard
    assert sorted(board.loc[board["tied"], "trial"]) == sorted(tied)
    assert method in repr(results)


@pytest.mark.usefixtures("without_pictures")
def test_a_grid_tries_all_its_points_beside_trials_of_other_strategies(call, rows_csv, tmp_path):
    one = ("--dropout_range", 0.1, "--learning_rate_range", 1e-3, "--weight_decay_range", 1e-4)
    heads = ("--head_dropout_range", 0.1, "--head_learning_rate_range", 1e-2)
    points = (
        "--head_weight_decay_range",
        0.1,
        "--family_options",
        "ae",
        "--activation_options",
        "relu",
        "--norm_options",
        "none",
    )
    where = ("--data_path", rows_csv, "--output_dir", tmp_path, "--name", "s", "--finalists", 1)
    words = ("transfer", *where, *QUICK, *one, *heads, *points)
    assert call(*words, "--n_trials", 3, "--strategy", "random").code == 0
    assert re.search(r"^trials +7 wanted, 3 done$", call(*words, "--strategy", "grid", "--dry_run").out, re.M)
    for _ in range(2):
        answer = call(*words, "--strategy", "grid")
        assert answer.code == 0, answer.err
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / 's' / 'study.db'}")
        of_grid = [trial.params for trial in study.trials if trial.number > 2]
        assert len(of_grid) == 4
        assert {(each["latent_dim"], each["hidden_dims"]) for each in of_grid} == {
            (2, "4"), (2, "8-4"), (8, "4"), (8, "8-4"),
        }  # fmt: skip
    assert call(*words, "--strategy", "grid", "--n_trials", 3).code == 0
    plan = call(*words, "--strategy", "grid", "--n_trials", 3, "--fresh", "--dry_run").out
    assert "3 wanted, 0 done" in plan
