"""Records of other people: whatever a record holds, no command runs any of it."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.samplers import CmaEsSampler

from autoenc.record.storage import open_storage
from autoenc.tuning.study import tune_studies

pytestmark = pytest.mark.slow

TUNE = ("--strategy", "cmaes", "--hidden_size_range", "4,8", "--num_layers_range", "1,2", "--epochs", "2",
        "--jobs", "1")  # fmt: skip
TRANSFER = (
    "--regression_target", "score", "--classification_target", "", "--n_cv_folds", "2", "--epochs", "1",
    "--stage2_epochs", "1", "--latent_dim_options", "2", "--hidden_dims_options", "4", "--finalists", "1",
    "--sampler", "cmaes",
)  # fmt: skip


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def trapped(witness: Path) -> dict[str, object]:
    """Attributes as Optuna's CMA-ES sampler leaves them."""
    state = pickle.dumps(_Trap(witness)).hex()
    prefixes = ("cma:", "sepcma:", "cmawm:")
    return {f"{prefix}optimizer:0": state for prefix in prefixes} | {f"{p}generation": 0 for p in prefixes}


def spring_journal(path: Path, witness: Path) -> None:
    """Add the attributes to every study and trial of a journal, which then has no digests."""
    lines = []
    for line in path.read_text().splitlines():
        entry = without_digests(json.loads(line))
        if entry is None:
            continue
        lines.append(entry)
        if entry["op_code"] == 0:  # a study begins
            n_studies = sum(known["op_code"] == 0 for known in lines)
            lines += [
                {"op_code": 3, "worker_id": entry["worker_id"], "study_id": n_studies - 1,
                 "system_attr": {key: value}}
                for key, value in trapped(witness).items()
            ]  # fmt: skip
        elif entry["op_code"] == 4:  # a trial begins, or one that has ended is added
            n_trials = sum(known["op_code"] == 4 for known in lines)
            if "system_attrs" in entry:
                entry["system_attrs"] |= trapped(witness)
            else:
                lines += [
                    {"op_code": 9, "worker_id": entry["worker_id"], "trial_id": n_trials - 1,
                     "system_attr": {key: value}}
                    for key, value in trapped(witness).items()
                ]  # fmt: skip
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))


def without_digests(entry: dict) -> dict | None:
    """An entry as earlier versions wrote it, whose records anybody could change; None if they had none."""
    entry = {key: value for key, value in entry.items() if key not in ("at", "sum")}
    if "user_attr" in entry:
        ((key, value),) = entry["user_attr"].items()
        if key in ("autoenc_digests", "digest"):
            return None
        if isinstance(value, dict) and value.keys() == {"value", "digest"}:
            entry["user_attr"] = {key: value["value"]}
    entry.get("user_attrs", {}).pop("digest", None)
    return entry


