from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from processes import results_but_time

OPTIONS = ["--hidden_dims_search", "4,8", "--max_layers", "3", "--epochs", "2"]
N_STACKS = 9

UNTRAINED = {"test_loss_is_made_of": None}
"""What only a search can say, which trains the best stack again: a merge trains nothing."""


@pytest.fixture(scope="module")
def whole(call, table_csv, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert call("search", "--data_path", table_csv, "--output_dir", folder, *OPTIONS).code == 0
    return folder


@pytest.fixture
def train_shard(call, table_csv):
    def train(folder: Path, shard: str) -> None:
        answer = call(
            "search", "--data_path", table_csv, "--output_dir", folder, "--shard", shard, *OPTIONS, "--quiet"
        )
        assert answer.code == 0, answer.err

    return train


@pytest.mark.parametrize("n_shards", range(1, 8))
def test_merged_shards_equal_the_whole(n_shards, whole, call, train_shard, tmp_path) -> None:
    folders = [tmp_path / str(i) for i in range(n_shards)]
    for i, folder in enumerate(folders):
        train_shard(folder, f"{i}/{n_shards}")
    orders = [folders, folders[::-1], folders[1:] + folders[:1]]
    for n, order in enumerate(orders[: min(n_shards, 3)]):
        out = tmp_path / f"out{n}"
        answer = call("merge", *order, "--output_dir", out)
        assert answer.code == 0, answer.err
        assert f"{N_STACKS} of {N_STACKS} stacks" in answer.out
        assert "none twice" in answer.out
        assert "complete" in answer.out
        assert results_but_time(out) == {**results_but_time(whole), **UNTRAINED}


def test_shards_in_a_shared_folder_merge_too(whole, call, train_shard, tmp_path) -> None:
    for i in range(3):
        train_shard(tmp_path, f"{i}/3")
    answer = call("merge", tmp_path, "--output_dir", tmp_path)
    assert answer.code == 0, answer.err
    assert results_but_time(tmp_path) == {**results_but_time(whole), **UNTRAINED}


def test_merging_again_changes_nothing(call, train_shard, tmp_path) -> None:
    for i in range(2):
        train_shard(tmp_path / str(i), f"{i}/2")
    merge = ("merge", tmp_path / "0", tmp_path / "1", "--output_dir", tmp_path / "out")
    assert call(*merge).code == 0
    first = (
        results_but_time(tmp_path / "out"),
        (tmp_path / "out" / "study.journal").read_text().count("architecture"),
    )
    assert call(*merge).code == 0
    second = (
        results_but_time(tmp_path / "out"),
        (tmp_path / "out" / "study.journal").read_text().count("architecture"),
    )
    assert first == second


def test_a_missing_shard_is_named_until_it_is_there(call, train_shard, tmp_path) -> None:
    for i in (0, 2):
        train_shard(tmp_path / str(i), f"{i}/3")
    answer = call("merge", tmp_path / "0", tmp_path / "2", "--output_dir", tmp_path / "out")
    assert answer.code == 1
    n_done = len(
        json.loads((tmp_path / "out" / "hyperparam_results_latent3.json").read_text())["all_results"]
    )
    assert f"{n_done} of {N_STACKS} stacks" in answer.out
    assert f"MISSING {N_STACKS - n_done}:" in answer.out
    train_shard(tmp_path / "1", "1/3")
    assert call("merge", *(tmp_path / str(i) for i in range(3)), "--output_dir", tmp_path / "out").code == 0


def test_what_stands_in_two_records_counts_once(whole, call, train_shard, tmp_path) -> None:
    train_shard(tmp_path / "0", "0/2")
    answer = call("merge", whole, tmp_path / "0", "--output_dir", tmp_path / "out")
    assert answer.code == 0
    assert "in more than one record, counted once" in answer.out
    assert results_but_time(tmp_path / "out") == results_but_time(whole)


def test_a_slurm_array_task_trains_its_shard(monkeypatch, call, table_csv, tmp_path) -> None:
    names = []
    for task in range(2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task + 1))
        monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
        monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
        answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, *OPTIONS)
        assert answer.code == 0, answer.err
        names.append(f"shard {task} of 2" in answer.out)
    assert all(names)
    monkeypatch.undo()
    assert call("merge", tmp_path, "--output_dir", tmp_path / "out").code == 0


def test_wrong_folders_are_told_at_once(call, tmp_path) -> None:
    answer = call("merge", tmp_path / "a", tmp_path / "b", "--output_dir", tmp_path / "out")
    assert answer.code == 2
    assert [line.split(": ")[1] for line in answer.err.splitlines()] == [str(tmp_path / n) for n in "ab"]


@pytest.mark.slow
def test_the_orders_of_three_are_all_alike(whole, call, train_shard, tmp_path) -> None:
    for i in range(3):
        train_shard(tmp_path / str(i), f"{i}/3")
    for n, order in enumerate(itertools.permutations(range(3))):
        out = tmp_path / f"order{n}"
        assert call("merge", *(tmp_path / str(i) for i in order), "--output_dir", out).code == 0
        assert results_but_time(out) == {**results_but_time(whole), **UNTRAINED}


def test_a_missing_shard_of_fits_is_counted_in_fits(call, table_csv, tmp_path) -> None:
    for i in (0, 2):
        place = ("--output_dir", tmp_path / str(i), "--shard", f"{i}/3", "--quiet")
        assert call("search", "--data_path", table_csv, *OPTIONS, "--seeds", 3, *place).code == 0
    n_fits = [(tmp_path / str(i)).joinpath(f"study.shard-{i}-of-3.journal").read_text() for i in (0, 2)]
    n_there = sum(text.count('"architecture"') for text in n_fits)
    answer = call("merge", tmp_path / "0", tmp_path / "2", "--output_dir", tmp_path / "out")
    assert answer.code == 1
    assert f"({n_there} of {3 * N_STACKS} fits) from 2 records" in answer.out


def test_finalists_are_chosen_among_all_shards(call, table_csv, tmp_path) -> None:
    options = ["--data_path", table_csv, *OPTIONS, "--folds", "2", "--finalists", "2"]
    assert call("search", *options, "--output_dir", tmp_path / "whole").code == 0
    for i in range(2):
        answer = call("search", *options, "--output_dir", tmp_path / "parts", "--shard", f"{i}/2")
        assert answer.code == 0, answer.err
        assert "--finalists 2: applies to all shards together" in answer.out
    answer = call("merge", tmp_path / "parts", "--output_dir", tmp_path / "parts")
    assert answer.code == 0, answer.err
    assert call("search", *options, "--output_dir", tmp_path / "parts").code == 0
    assert results_but_time(tmp_path / "parts") == results_but_time(tmp_path / "whole")
