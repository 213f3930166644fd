"""Searches and single trainings give the same bits on any number of cores, and use those that are free."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autoenc
from autoenc.cli import main
from autoenc.engines import native_training
from autoenc.engines.cores import Cores
from autoenc.engines.meeting import JOINED, WANTED
from autoenc.estimators import training
from autoenc.searching import inputs
from autoenc.searching.remote import threads_of_worker
from autoenc.settings.base import available_cores
from autoenc.two_stage import job

OPTIONS: dict[str, Any] = {"latent_dim": 2, "max_layers": 1, "epochs": 6, "quiet": True}


@pytest.fixture
def n_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads began each pass, on a machine of three cores where any network is worth help."""
    begun: list[int] = []

    class AllTogether(Cores):
        def run(self, one_pass: Any, n_cores: int) -> float:
            def patient(meeting: np.ndarray, helping: bool) -> float:
                while not helping and meeting[JOINED] < meeting[WANTED] - 1:
                    time.sleep(0.0005)
                if not helping:
                    begun.append(int(meeting[WANTED]))
                return one_pass(meeting, helping)

            return super().run(patient, n_cores)

    monkeypatch.setattr(native_training, "CORES", AllTogether(lambda: 0))
    monkeypatch.setattr(native_training, "_WORTH_HELP", 0)
    for module in (inputs, training):
        monkeypatch.setattr(module, "available_cores", lambda: 3)
    return begun


def leaderboard(results: Any) -> pd.DataFrame:
    return results.leaderboard.drop(columns="seconds")


@pytest.mark.parametrize("widths", [(40,), (40, 24, 4, 2)])
def test_a_search_gives_the_same_on_any_number_of_cores(frame, n_threads, widths):
    alone = autoenc.search(frame, hidden_dims_search=widths, jobs=1, **OPTIONS)
    assert set(n_threads) == {1}
    n_threads.clear()
    together = autoenc.search(frame, hidden_dims_search=widths, jobs=3, **OPTIONS)
    assert max(n_threads) == 3 if len(widths) == 1 else min(n_threads) == 1
    pd.testing.assert_frame_equal(leaderboard(alone), leaderboard(together))
    for name, value in alone.best_model().model.state_dict().items():
        np.testing.assert_array_equal(value, together.best_model().model.state_dict()[name])


def test_jobs_bound_the_cores(frame, n_threads):
    autoenc.search(frame, hidden_dims_search=(40,), jobs=2, **OPTIONS)
    assert max(n_threads) == 2


def test_train_best_uses_all_cores(table_csv, tmp_path: Path, n_threads, monkeypatch):
    words = ["search", "--data_path", str(table_csv), "--hidden_dims_search", "40", "--latent_dim", "2"]
    assert main([*words, "--max_layers", "1", "--epochs", "3", "--output_dir", str(tmp_path)]) == 0
    models = []
    for n_cores in (1, 2):
        monkeypatch.setattr(inputs, "available_cores", lambda n_cores=n_cores: n_cores)
        n_threads.clear()
        folder = tmp_path / str(n_cores)
        assert main(["train-best", "--from", str(tmp_path), "--output_dir", str(folder)]) == 0
        assert max(n_threads) == min(n_cores, available_cores())
        models.append(autoenc.load_model(next(folder.glob("*.pth"))))
    for name, value in models[0].model.state_dict().items():
        np.testing.assert_array_equal(value, models[1].model.state_dict()[name])


def test_an_estimator_uses_all_cores_or_as_many_as_it_is_told(frame, n_threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = {}
    for told, expected in (("", 3), ("2", 2), ("1", 1), ("all", 3), ("0", 3), ("9", 3)):
        n_threads.clear()
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        model = autoenc.Autoencoder(hidden_dims=(40,), latent_dim=2, epochs=2).fit(frame)
        assert max(n_threads) == expected
        found[told] = model.transform(frame)
    for latent in found.values():
        np.testing.assert_array_equal(latent, found["1"])


def test_a_search_for_a_second_stage_uses_free_cores_and_chooses_the_same(frame, n_threads, monkeypatch):
    labelled = frame.assign(label=np.arange(len(frame)) % 2)
    options = {"classification_target": "label", "n_trials": 2, "n_cv_folds": 2, "epochs": 3, "quiet": True}
    monkeypatch.setattr(job, "available_cores", lambda: 1)
    alone = autoenc.transfer(labelled, **options)
    assert set(n_threads) == {1}
    n_threads.clear()
    monkeypatch.setattr(job, "available_cores", lambda: 5)  # of which the folds take two
    together = autoenc.transfer(labelled, **options)
    assert max(n_threads) > 1
    pd.testing.assert_frame_equal(leaderboard(alone), leaderboard(together))


def test_a_worker_of_a_cluster_says_how_many_threads_a_fit_may_use():
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    assert threads_of_worker() == 1
    address = {"processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=3, **address) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert client.submit(threads_of_worker).result() == 3
