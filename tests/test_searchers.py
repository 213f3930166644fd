"""Several processes search in one study in a real database: no trial too many, no point twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from postgres_server import postgres
from processes import start

pytestmark = pytest.mark.slow

N_TRIALS, N_SEARCHERS = 24, 4


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as found:
        yield found


@pytest.fixture(scope="module")
def small_table(tmp_path_factory, root) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.read_csv(root / "data" / "stains.csv").head(300).to_csv(path, index=False)
    return path


def command(table: Path, url: str, folder: Path, strategy: str, *more: str) -> list[str]:
    space = ["--hidden_size_range", "8,64", "--num_layers_range", "1,3", "--epochs", "8", "--jobs", "1"]
    where = ["--data_path", str(table), "--storage", url, "--output_dir", str(folder)]
    return ["tune", *where, *space, "--strategy", strategy, *more]


def trials_by_study(url: str) -> dict[str, list[FrozenTrial]]:
    storage = RDBStorage(url)
    try:
        return {s.study_name: storage.get_all_trials(s._study_id) for s in storage.get_all_studies()}
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.parametrize("strategy", ["random", "resilient"])
def test_searchers_share_a_study(url, small_table, tmp_path, strategy):
    arguments = command(small_table, url, tmp_path / "out", strategy, "--n_trials", str(N_TRIALS))
    (tmp_path / "out").mkdir()
    searchers = [start(arguments, tmp_path / f"log{i}") for i in range(N_SEARCHERS)]
    for i, searcher in enumerate(searchers):
        searcher.join(120)
        assert searcher.exitcode == 0, (tmp_path / f"log{i}").read_text()
    studies = trials_by_study(url)
    trials = studies[f"tune-{strategy}-latent3"]
    assert [trial.number for trial in trials] == list(range(N_TRIALS))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert len({str(sorted(trial.params.items())) for trial in trials}) == N_TRIALS
    assert len({trial.user_attrs["process"]["pid"] for trial in trials}) == N_SEARCHERS
    # No trial was trained by two. Two may build the same: a width drawn above the one before it is cut.
    recorded = next(found for name, found in studies.items() if name.startswith("latent3-"))
    tuned = [trial for name, found in studies.items() if name.startswith("tune-") for trial in found]
    built = Counter((trial.user_attrs["stack"], str(trial.user_attrs["recipe"])) for trial in tuned)
    trained = Counter(
        ("-".join(map(str, trial.user_attrs["architecture"])), str(trial.user_attrs["recipe"]))
        for trial in recorded
    )
    assert set(trained) == set(built)
    assert all(trained[one] <= built[one] for one in built)


def test_a_killed_searchers_trial_is_taken_up(url, small_table, tmp_path):
    (tmp_path / "out").mkdir()
    arguments = command(small_table, url, tmp_path / "out", "tpe", "--epochs", "60", "--n_trials")
    victim = start([*arguments, "10000"], tmp_path / "victim")
    log, end = tmp_path / "victim", time.monotonic() + 60
    while "first" not in (log.read_text() if log.exists() else "") and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    n_begun = len(trials_by_study(url)["tune-tpe-latent3"])
    survivor = start([*arguments, str(n_begun + 4)], tmp_path / "survivor")
    survivor.join(120)
    assert survivor.exitcode == 0, (tmp_path / "survivor").read_text()
    trials = trials_by_study(url)["tune-tpe-latent3"]
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * (n_begun + 4)


def test_transfers_share_a_study(url, small_table, tmp_path):
    where = [
        "--data_path",
        str(small_table),
        "--storage",
        url,
        "--output_dir",
        str(tmp_path),
        "--name",
        "shared",
    ]
    small = ["--folds", "2", "--finalists", "2", "--epochs", "2", "--stage2_epochs", "2", "--n_trials", "9"]
    space = ["--latent_dim_options", "2", "--hidden_dims_options", "8", "--sampler", "random", "--quiet"]
    options = ["transfer", *where, *small, *space]
    searchers = [start(options, tmp_path / f"log{i}") for i in range(2)]
    for i, searcher in enumerate(searchers):
        searcher.join(120)
        assert searcher.exitcode == 0, (tmp_path / f"log{i}").read_text()
    trials = trials_by_study(url)["transfer-shared"]
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 9
    found = json.loads((tmp_path / "shared" / "best_params.json").read_text())
    assert (found["n_trials"], len(found["finalists"])) == (9, 2)
