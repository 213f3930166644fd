"""What Python calls gives the same whatever a table comes as, and leaves the process and the disk alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch

import autoenc

SEARCH: dict[str, Any] = {
    "latent_dim": 2, "hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 2, "quiet": True,
}  # fmt: skip
TUNE: dict[str, Any] = {
    "n_trials": 3, "strategy": "random", "latent_dim": 2, "epochs": 2, "hidden_size_range": (4, 16),
    "num_layers_range": (1, 2), "quiet": True,
}  # fmt: skip
TRANSFER: dict[str, Any] = {
    "regression_target": "y", "n_trials": 2, "n_cv_folds": 2, "finalists": 1, "latent_dim_options": 2,
    "hidden_dims_options": "4", "epochs": 1, "stage2_epochs": 1, "quiet": True,
}  # fmt: skip
NAMES = ["x1", "x2", "x3", "y"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    cells = np.random.default_rng(0).random((60, 4)).round(3)
    return pd.DataFrame(np.where(cells < 0.2, 0.0, cells), columns=NAMES)


@contextmanager
def default_type(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)


def plain(results: Any) -> pd.DataFrame:
    return results.leaderboard.drop(columns="seconds")


@pytest.mark.parametrize(
    "state",
    [
        torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu"), lambda: torch.device("meta"),
        lambda: default_type(torch.float64), lambda: default_type(torch.bfloat16),
    ],
    ids=["inference_mode", "no_grad", "autocast", "device", "float64", "bfloat16"],
)  # fmt: skip
def test_the_callers_settings_of_torch_change_nothing(state: Callable[[], Any], table: pd.DataFrame) -> None:
    def answers() -> list[pd.DataFrame]:
        model = autoenc.search(table, **SEARCH).best_model()
        with_heads = [
            autoenc.transfer(table, **TRANSFER, **thawed).best_model().predict(table)
            for thawed in ({}, {"unfreeze": True})
        ]
        return [model.encode(table), model.reconstruct(table), *with_heads]

    expected = answers()
    with state():
        found = answers()
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("call", ["search", "tune"])
def test_every_kind_of_table_gives_the_same(call: str, table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "table.csv", index=False)
    kinds = [
        pa.Table.from_pandas(table), table.to_numpy(), scipy.sparse.csr_matrix(table.to_numpy()),
        tmp_path / "table.csv", str(tmp_path / "table.csv"),
    ]  # fmt: skip
    function, options = (autoenc.search, SEARCH) if call == "search" else (autoenc.tune, TUNE)
    expected = plain(function(table, **options))
    for kind in kinds:
        pd.testing.assert_frame_equal(plain(function(kind, **options)), expected)


@pytest.mark.parametrize(
    ("call", "options"), [("search", SEARCH), ("tune", TUNE), ("transfer", TRANSFER)], ids=str
)
def test_in_memory_is_as_on_disk_and_loads(
    call: str, options: dict[str, Any], table: pd.DataFrame, tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    (empty := tmp_path / "empty").mkdir()
    monkeypatch.chdir(empty)
    level = optuna.logging.get_verbosity()
    found = getattr(autoenc, call)(table, **options)
    assert not list(empty.iterdir())
    assert capfd.readouterr() == ("", "")
    kept = getattr(autoenc, call)(table, **options, output_dir=tmp_path / "out")
    pd.testing.assert_frame_equal(plain(kept), plain(found))
    loaded = autoenc.load_results(tmp_path / "out", data=table)
    assert type(loaded) is type(found)
    pd.testing.assert_frame_equal(plain(loaded), plain(found))
    points = found.best_model().encode(table)
    pd.testing.assert_frame_equal(loaded.best_model().encode(table), points)
    assert repr(found) == repr(loaded)
    assert "<table" in found._repr_html_()
    assert optuna.logging.get_verbosity() == level


def test_a_record_in_a_database_loads(table: pd.DataFrame, tmp_path: Path) -> None:
    url, out = f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "out"
    found = autoenc.search(table, **SEARCH, output_dir=out, storage=url)
    for loaded in (
        autoenc.load_results(storage=url, data=table), autoenc.load_results(out, data=table, storage=url)
    ):  # fmt: skip
        pd.testing.assert_frame_equal(plain(loaded), plain(found))
        pd.testing.assert_frame_equal(loaded.best_model().encode(table), found.best_model().encode(table))
    with pytest.raises(autoenc.InputError, match=r"is named by storage$"):
        autoenc.load_results(out)
    with pytest.raises(autoenc.InputError, match="folder or storage must be given"):
        autoenc.load_results()
    with pytest.raises(autoenc.InputError, match="holds no transfer-aware search"):
        autoenc.load_results(storage=url, labelled=table)


def test_a_transfer_loads_with_both_tables(table: pd.DataFrame, tmp_path: Path) -> None:
    features, labelled = table.drop(columns="y"), table.head(40) + 0.01
    found = autoenc.transfer(features, labelled=labelled, **TRANSFER, output_dir=tmp_path)
    expected = found.best_model().predict(features)
    loaded = autoenc.load_results(tmp_path, data=features, labelled=labelled)
    pd.testing.assert_frame_equal(loaded.best_model().predict(features), expected)
    for tables, message in (
        ({"data": features}, "give it as labelled="), ({"labelled": labelled}, "give it as data="),
        ({"data": features, "labelled": labelled + 1}, "give them as data= and labelled="),
    ):  # fmt: skip
        with pytest.raises(autoenc.InputError, match=message):
            autoenc.load_results(tmp_path, **tables).best_model()


def test_a_notebook_shows_ties_and_baselines(table: pd.DataFrame) -> None:
    html = autoenc.search(table, **SEARCH, folds=3)._repr_html_()
    assert "<p><b>ties</b> " in html
    assert "column mean 0." in html
    assert "<p><b>ties</b> not tested" in autoenc.search(table, **SEARCH)._repr_html_()
    assert "column mean 0." in autoenc.tune(table, **TUNE)._repr_html_()
    results = autoenc.transfer(table, **TRANSFER)
    assert "raw features and PCA" in results._repr_html_()
    results.best_model()
    assert "<p><b>raw features</b> " in results._repr_html_()


def test_threads_of_torch_are_given_back(table: pd.DataFrame) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        autoenc.search(table, **SEARCH, engine="torch", device="cpu")
        autoenc.transfer(table, **TRANSFER)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_command_line_leaves_what_python_loads(table: pd.DataFrame, tmp_path: Path) -> None:
    from autoenc.cli import main

    path, out = tmp_path / "table.csv", tmp_path / "out"
    table.to_csv(path, index=False)
    words = ["--n_trials", "3", "--strategy", "random", "--latent_dim", "2", "--epochs", "2", "--quiet"]
    words += ["--hidden_size_range", "4,16", "--num_layers_range", "1,2"]
    assert main(["tune", "--data_path", str(path), "--output_dir", str(out), *words]) == 0
    pd.testing.assert_frame_equal(plain(autoenc.load_results(out)), plain(autoenc.tune(table, **TUNE)))


def test_all_problems_are_told_by_names_in_python(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(autoenc.InputError) as caught:
        autoenc.tune(table, n_trials=0, strategy="best", colour=1, plot=True)
    told = "\n".join(caught.value.problems)
    for word in ("n_trials must be", "strategy must be", "colour is not an option", "plot needs"):
        assert word in told
    assert "--" not in told
    with pytest.raises(autoenc.InputError, match=r"^regression_target and classification_target are both"):
        autoenc.transfer(table)
    with pytest.raises(autoenc.InputError, match=r"there is no study\.journal"):
        autoenc.load_results(tmp_path)


def test_ctrl_c_gives_what_was_found(tmp_path: Path) -> None:
    script = """
        import numpy as np, autoenc
        table = np.random.default_rng(0).random((400, 6))
        try:
            autoenc.tune(table, n_trials=100_000, strategy="random", latent_dim=2, epochs=5,
                         output_dir="out", quiet=True)
        except autoenc.Interrupted as stopped:
            print(len(stopped.results.leaderboard))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    report = tmp_path / "out" / "all_trials.csv"
    deadline = time.monotonic() + 60
    while not report.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert 0 < int(said) <= len(autoenc.load_results(tmp_path / "out").leaderboard)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_example_of_the_documentation_runs(root: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(root)
    section = (root / "docs" / "python.md").read_text().split("## From Python\n")[1]
    code = section.split("```python\n")[1].split("```")[0]
    found: dict[str, Any] = {}
    exec(compile(code, "python.md", "exec"), found)
    assert len(found["latent"]) == len(found["predicted"]) == 200


def test_classes_of_a_frame_are_what_it_holds(table: pd.DataFrame) -> None:
    options = {**TRANSFER, "regression_target": "", "classification_target": "k"}
    words = table.assign(k=["NA", "x"] * 30)
    assert autoenc.transfer(words, **options).best_model().classes == ("NA", "x")
    mixed = table.assign(k=pd.Series([1, "1", 2] * 20, dtype=object))
    with pytest.raises(autoenc.InputError, match="must not hold 1 as text and as int"):
        autoenc.transfer(mixed, **options)


@pytest.mark.parametrize("kind", [lambda frame: frame, pa.Table.from_pandas], ids=["pandas", "arrow"])
@pytest.mark.filterwarnings("ignore:.* without a group in 'g'")
def test_markers_of_missing_cells_hold_for_frames(table: pd.DataFrame, kind: Callable[..., Any]) -> None:
    marked = table.assign(g=["?", "u", "v", "w"] * 15)
    marked.loc[::7, "x1"], marked.loc[::9, "y"] = -999.0, -999.0
    missing = marked.mask(marked.isin([-999.0, "?"]))
    for function, options in (
        (autoenc.search, {**SEARCH, "group": "g"}), (autoenc.tune, {**TUNE, "exclude": "g"}),
        (autoenc.transfer, {**TRANSFER, "exclude": "g"}),
    ):  # fmt: skip
        results = function(kind(marked), **options, na_values=[-999, "?"])
        pd.testing.assert_frame_equal(plain(results), plain(function(missing, **options)))
        model, rows = results.best_model(), kind(marked.assign(x2=marked.x2.astype(str).replace("0.0", "?")))
        assert model.info["na_values"] == ["-999", "?"]
        expected = model.encode(missing.assign(x2=missing.x2.where(missing.x2 != 0)))
        pd.testing.assert_frame_equal(model.encode(rows), expected)


@pytest.mark.parametrize("data", [None, 3.0, b"abc", iter([[1, 2]]), (row for row in [[1, 2]])])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(
        autoenc.InputError, match=f"data must be rows and columns, got a {type(data).__name__}"
    ):
        autoenc.search(data, **SEARCH)


def test_numbers_past_all_floating_ones_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(autoenc.InputError, match=r"row 1, column 'x1': .* too large"):
        autoenc.search(table.assign(x1=[10**400] + [1] * 59), **SEARCH)
    with pytest.raises(autoenc.InputError, match=r"row 1, column 'x1': .* too large"):
        autoenc.search(table.assign(x1=[10**400] + [1, 2] * 29 + [3]), encode=True, **SEARCH)


def test_repeated_names_among_many_are_found_in_linear_time() -> None:
    names = [f"c{j}" for j in range(40_000)]
    start = time.perf_counter()
    with pytest.raises(autoenc.InputError, match="several of 'c7'"):
        autoenc.search(pd.DataFrame(np.ones((2, 40_001)), columns=[*names, "c7"]), **SEARCH)
    with pytest.raises(autoenc.InputError, match="columns must not repeat a name, got 'c7' twice"):
        autoenc.search(np.ones((2, 3)), columns=[*names, "c7"], **SEARCH)
    assert time.perf_counter() - start < 3


def test_tune_takes_the_older_name_of_the_strategy():
    small = {"n_trials": 2, "latent_dim": 2, "epochs": 1, "quiet": True}
    table = np.random.default_rng(0).random((60, 4))
    named, older = (autoenc.tune(table, **{name: "random"}, **small) for name in ("strategy", "sampler"))
    assert older.best_params == named.best_params
    with pytest.raises(autoenc.InputError, match="are the same option; give one"):
        autoenc.tune(table, strategy="tpe", sampler="random", **small)


def test_the_callers_random_numbers_are_left_alone(table: pd.DataFrame) -> None:
    import random

    import torch

    options = {"hidden_dims_search": "4", "max_layers": 1, "latent_dim": 2, "epochs": 2, "quiet": True}
    calls = {
        "search": lambda: autoenc.search(table, engine="torch", device="cpu", **options).best_model(),
        "tune": lambda: autoenc.tune(table, n_trials=1, latent_dim=2, epochs=1, engine="torch", quiet=True),
        "transfer": lambda: autoenc.transfer(table, **TRANSFER).best_model(),
        "thawed": lambda: autoenc.transfer(table, **TRANSFER, unfreeze=True).best_model(),
    }
    for name, call in calls.items():
        torch.manual_seed(5)
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
        call()
        assert torch.equal(torch.get_rng_state(), before[0]), name
        assert random.getstate() == before[1], name
        assert np.random.get_state()[1].tobytes() == before[2], name  # noqa: NPY002


def test_a_transfer_shows_how_sure_its_values_are(table: pd.DataFrame, tmp_path: Path) -> None:
    from autoenc.two_stage.finalists import compare

    names = {"x1": "length, cm"}  # a comma is no second column
    found = autoenc.transfer(table.rename(columns=names), **{**TRANSFER, "finalists": 2}, output_dir=tmp_path)
    for results in (found, autoenc.load_results(tmp_path)):
        board = results.leaderboard
        assert (board["standard_error"] > 0).all()
        finalists = compare(results.study)
        assert list(board["trial"]) == [each.number for each in finalists]
        assert list(board["finalist_mean"]) == [each.mean for each in finalists]
        assert list(board["finalist_standard_error"]) == [each.standard_error for each in finalists]
        assert board["parameters"].iloc[0] == found.best_model().info["total_params"]


def test_a_transfer_takes_groups_of_a_frame(table: pd.DataFrame) -> None:
    frame = table.assign(person=[f"p{i // 4}" for i in range(len(table))])
    options = {**TRANSFER, "group": "person", "seeds": 2}
    results = autoenc.transfer(frame, **options)
    assert list(results.best_model().columns) == NAMES[:-1]
    with pytest.raises(autoenc.InputError, match="has no column 'team'"):
        autoenc.transfer(frame, **{**options, "group": "team"})


def test_an_adaptive_search_says_which_trials_may_be_as_good_as_the_best(table: pd.DataFrame) -> None:
    results = autoenc.tune(table, **{**TUNE, "n_trials": 4}, folds=3, seeds=2)
    tied, method = results.ties()
    assert tied is not None
    assert tied[0] == results.best_trial.number
    assert set(tied) <= {*range(4)}
    assert "3 folds and 2 seeds" in method
    assert method in repr(results)
    untested, reason = autoenc.tune(table, **TUNE).ties()
    assert (untested, reason.split(":")[0]) == (None, "not tested")
