from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time

import optuna
import pytest
from dask_cluster import ROOT, DaskProcesses, wait_for
from processes import results_but_time

from autoenc.engines import Fit, Recipe, StopFlag
from autoenc.errors import InputError
from autoenc.searching import run_fits
from autoenc.searching.connect import connect
from autoenc.searching.remote import remote_fits

pytestmark = pytest.mark.slow

pytest.importorskip("distributed", reason="the extra `dask` is not installed")

RECIPE = Recipe(epochs=400)
FITS = [Fit((first, second), 2, RECIPE, seed) for first in (16, 8) for second in (8, 4) for seed in range(20)]


@pytest.fixture
def dask(tmp_path):
    processes = DaskProcesses(tmp_path)
    yield processes
    processes.stop()


@pytest.fixture
def cluster(dask, compiled_engine, make_split):
    """The cluster as searches see it; its data are one split."""
    split = make_split()
    connected = connect(dask.address, remote_fits(compiled_engine, lambda fold: split))
    yield connected
    connected.close()


def losses(outcomes) -> dict[Fit, tuple]:
    return {fit: (o.train_losses, o.test_losses, o.final_train_loss) for fit, o in outcomes.items()}


@pytest.fixture(scope="module")
def expected(compiled_engine, make_split):
    """What the same fits come to on this machine alone."""
    split, outcomes = make_split(), {}
    run_fits(FITS, lambda fold: split, compiled_engine, 2, outcomes.__setitem__)
    return losses(outcomes)


def train(cluster, engine, split, fits, on_done, stop=None):
    run_fits(fits, lambda fold: split, engine, 1, on_done, stop, cluster)


def test_workers_die_and_join_and_the_results_are_those_of_one_machine(
    dask, cluster, compiled_engine, make_split, expected
) -> None:
    first, second = dask.start_worker(), dask.start_worker()
    wait_for(lambda: cluster.n_threads() == 2)
    outcomes = {}

    def done(fit, outcome):
        assert fit not in outcomes, "handed over twice"
        outcomes[fit] = outcome
        if len(outcomes) == 3:
            os.kill(first.pid, signal.SIGKILL)
        elif len(outcomes) == 6:  # the data have to reach a worker that was not there when they were sent
            dask.start_worker()
            wait_for(lambda: cluster.n_threads() == 2)
            os.kill(second.pid, signal.SIGKILL)

    train(cluster, compiled_engine, make_split(), FITS, done)
    assert first.wait() == second.wait() == -signal.SIGKILL
    assert losses(outcomes) == expected


def test_one_bad_fit_never_ends_the_rest(dask, cluster, compiled_engine, make_split) -> None:
    dask.start_worker()
    bad = dataclasses.replace(FITS[0], recipe=dataclasses.replace(RECIPE, activation="none such"))
    outcomes = {}
    train(cluster, compiled_engine, make_split(), [bad, *FITS[:4]], outcomes.__setitem__)
    assert outcomes.pop(bad).failure.startswith("ValueError: ")
    assert len(outcomes) == 4
    assert all(outcome.failure is None for outcome in outcomes.values())


def test_stopping_gives_up_what_is_pending(dask, cluster, compiled_engine, make_split) -> None:
    dask.start_worker()
    stop, outcomes = StopFlag(), {}

    def done(fit, outcome):
        outcomes[fit] = outcome
        stop.set()

    started = time.monotonic()
    train(cluster, compiled_engine, make_split(), FITS, done, stop)
    assert 1 <= len(outcomes) < len(FITS)
    assert time.monotonic() - started < 30


def test_a_lost_scheduler_is_told(dask, cluster, compiled_engine, make_split) -> None:
    dask.start_worker()
    with pytest.raises(InputError, match="connection to the scheduler is lost"):
        train(cluster, compiled_engine, make_split(), FITS, lambda fit, outcome: dask.scheduler.kill())


