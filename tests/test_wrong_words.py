"""Wrong input that ended in a traceback, in waiting, or in another library's words."""

from __future__ import annotations

import os
import socket

import numpy as np
import pandas as pd
import pytest

from autoenc.errors import InputError
from autoenc.record.runs import read_run


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("search", ["--group", ""]), ("search", ["--stratify", ""]), ("tune", ["--group", ""]),
        ("search", ["--output_dir", ""]), ("search", ["--output_dir", " "]), ("tune", ["--output_dir", ""]),
        ("search", ["--data_path", ""]), ("tune", ["--data_path", ""]), ("search", ["--config", ""]),
        ("tune", ["--search_config", ""]), ("transfer", ["--output_dir", ""]), ("transfer", ["--resume", ""]),
        ("transfer", ["--labelled_path", ""]), ("train-best", ["--from", ""]),
        ("merge", ["", "--output_dir", "x"]),
        ("merge", ["x", "--output_dir", ""]), ("analyze", [""]), ("compare", [""]), ("pivot", [""]),
        ("pivot", ["x", "--output", ""]), ("refine", ["--from", "", "--to", "x"]), ("runs", [""]),
        ("refine", ["--from", "x", "--to", ""]), ("encode", ["--model", ""]), ("phases", [""]),
        ("phases", ["x", "--output_dir", ""]), ("runs diff", ["a", "b", "--output_dir", ""]),
        ("predict", ["--model", "x", "--output", ""]),
        ("slurm", ["--array", 2, "--time", "1:00", "--output_dir", ""]),
    ],
)  # fmt: skip
def test_empty_names_are_refused_and_nothing_is_made(call, tmp_path, monkeypatch, command, flags):
    monkeypatch.chdir(tmp_path)
    answer = call(*command.split(), *flags)
    assert answer.code == 2
    assert "name of a" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def special(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    yield {"pipe": tmp_path / "pipe", "folder": tmp_path / "folder", "socket": tmp_path / "socket",
           "device": "/dev/zero"}  # fmt: skip
    listening.close()


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_file_is_refused_at_once(call, special, kind):
    path = special[kind]
    for arguments in (
        ["search", "--config", path], ["tune", "--search_config", path], ["phases", path],
        ["encode", "--model", path], ["predict", "--model", path], ["transfer", "--resume", path],
    ):  # fmt: skip
        answer = call(*arguments)
        assert answer.code == 2
        assert str(path) in answer.err
        assert any(word in answer.err for word in ("pipe", "socket", "device", "folder"))
    if kind != "folder":
        assert call("train-best", "--from", path).code == 2


def test_a_pipe_in_the_place_of_a_record_or_a_run_is_refused(call, special, tmp_path):
    folder = special["folder"]
    os.mkfifo(folder / "study.journal")
    (folder / "runs").mkdir()
    os.mkfifo(folder / "runs" / "20260101T000000Z-aaaaaa.json")
    for arguments in (["analyze", folder], ["merge", folder, "--output_dir", "m"], ["runs", folder],
                      ["train-best", "--from", folder], ["compare", folder], ["pivot", folder]):  # fmt: skip
        answer = call(*arguments)
        assert answer.code == 2
        assert "is a pipe" in answer.err
    with pytest.raises(InputError, match="is a pipe"):
        read_run(folder / "runs" / "20260101T000000Z-aaaaaa.json")


@pytest.fixture
def labelled(tmp_path):
    def make(n_rows=20, **labels):
        frame = pd.DataFrame(np.random.default_rng(1).random((n_rows, 3)), columns=list("abc"))
        path = tmp_path / "t.csv"
        frame.assign(**labels).to_csv(path, index=False)
        return path

    return make


ROWS = [
    ({}, 5, ["--folds", 6], "--folds 6: there are only 4 training rows, but every fold needs at least 1"),
    ({"k": list("ab") * 10}, 20, ["--folds", 9, "--stratify", "k"], "no class has 9 training rows"),
    ({"k": ["x"] + ["a"] * 19}, 20, ["--stratify", "k"], "class 'x' has 1 row, but every class needs"),
    ({"k": list("abcdefghij") * 2}, 20, ["--stratify", "k"], "there are 10 classes, but only 4 rows"),
    ({"k": ["a"] * 20}, 20, ["--group", "k"], "its rows are of 1 group, but at least 2 are needed"),
    ({"k": list("abcd") * 5}, 20, ["--group", "k", "--folds", 5], "the training rows are of 3 groups"),
    ({"k": list("ab") * 10, "g": list("abcd") * 5}, 20, ["--stratify", "k", "--group", "g"], "of 4 groups"),
]  # fmt: skip


@pytest.mark.parametrize(("labels", "n_rows", "flags", "told"), ROWS)
@pytest.mark.parametrize("command", ["search", "tune"])
def test_rows_that_cannot_be_divided_are_told_in_our_words(
    call, labelled, tmp_path, command, labels, n_rows, flags, told
):
    path = labelled(n_rows, **labels)
    out = tmp_path / "out"
    answer = call(
        command, "--data_path", path, "--columns", "a,b,c", "--epochs", 1, "--output_dir", out, *flags
    )
    assert answer.code == 2
    assert told in answer.err
    assert "n_splits" not in answer.err
    assert not out.exists()


def test_tune_on_few_rows_blames_no_option_that_nobody_gave(call, labelled, tmp_path):
    path = labelled(3)
    answer = call("tune", "--data_path", path, "--n_trials", 1, "--output_dir", tmp_path / "out")
    assert answer.code == 2
    assert "--folds" not in answer.err
    assert "only 2 training rows" in answer.err
    assert not (tmp_path / "out").exists()


def test_a_rare_class_is_told_once_in_our_words(call, labelled, tmp_path):
    path = labelled(20, k=["x"] * 3 + ["a"] * 17)
    options = ["--columns", "a,b,c", "--stratify", "k", "--folds", 5, "--epochs", 1, "--max_layers", 1]
    answer = call("search", "--data_path", path, *options, "--output_dir", tmp_path / "out", "--jobs", 1)
    assert answer.code == 0, answer.err
    assert answer.err.count("class 'x' has 2 training rows, fewer than the 5 folds") == 1
    assert "UserWarning" not in answer.err


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_schedule_may_end_at_0(call, labelled, tmp_path, engine):
    path = labelled(20)
    options = ["--data_path", path, "--hidden_dims_search", 4, "--max_layers", 1, "--epochs", 2, "--jobs", 1]
    options += ["--engine", engine, "--output_dir", tmp_path]
    for eta_min in (0, 1e-6):  # recorded as any other value is
        for n_left in (1, 0):
            told = call("search", *options, "--eta_min", eta_min, "--dry_run").out
            assert f"1 fit, {n_left} left to train" in told
            assert call("search", *options, "--eta_min", eta_min).code == 0
    config = tmp_path / "c.yaml"
    config.write_text("eta_min: 0\n")
    tune = [
        "tune",
        "--data_path",
        path,
        "--config",
        config,
        "--n_trials",
        1,
        "--epochs",
        1,
        "--engine",
        engine,
    ]
    assert call(*tune, "--output_dir", tmp_path / "tune", "--hidden_size_range", "2,8").code == 0
    assert call("train-best", "--from", tmp_path / "tune", "--eta_min", 0, "--engine", engine).code == 0
    assert call("search", "--eta_min", "-1e-9").code == 2


def test_a_shard_says_where_ensembles_and_models_are_made(call, labelled, tmp_path):
    options = ["--data_path", labelled(), "--hidden_dims_search", "2,4", "--max_layers", 1, "--epochs", 1]
    answer = call(
        "search", *options, "--shard", "0/2", "--ensemble", 2, "--save_models", "--output_dir", tmp_path
    )
    assert answer.code == 0
    assert "--save_models and --ensemble 2: applies to all shards together" in answer.out
