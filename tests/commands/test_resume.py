from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from processes import results_but_time

from autoenc.engines.native import NativeEngine
from autoenc.record.fits import records_in
from autoenc.record.storage import open_storage

pytestmark = pytest.mark.slow

OPTIONS = ["--hidden_dims_search", "4,8", "--max_layers", "2", "--epochs", "2"]


@pytest.fixture
def search(call, table_csv, tmp_path):
    def run(*more: object, data: Path = table_csv):
        return call("search", "--data_path", data, "--output_dir", tmp_path, *OPTIONS, *more)

    return run


@pytest.fixture
def count_fits(monkeypatch) -> list[tuple[int, ...]]:
    """The stacks that are trained from now on."""
    trained: list[tuple[int, ...]] = []
    fit = NativeEngine.fit

    def counted(self, split, wanted, stop=None):
        trained.append(wanted.architecture)
        return fit(self, split, wanted, stop)

    monkeypatch.setattr(NativeEngine, "fit", counted)
    return trained


def real(trained: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Without the tiny fit that gets the kernels ready."""
    return sorted(stack for stack in trained if stack != (1,))


def test_the_same_command_again_trains_nothing(search, count_fits, tmp_path) -> None:
    search()
    first = results_but_time(tmp_path)
    count_fits.clear()
    answer = search()
    assert answer.code == 0
    assert "5 of 5 already trained" in answer.out
    assert real(count_fits) == []
    assert results_but_time(tmp_path) == first


def test_a_wider_grid_trains_only_what_is_new(search, count_fits, tmp_path) -> None:
    search()
    count_fits.clear()
    assert search("--hidden_dims_search", "4,8,16").code == 0
    assert real(count_fits) == [(16,), (16, 4), (16, 8), (16, 16)]
    # ... and the narrow one again shows its own results only.
    search()
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    assert document["total_configurations"] == len(document["all_results"]) == 5


@pytest.mark.parametrize(
    "change", [["--epochs", "3"], ["--dropout", "0.2"], ["--seed", "1"], ["--scaling", "none"],
               ["--latent_dim", "2"], ["--columns", "north,east,south,up"]],
)  # fmt: skip
def test_another_recipe_or_split_never_mixes_in(change, search, count_fits) -> None:
    search()
    count_fits.clear()
    assert "already trained" not in search(*change).out
    assert len(set(real(count_fits))) == 5
    assert "5 of 5 already trained" in search().out


def test_other_data_never_mix_in(search, frame, tmp_path) -> None:
    search()
    other = tmp_path / "other.csv"
    frame.assign(north=frame["north"] + 1e-3).to_csv(other, index=False)
    assert "already trained" not in search(data=other).out


def test_the_same_data_under_another_name_are_the_same(search, frame, tmp_path) -> None:
    search()
    other = tmp_path / "renamed.csv"
    frame.to_csv(other, index=False)
    assert "5 of 5 already trained" in search(data=other).out


def test_fresh_starts_over_and_keeps_the_old_record(search, tmp_path) -> None:
    search()
    old = (tmp_path / "study.journal").read_bytes()
    answer = search("--fresh")
    assert "already trained" not in answer.out
    (kept,) = tmp_path.glob("study.journal.*")
    assert kept.read_bytes() == old
    assert str(kept) in answer.out


def test_a_database_keeps_the_record_as_well(search, tmp_path) -> None:
    storage = ["--storage", f"sqlite:///{tmp_path}/study.db"]
    search(*storage)
    assert not (tmp_path / "study.journal").exists()
    assert "5 of 5 already trained" in search(*storage).out
    answer = search(*storage, "--fresh")
    assert "the old record is kept as study latent3-" in answer.out
    assert "already trained" not in answer.out


@pytest.fixture
def one_stack_crashes(monkeypatch):
    fit = NativeEngine.fit

    def crashing(self, split, wanted, stop=None):
        if wanted.architecture == (8, 4):
            raise ArithmeticError("it overflowed")
        return fit(self, split, wanted, stop)

    monkeypatch.setattr(NativeEngine, "fit", crashing)
    return monkeypatch


def test_one_bad_fit_does_not_end_the_search(search, one_stack_crashes, tmp_path) -> None:
    answer = search()
    assert answer.code == 0
    assert "failed        1 of 5" in answer.out
    assert "8-4: ArithmeticError: it overflowed" in answer.out
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    assert document["failed_configurations"] == [
        {"config": [8, 4], "reason": "ArithmeticError: it overflowed"}
    ]
    assert len(document["all_results"]) == 4
    # It is not tried again by itself, but it is when asked for.
    one_stack_crashes.undo()
    assert "5 of 5 already trained" in search().out
    assert "4 of 5 already trained" in search("--retry_failed").out
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    assert document["failed_configurations"] == []
    assert len(document["all_results"]) == 5


def test_a_diverged_fit_is_a_failed_one(search, tmp_path) -> None:
    answer = search("--initial_lr", "1e30", "--norm", "none")
    assert answer.code == 1
    assert "all 5 stacks failed" in answer.err
    assert "the loss stopped being finite in epoch" in answer.err
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    assert len(document["failed_configurations"]) == 5
    assert document["best_configuration"] is None


def test_dry_run_trains_and_writes_nothing(search, tmp_path, call, table_csv) -> None:
    answer = search("--dry_run")
    assert answer.code == 0
    assert list(tmp_path.iterdir()) == []
    assert "5 fits, 5 left to train" in answer.out
    for told in ("parameters from ", "memory about ", "training will take about "):
        assert told in answer.out
    search()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "5 fits, 0 left to train" in search("--dry_run").out
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_analyze_rebuilds_every_report_from_the_record_alone(search, call, tmp_path, frame) -> None:
    search()
    expected = results_but_time(tmp_path)
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    for path in tmp_path.iterdir():
        if path.is_file() and path.name != "study.journal":
            path.unlink()
    answer = call("analyze", tmp_path)
    assert answer.code == 0
    for heading in ("best configurations", "best by depth", "parameter efficiency", "5 of 5 stacks trained"):
        assert heading in answer.out
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == names
    assert results_but_time(tmp_path) == expected


def test_analyze_says_what_remains(search, call, tmp_path) -> None:
    search("--hidden_dims_search", "4")
    (record,) = records_in(open_storage(tmp_path / "study.journal"))
    settings = {**record.search["settings"], "hidden_dims_search": [4, 8]}
    record.note_search({**record.search, "settings": settings})  # as a wider search does when it begins
    answer = call("analyze", tmp_path)
    assert "2 of 5 stacks trained, 0 failed, 3 remain" in answer.out
    assert "not trained yet: 8, 8-8, 8-4" in answer.out


def test_losses_in_the_record_are_those_of_the_engine(search, tmp_path) -> None:
    search()
    document = json.loads((tmp_path / "hyperparam_results_latent3.json").read_text())
    for entry in document["all_results"]:
        assert entry["final_test_loss"] == entry["test_losses"][-1]
        assert entry["best_test_loss"] == min(entry["test_losses"])
        assert np.isfinite(entry["final_train_loss"])