def test_the_search_command_comes_to_the_same(dask, call, table_csv, tmp_path) -> None:
    dask.start_worker()
    options = ["--data_path", table_csv, "--hidden_dims_search", "4,8", "--epochs", "3", "--folds", "2"]
    answer = call("search", *options, "--output_dir", tmp_path / "dask", "--scheduler", dask.address)
    assert answer.code == 0, answer.err
    assert f"the Dask cluster at {dask.address}" in answer.out
    assert call("search", *options, "--output_dir", tmp_path / "here").code == 0
    assert results_but_time(tmp_path / "dask") == results_but_time(tmp_path / "here")


def test_a_transfer_aware_search_comes_to_the_same(dask, call, table_csv, tmp_path) -> None:
    dask.start_worker()
    options = [
        "--data_path", table_csv, "--regression_target", "north", "--classification_target", "",
        "--n_trials", "3", "--folds", "2",
        "--finalists", "2", "--epochs", "2", "--stage2_epochs", "2", "--latent_dim_options", "2",
        "--hidden_dims_options", "4,8-4", "--quiet",
    ]  # fmt: skip
    found = []
    for name, more in (("dask", ["--scheduler", dask.address]), ("here", [])):
        answer = call("transfer", *options, "--output_dir", tmp_path, "--name", name, *more)
        assert answer.code == 0, answer.err
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path / name / 'study.db'}")
        attributes = {key: value for key, value in study.user_attrs.items() if "finalists/" in key}
        found.append(([(trial.params, trial.value) for trial in study.trials], attributes))
    assert found[0] == found[1]
    assert found[0][1], "the finalists were judged on the cluster, too"
    resumed = call("transfer", "--resume", tmp_path / "dask" / "study.db", "--quiet", "--n_trials", 4)
    assert resumed.code == 0  # here, though it was begun on a cluster


def test_a_worker_of_another_version_is_refused(dask, cluster, compiled_engine, make_split, tmp_path) -> None:
    other = tmp_path / "other"
    (other / "autoenc" / "record").mkdir(parents=True)
    (other / "autoenc" / "__init__.py").write_text('__version__ = "0.0.9"')
    (other / "autoenc" / "record" / "__init__.py").touch()
    (other / "autoenc" / "record" / "identity.py").write_text("FORMAT_VERSION = 0")
    dask.start_worker(PYTHONPATH=str(other))
    wait_for(lambda: cluster.n_threads() == 1)
    with pytest.raises(InputError, match=r"worker tcp://\S+ has autoenc 0.0.9 with record format 0, but "):
        connect(dask.address, remote_fits(compiled_engine, lambda fold: make_split()))


@pytest.mark.parametrize("text", ["host:8786", "tcp://host", "tcp://:8786", "tcp://host:none", "http://h:1"])
def test_a_malformed_address_is_told(text, call, table_csv, tmp_path) -> None:
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--scheduler", text)
    assert answer.code == 2
    assert answer.err.startswith("error: --scheduler must be the address of a Dask scheduler")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("listening", [False, True])
def test_where_nobody_answers_nobody_waits(listening, call, table_csv, tmp_path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listening:
            silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--scheduler", address)
    assert time.monotonic() - started < 15
    assert answer.code == 2
    assert f"--scheduler {address}: no Dask scheduler answers there" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_scheduler_that_is_too_busy_for_a_client_is_told(
    dask, call, table_csv, tmp_path, monkeypatch
) -> None:
    def client(*given, **options):
        raise TimeoutError

    monkeypatch.setattr("autoenc.searching.cluster.Client", client)
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path, "--scheduler", dask.address)
    assert answer.code == 2
    assert answer.err.startswith(f"error: --scheduler {dask.address}: the Dask scheduler there takes no conn")
    assert len(answer.err.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(table_csv, tmp_path) -> None:
    code = "import sys; sys.modules['distributed'] = None; from autoenc.cli import main; sys.exit(main())"
    options = ["--data_path", table_csv, "--output_dir", tmp_path, "--scheduler", "tcp://127.0.0.1:1"]
    run = subprocess.run(
        [sys.executable, "-c", code, "search", *map(str, options)], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 2
    told = "error: --scheduler needs Dask, but there is no distributed here; `pip install autoenc[dask]`"
    assert run.stderr == f"{told} adds it\n"
