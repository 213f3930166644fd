"""Records of the first format, written before records held digests: they must be readable for ever."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import optuna
import pytest

from autoenc.analysis.study import ranked_trials, study_trials
from autoenc.record.storage import open_storage
from autoenc.tuning.study import tune_studies
from autoenc.two_stage.record import read_study
from autoenc.workflows import transfer as transfer_workflow

ASSETS = Path(__file__).parents[1] / "assets"
TUNE = (
    "--data_path", ASSETS / "rows.csv", "--strategy", "tpe", "--n_trials", 4, "--hidden_size_range", "2,8",
    "--num_layers_range", "1,2", "--epochs", 3, "--jobs", 1, "--latent_dim", 2, "--pruner", "median",
)  # fmt: skip
TRANSFER = (
    "--data_path", ASSETS / "labelled-rows.csv", "--name", "tr", "--n_trials", 3, "--regression_target",
    "score", "--classification_target", "kind", "--n_cv_folds", 2, "--epochs", 2, "--stage2_epochs", 2,
    "--latent_dim_options", "2,3", "--hidden_dims_options", "4,8-4",
)  # fmt: skip
STATES = ("", "-half")


def put(asset: str, path: Path) -> Path:
    """A copy of an asset that a command may go on with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ASSETS / asset, path)
    return path.parent


def history(study: optuna.Study) -> list[tuple]:
    return [(t.state.name, t.params, t.values, t.intermediate_values) for t in study_trials(study)]


def assert_same(found: object, expected: object) -> None:
    """Assert equality; of losses up to single precision's rounding, which differs between processors."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-5) if isinstance(expected, float) else expected)


def tuned(folder: Path) -> optuna.Study:
    (study,) = tune_studies(open_storage(folder / "study.journal", read_only=True))
    return study


@pytest.mark.parametrize("state", STATES)
def test_an_adaptive_search_is_shown_and_goes_on(state, call, tmp_path) -> None:
    folder = put(f"tune{state}-format1.journal", tmp_path / "study.journal")
    shown = call("analyze", folder)
    assert (shown.code, shown.err) == (0, "")
    n_lines = len((folder / "study.journal").read_bytes().splitlines())
    assert call("tune", *TUNE, "--output_dir", folder, "--quiet").code == 0
    whole = history(tuned(put("tune-format1.journal", tmp_path / "whole" / "study.journal")))
    assert_same(history(tuned(folder)), whole)
    lines = (folder / "study.journal").read_bytes().splitlines()[n_lines:]
    # The fits of all trials stand in the record: none is trained twice.
    assert not any(b'"identity":"' in line for line in lines)


@pytest.mark.parametrize("state", STATES)
def test_a_transfer_aware_search_is_shown_and_goes_on(state, call, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(transfer_workflow, "write_pictures", lambda study, folder: [])
    folder = put(f"transfer{state}-format1.db", tmp_path / "tr" / "study.db")
    shown = call("analyze", folder)
    assert (shown.code, shown.err) == (0, "")
    assert call("transfer", *TRANSFER, "--output_dir", tmp_path, "--quiet") == (0, "", "")
    study = read_study(folder / "study.db")
    whole = read_study(put("transfer-format1.db", tmp_path / "whole" / "study.db") / "study.db")
    assert_same(history(study), history(whole))
    kept = {key: value for key, value in whole.user_attrs.items() if "finalists/" in key}
    assert_same({key: value for key, value in study.user_attrs.items() if "finalists/" in key}, kept)


@pytest.mark.parametrize("state", STATES)
def test_a_search_of_modules_goes_on(state, monkeypatch, tmp_path) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "workflows"))
    from test_optimizer import TRAIN, VAL, optimizer

    space = {
        "hidden_size": (2, 24), "depth": [1, 2], "learning_rate": (1e-4, 1e-1), "batch_size": [8, 16],
        "num_epochs": [2],
    }  # fmt: skip
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    folder = put(f"modules{state}-format1.journal", tmp_path / "study.journal")
    search = optimizer(
        space=space, strategy="tpe", storage=folder / "study.journal", pruner=pruner, study_name="modules"
    )
    result = search.optimize(TRAIN, VAL, n_trials=4)
    (whole,) = optuna.get_all_study_names(storage=open_storage(ASSETS / "modules-format1.journal", True))
    study = optuna.load_study(
        study_name=whole, storage=open_storage(ASSETS / "modules-format1.journal", read_only=True)
    )
    assert_same(history(result.study), history(study))
    assert result.best_value == ranked_trials(study)[0].value
    sys.modules.pop("test_optimizer", None)
