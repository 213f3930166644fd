"""Killed at any write and resumed, every command leaves the files of a run that nothing disturbed."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from outputs import outputs_but_time
from processes import start

pytestmark = pytest.mark.slow

STACKS = ["--hidden_dims_search", "8,16", "--max_layers", "2", "--epochs", "4", "--jobs", "2"]
SPACE = ["--hidden_size_range", "8,32", "--num_layers_range", "1,2", "--epochs", "4", "--jobs", "1"]
HEADS = [
    "--regression_target", "score", "--classification_target", "kind", "--n_cv_folds", "2", "--epochs", "2",
    "--stage2_epochs", "2", "--latent_dim_options", "2,8", "--hidden_dims_options", "4,8-4",
]  # fmt: skip

COMMANDS = {
    "folds": ["search", *STACKS, "--folds", "3", "--seeds", "2", "--select", "one_se", "--save_models"],
    "halving": ["search", *STACKS, "--strategy", "halving", "--epochs", "9", "--seeds", "3"],
    "ensemble": ["search", *STACKS, "--ensemble", "2", "--dropout", "0,0.1", "--warm_start"],
    "latent sizes": ["search", *STACKS, "--latent_dim", "2,3"],
    "resilient": ["tune", *SPACE, "--strategy", "resilient", "--n_trials", "9", "--families", "ae,dae"],
    "tpe": ["tune", *SPACE, "--strategy", "tpe", "--n_trials", "5", "--plot", "--folds", "2"],
    "transfer": ["transfer", *HEADS, "--n_trials", "4", "--finalists", "2"],
}
SMALL = ["search", *STACKS, "--save_models"]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.random((80, 4)).round(4), columns=list("abcd"))
    frame["score"] = (10 * frame.a + frame.b).round(3)
    frame["kind"] = np.where(frame.c > 0.6, 5, 3)
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    frame.to_csv(path, index=False)
    return path


def run(command: list[str], table: Path, folder: Path, dies_at_write: int | str | None = None) -> int | None:
    folder.mkdir(exist_ok=True)
    words = [*command, "--data_path", str(table), "--output_dir", str(folder)]
    process = start(words, folder / "log", dies_at_write)
    process.join()
    return process.exitcode


def state(folder: Path) -> dict:
    return json.loads((folder / "search_state.json").read_text())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_file_is_that_of_an_undisturbed_run(name: str, table, tmp_path) -> None:
    command = COMMANDS[name]
    assert run(command, table, tmp_path / "whole") == 0
    killed = [run(command, table, tmp_path / "killed", n) for n in (2, 5, 17, 13, 9)]
    assert killed.count(-signal.SIGKILL) > 2
    assert run(command, table, tmp_path / "killed") == 0
    assert outputs_but_time(tmp_path / "killed") == outputs_but_time(tmp_path / "whole")


@pytest.fixture(scope="module")
def records(table, tmp_path_factory) -> Path:
    """Shards, and an adaptive and a transfer-aware search."""
    place = tmp_path_factory.mktemp("records")
    for shard in ("0/2", "1/2"):
        assert run([*SMALL[:-1], "--shard", shard], table, place / "shards") == 0
    assert run([*COMMANDS["tpe"], "--quiet"], table, place / "tune") == 0
    assert run([*COMMANDS["transfer"], "--quiet"], table, place / "transfer") == 0
    return place


OF_RECORDS = {
    "merge": ["merge", "shards"],
    "analyze": ["analyze", "tune"],
    "train-best": ["train-best", "--from", "tune"],
    "train-best of transfer": ["train-best", "--from", "transfer/rows"],
    "refine": ["refine", "--from", "tune", "--to", "fine.yaml", "--force"],
    "repair": ["repair", "tune"],
}


@pytest.mark.parametrize("name", OF_RECORDS)
def test_every_file_of_a_command_on_a_record_is_that_of_an_undisturbed_run(
    name: str, records, tmp_path
) -> None:
    def called(folder: Path, dies_at_write: int | None = None) -> int | None:
        (folder / "out").mkdir(parents=True, exist_ok=True)
        words = [
            str(folder / word) if (folder / word.partition("/")[0]).exists() else
            str(folder / "out" / word) if word.endswith(".yaml") else word
            for word in OF_RECORDS[name]
        ]  # fmt: skip
        if name.startswith(("merge", "train-best")):
            words += ["--output_dir", str(folder / "out")]
        process = start(words, folder / "log", dies_at_write)
        process.join()
        return process.exitcode

    for kind in ("whole", "killed"):
        shutil.copytree(records, tmp_path / kind)
    if name == "repair":
        for kind in ("whole", "killed"):
            journal = tmp_path / kind / "tune" / "study.journal"
            lines = journal.read_bytes().splitlines(keepends=True)
            journal.write_bytes(b"".join([*lines[:-9], b"null\n", *lines[-9:]]))
    assert called(tmp_path / "whole") == 0, (tmp_path / "whole" / "log").read_text()
    killed = [called(tmp_path / "killed", n) for n in (1, 3, 2, 5)]
    assert killed.count(-signal.SIGKILL) > 0
    assert called(tmp_path / "killed") == 0, (tmp_path / "killed" / "log").read_text()
    found, expected = (outputs_but_time(tmp_path / kind) for kind in ("killed", "whole"))
    kept = [path for path in found if "best_model" in path and path not in expected]
    assert without_stamps({path: found[path] for path in found if path not in kept}) == without_stamps(
        expected
    )


def without_stamps(files: dict) -> dict:
    """Files by their names, without when one was kept aside."""
    return {re.sub(r"\.\d{4}-\d\d-\d\dT[\d-]+$", ".kept", path): content for path, content in files.items()}


def test_every_file_of_phases_is_that_of_an_undisturbed_run(table, tmp_path) -> None:
    space = "search_space:\n  hidden_size_range: [8, 32]\n  num_layers_range: [1, 2]\n"
    (tmp_path / "coarse.yaml").write_text(f"search_method: random\nn_trials: 5\nepochs: 1\n{space}")
    (tmp_path / "last.yaml").write_text(f"search_method: bayesian\nn_trials: 5\n{space}")
    (tmp_path / "experiment.yaml").write_text(
        "hidden_dims_search: [8, 16]\nmax_layers: 1\nepochs: 2\njobs: 1\n"
        f"coarse: {tmp_path / 'coarse.yaml'}\nbayesian: {tmp_path / 'last.yaml'}\n"
    )
    command = ["phases", str(tmp_path / "experiment.yaml"), "--folds", "2", "--quiet"]
    assert run(command, table, tmp_path / "whole") == 0, (tmp_path / "whole" / "log").read_text()
    killed = [run(command, table, tmp_path / "killed", n) for n in (4, 15, 21, 12, 9)]
    assert killed.count(-signal.SIGKILL) > 2
    assert run(command, table, tmp_path / "killed") == 0
    found, expected = (outputs_but_time(tmp_path / kind) for kind in ("killed", "whole"))
    found, expected = (
        {path: content for path, content in files.items() if not path.endswith("fine.yaml")}
        for files in (found, expected)
    )
    assert found == expected


def test_killed_with_everything_recorded_a_search_still_ends_as_finished(table, tmp_path) -> None:
    assert run(SMALL, table, tmp_path / "whole") == 0
    killed = tmp_path / "killed"
    assert run(SMALL, table, killed, "hyperparam_results_latent3.json") == -signal.SIGKILL
    assert state(killed)["state"] == "running"
    assert (killed / "study.journal").read_text().count('"architecture"') == 5
    assert run(SMALL, table, killed) == 0
    assert "5 of 5 already trained" in (killed / "log").read_text()
    assert (state(killed)["state"], state(killed)["remaining"]) == ("finished", 0)
    assert outputs_but_time(killed) == outputs_but_time(tmp_path / "whole")


def test_analyze_tells_of_a_killed_search_that_nobody_resumes(table, tmp_path, call) -> None:
    assert run(SMALL, table, tmp_path, "search_results.csv") == -signal.SIGKILL
    assert state(tmp_path)["state"] == "running"
    assert call("analyze", tmp_path).code == 0
    found = state(tmp_path)
    assert found["state"] == "interrupted"
    assert (found["total"], found["finished"], found["remaining"]) == (5, 0, 5)
    (described,) = (tmp_path / "runs").glob("*.json")
    assert json.loads(described.read_text())["state"] == "interrupted"


def test_the_state_of_an_adaptive_search_is_true_when_it_was_killed(table, tmp_path, call) -> None:
    command = [*COMMANDS["resilient"], "--quiet"]
    name = "resilient_search_state.json"
    assert run(command, table, tmp_path, "all_trials.csv") == -signal.SIGKILL
    assert json.loads((tmp_path / name).read_text())["state"] == "running"
    assert call("analyze", tmp_path).code == 0
    assert json.loads((tmp_path / name).read_text())["state"] == "interrupted"
    assert run(command, table, tmp_path) == 0
    assert json.loads((tmp_path / name).read_text())["state"] == "finished"


def test_a_search_that_ends_in_an_error_says_so(table, tmp_path, call, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autoenc.workflows.search.write_reports", fail)
    words = [*SMALL, "--data_path", table, "--output_dir", tmp_path, "--quiet"]
    assert call(*words).code == 1
    assert state(tmp_path)["state"] == "failed"
    (described,) = (tmp_path / "runs").glob("*.json")
    assert json.loads(described.read_text())["state"] == "failed"