def spring_database(path: Path, witness: Path) -> None:
    """The same for a database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key = 'digest'")
        connection.execute("DELETE FROM study_user_attributes WHERE key = 'autoenc_digests'")
        for row, text in connection.execute("SELECT rowid, value_json FROM study_user_attributes").fetchall():
            value = json.loads(text)
            if isinstance(value, dict) and value.keys() == {"value", "digest"}:
                plain = json.dumps(value["value"])
                connection.execute(
                    "UPDATE study_user_attributes SET value_json = ? WHERE rowid = ?", (plain, row)
                )
        for kind in ("trial", "study"):
            key = "number" if kind == "trial" else "study_name"
            table = "trials" if kind == "trial" else "studies"
            for (number,) in connection.execute(f"SELECT {kind}_id FROM {table} ORDER BY {key}").fetchall():
                connection.executemany(
                    f"INSERT INTO {kind}_system_attributes ({kind}_id, key, value_json) VALUES (?, ?, ?)",
                    [(number, name, json.dumps(value)) for name, value in trapped(witness).items()],
                )


@pytest.fixture(scope="module")
def rows_csv(tmp_path_factory):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.random((60, 4)).round(4), columns=list("abcd"))
    frame["score"] = (10 * frame.a + frame.b).round(3)
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def searched(call, rows_csv, tmp_path_factory):
    """A folder with a journal, a database of the same, and a transfer-aware search."""
    folder = tmp_path_factory.mktemp("searched")
    data = ("--data_path", rows_csv, "--columns", "a,b,c,d")
    grid = ("--hidden_dims_search", "4,8", "--max_layers", "1", "--epochs", "2", "--quiet", "--save_models",
            "--latent_dim", "2,3")  # fmt: skip
    assert call("search", *data, *grid, "--output_dir", folder / "out").code == 0
    tuned = call("tune", *data, *TUNE, "--n_trials", 3, "--output_dir", folder / "out")
    assert tuned.code == 0, tuned.err
    journal, url = open_storage(folder / "out" / "study.journal"), f"sqlite:///{folder / 'record.db'}"
    for frozen in journal.get_all_studies():
        optuna.copy_study(from_study_name=frozen.study_name, from_storage=journal, to_storage=url)
    judged = call(
        "transfer", "--data_path", rows_csv, *TRANSFER, "--n_trials", 3, "--output_dir", folder, "--quiet"
    )
    assert judged.code == 0, judged.err
    return folder


def attributes(study: optuna.Study) -> str:
    return json.dumps([trial.system_attrs for trial in study.trials])


def test_no_command_runs_what_a_record_holds(call, rows_csv, searched, tmp_path, monkeypatch):
    witness, folder = tmp_path / "it-ran", tmp_path / "foreign"
    shutil.copytree(searched, folder)
    out, study_db = folder / "out", folder / "rows" / "study.db"
    url = f"sqlite:///{folder / 'record.db'}"
    spring_journal(out / "study.journal", witness)
    spring_database(folder / "record.db", witness)
    spring_database(study_db, witness)
    for storage in (open_storage(out / "study.journal", read_only=True), open_storage(url)):
        assert "optimizer:0" in attributes(tune_studies(storage)[-1])
    monkeypatch.chdir(tmp_path)
    model = out / "best_model_latent3.pth"
    data = ("--data_path", rows_csv, "--columns", "a,b,c,d")
    grid = ("--hidden_dims_search", "4,8,16", "--max_layers", "1", "--epochs", "2", "--quiet")
    commands: list[tuple[object, ...]] = [
        ("encode", "--model", model, "--data_path", rows_csv, "--output", tmp_path / "latents.csv"),
        ("runs", out), ("compare", out), ("merge", out, "--output_dir", tmp_path / "merged"),
        ("transfer", "--resume", study_db, "--n_trials", 5, "--quiet"),
        ("train-best", "--from", folder / "rows", "--epochs", 1, "--stage2_epochs", 1, "--output_dir",
         tmp_path / "both"),
        ("predict", "--model", tmp_path / "both" / "best_model.pth", "--data_path", rows_csv, "--output",
         tmp_path / "predictions.csv"),
    ]  # fmt: skip
    for record in ((), ("--storage", url)):
        name = "database" if record else "journal"
        commands += [
            ("search", *data, *grid, "--output_dir", out, *record),
            ("tune", *data, *TUNE, "--n_trials", 12, "--output_dir", out, *record),
            ("analyze", out, *record),
            ("pivot", out, "--rows", "num_layers", "--columns", "learning_rate", *record),
            ("refine", "--from", out, "--to", tmp_path / f"{name}.yaml", *record),
            ("train-best", "--from", out, "--epochs", 2, "--output_dir", tmp_path / name, *record),
        ]
    for command in commands:
        answer = call(*command)
        assert "Traceback" not in answer.err
        assert not witness.exists(), command
        # A record cannot be a search's own and a shard's, which is all that merge has to say.
        assert answer.code in ((0, 1, 2) if command[0] == "merge" else (0,)), (command, answer)


def test_phases_run_nothing_of_a_record(call, rows_csv, searched, tmp_path):
    witness, out = tmp_path / "it-ran", tmp_path / "phased"
    coarse = tmp_path / "coarse.yaml"
    coarse.write_text("search_method: cmaes\nn_trials: 3\n")
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(
        f"data_path: {rows_csv}\ncolumns: a,b,c,d\nepochs: 2\nhidden_dims_search: 4,8\nmax_layers: 1\n"
        "folds: 2\nhidden_size_range: 4,8\nnum_layers_range: 1,2\njobs: 1\n"
    )
    (out / "coarse").mkdir(parents=True)
    shutil.copy(searched / "out" / "study.journal", out / "coarse" / "study.journal")
    phased = ("phases", "--config", experiment, "--coarse", coarse, "--output_dir", out)
    for _ in range(2):  # a foreign record, and one of its own that somebody has changed
        spring_journal(out / "coarse" / "study.journal", witness)
        answer = call(*phased)
        assert "Traceback" not in answer.err
        assert not witness.exists()


def test_the_trap_would_have_run(searched, tmp_path):
    witness, journal = tmp_path / "it-ran", tmp_path / "study.journal"
    shutil.copy(searched / "out" / "study.journal", journal)
    spring_journal(journal, witness)
    found = tune_studies(open_storage(journal, read_only=True))[-1]
    study = optuna.load_study(study_name=found.study_name, storage=found._storage, sampler=CmaEsSampler())
    assert study.ask().relative_params is not None
    assert witness.exists()


@pytest.mark.parametrize("latent_dim", ["/../../elsewhere", -1, None])
def test_no_file_is_named_by_what_a_record_calls_its_latent_size(call, searched, tmp_path, latent_dim):
    out = tmp_path / "a" / "b" / "out"
    shutil.copytree(searched / "out", out)
    journal = out / "study.journal"
    changed = f'"latent_dim":{json.dumps(latent_dim)}'
    entries = [without_digests(json.loads(line)) for line in journal.read_text().splitlines()]
    text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries if entry is not None)
    journal.write_text(re.sub(r'"latent_dim":\d+', changed, text))
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}
    answer = call("merge", out, "--output_dir", out)
    assert answer.code == 2
    assert "latent_dim must be a whole number" in answer.err
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} == before
