"""Fits are logged once, whole, and as they were recorded: read back by MLflow and TensorBoard themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import autoenc
from autoenc.trackers.base import Entry

pytestmark = pytest.mark.slow

SEARCH = [
    "--hidden_dims_search",
    "4,8",
    "--max_layers",
    "1",
    "--epochs",
    "3",
    "--latent_dim",
    "2",
    "--save_models",
]
ENTRY = Entry(
    "s/one", "4 latent 2", {"epochs": 2, "start": "pca"}, {"test_loss": [0.5, 0.25]}, {"seconds": 1.0}, None
)


@pytest.fixture
def track(call: Callable[..., Any], table_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command with a tracker; the answer must be a success."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)

    def run(kind: str, *more: str, verb: str = "search") -> Any:
        options = SEARCH if verb == "search" else []
        words = [
            verb,
            "--data_path",
            table_csv,
            *options,
            "--track",
            kind,
            "--output_dir",
            tmp_path / "o",
            *more,
        ]
        answer = call(*words)
        assert answer.code == 0, answer.err
        return answer

    return run


def losses(folder: Path) -> dict[str, list[float]]:
    """The curve of each stack by the results themselves."""
    results = autoenc.load_results(folder)
    return {result.trial.name: result.test_losses for result in results.ranked}


def mlflow_runs(folder: Path) -> tuple[Any, list[Any]]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("autoenc").experiment_id
    return client, list(client.search_runs([experiment]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_mlflow_holds_each_fit_once(track: Any, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    for _ in range(2):
        track("mlflow")
    client, runs = mlflow_runs(tmp_path / "o")
    fits = {run.data.params["hidden_dims"]: run for run in runs if run.data.params}
    assert len(runs) == len(fits) + 1 == 3
    for stack, curve in losses(tmp_path / "o").items():
        run = fits[stack]
        history = client.get_metric_history(run.info.run_id, "test_loss")
        assert [(point.step, point.value) for point in history] == [*enumerate(curve, 1)]
        assert run.data.params["epochs"] == "3"
        assert run.data.metrics["final_test_loss"] == pytest.approx(curve[-1])
        assert run.info.status == "FINISHED"
    (files,) = (run for run in runs if not run.data.params)
    kept = {artifact.path for artifact in client.list_artifacts(files.info.run_id)}
    assert {"best_model_latent2.pth", "config_performance_latent2.png"} <= kept
    track("mlflow", "--hidden_dims_search", "4,8,16")  # a wider grid logs what is new
    assert len(mlflow_runs(tmp_path / "o")[1]) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_mlflow_replaces_what_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from autoenc.trackers.mlflow_store import MlflowTracker

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = MlflowTracker(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(tracker._client, "set_terminated", lambda *_: None)
        patch.setattr(tracker._client, "log_batch", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tracker.log(ENTRY)
    assert MlflowTracker(tmp_path).known() == set()
    assert mlflow_runs(tmp_path)[1] == []
    tracker.log(ENTRY._replace(failure="it diverged"))
    assert MlflowTracker(tmp_path).known() == {ENTRY.key}
    (run,) = mlflow_runs(tmp_path)[1]
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "it diverged")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tensorboard_holds_each_fit_once(track: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        track("tensorboard")
    runs = sorted((tmp_path / "o" / "tensorboard").iterdir())
    assert len(runs) == 3
    for stack, curve in losses(tmp_path / "o").items():
        (run,) = (one for one in runs if one.name.startswith(f"{stack} "))
        events = EventAccumulator(str(run))
        events.Reload()
        points = [(event.step, event.value) for event in events.Scalars("test_loss")]
        assert points == [(epoch, pytest.approx(loss, rel=1e-6)) for epoch, loss in enumerate(curve, 1)]
    (files,) = (run for run in runs if run.name.startswith("search "))
    events = EventAccumulator(str(files))
    events.Reload()
    assert "config_performance_latent2" in events.Tags()["images"]
    (tmp_path / "o" / "tensorboard" / "half.tmp").mkdir()  # as a process that was killed leaves it
    track("tensorboard")
    assert sorted((tmp_path / "o" / "tensorboard").iterdir()) == runs


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_adaptive_searches_are_logged_too(track: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    options = ["--n_trials", "2", "--epochs", "1", "--hidden_size_range", "4,8", "--num_layers_range", "1"]
    for n_trials in ("2", "3"):
        track("tensorboard", *options, "--n_trials", n_trials, verb="tune")
        keys = [path.read_text() for path in (tmp_path / "o" / "tensorboard").glob("*/key")]
        assert len({*keys}) == len(keys) == int(n_trials)


TRANSFER = [
    "--n_cv_folds", "2", "--finalists", "1", "--latent_dim_options", "2", "--hidden_dims_options", "4",
    "--epochs", "1", "--stage2_epochs", "1", "--regression_target", "up", "--classification_target", "",
    "--name", "n",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_mlflow_holds_each_trial_of_a_transfer_once(track: Any, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    import optuna

    for n_trials in ("1", "2"):
        track("mlflow", *TRANSFER, "--n_trials", n_trials, verb="transfer")
        client, runs = mlflow_runs(tmp_path / "o" / "n")
        trials = {int(run.data.params["trial"]): run for run in runs if run.data.params}
        assert sorted(trials) == [*range(int(n_trials))]
        assert len(runs) == len(trials) + 1
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/o/n/study.db")
    for trial in study.trials:
        run = trials[trial.number]
        assert run.data.metrics["value"] == trial.value
        assert run.data.metrics["mae"] == trial.user_attrs["mae"]
        assert float(run.data.params["dropout"]) == trial.params["dropout"]
        history = client.get_metric_history(run.info.run_id, "objective")
        assert [point.value for point in history] == [*trial.intermediate_values.values()]
    (files,) = (run for run in runs if not run.data.params)
    assert "all_trials.csv" in {artifact.path for artifact in client.list_artifacts(files.info.run_id)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_trials_of_an_untracked_transfer_are_logged_when_it_goes_on(
    call: Any, table_csv: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    place = tmp_path / "o" / "n"
    words = ["transfer", "--data_path", table_csv, *TRANSFER, "--output_dir", tmp_path / "o"]
    assert call(*words, "--n_trials", "1").code == 0
    assert not (place / "tensorboard").exists()
    resumed = call("transfer", "--resume", place / "study.db", "--n_trials", "2", "--track", "tensorboard")
    assert resumed.code == 0, resumed.err
    assert len([*place.glob("tensorboard/*/key")]) == 2
    assert call("transfer", "--resume", place / "study.db").code == 0  # and is tracked from then on
    assert len([*place.glob("tensorboard/*/key")]) == 2


class StandIn:
    """What the tracker uses of wandb, kept in lists."""

    def __init__(self) -> None:
        self.runs: list[Any] = []

    def init(self, **options: Any) -> Any:
        run = SimpleNamespace(options=options, points=[], summary={}, ended=[], saved=[])
        run.log = run.points.append
        run.finish = lambda exit_code=0: run.ended.append(exit_code)
        run.save = lambda path, **_: run.saved.append(Path(path).name)
        self.runs.append(run)
        return run

    @staticmethod
    def Image(path: str) -> str:
        return path


def test_wandb_is_told_of_each_fit_once(track: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    track("wandb")
    *fits, files = stand_in.runs
    curves = losses(tmp_path / "o")
    for run in fits:
        curve = curves[run.options["config"]["hidden_dims"]]
        assert [point["test_loss"] for point in run.points] == curve
        assert run.ended == [0]
    assert len(fits) == len(curves) == len({run.options["id"] for run in fits})
    assert "best_model_latent2.pth" in files.saved
    track("wandb")
    (again,) = stand_in.runs[len(fits) + 1 :]
    assert again.options["id"] == files.options["id"]


def test_a_server_that_fails_does_not_end_a_search(
    track: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    with monkeypatch.context() as patch:
        patch.setattr(stand_in, "init", lambda **_: (_ for _ in ()).throw(OSError("no route to host")))
        answer = track("wandb")
    assert answer.err.count("--track wandb: OSError: no route to host; the search goes on") == 1
    assert not stand_in.runs
    track("wandb")
    assert len(stand_in.runs) == 3


@pytest.mark.parametrize("kind", ["mlflow", "tensorboard", "wandb"])
def test_a_package_that_is_missing_is_named(
    call: Any, table_csv: Path, tmp_path: Path, monkeypatch: Any, kind: str
) -> None:
    for name in (kind, "mlflow.tracking", "mlflow.exceptions", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    answer = call(
        "search", "--data_path", table_csv, *SEARCH, "--track", kind, "--output_dir", tmp_path / "o"
    )
    assert answer.code == 2
    assert f"pip install 'autoenc[{kind}]'" in answer.err
