"""Every option has a role, and the lists that follow from roles are those that records rely on."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import autoenc.settings
from autoenc.config import load_layers, resolve
from autoenc.errors import InputError
from autoenc.report import search_file
from autoenc.settings import (
    PhasesSettings,
    SearchSettings,
    Settings,
    TransferSettings,
    TuneSettings,
    require_settings,
)
from autoenc.settings.layers import LayerSettings
from autoenc.settings.options import ROLES, again, option, options_of, words_of
from autoenc.tuning import phases, study
from autoenc.workflows import train_best, train_transfer

KINDS = [LayerSettings, *(getattr(autoenc.settings, name) for name in autoenc.settings.__all__)]
KINDS = [kind for kind in KINDS if isinstance(kind, type) and issubclass(kind, Settings)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_has_a_role_and_a_help(kind):
    for name, field in kind.model_fields.items():
        assert words_of(field).get("role") in ROLES, name
        assert field.description, name
    assert sorted(options_of(kind, *ROLES)) == sorted(kind.model_fields)


def test_what_does_not_define_an_adaptive_search():
    assert {
        "n_trials", "timeout_hours", "finalists", "ensemble", "jobs", "output_dir", "storage", "fresh",
        "plot", "quiet", "data_path", "dry_run",
        "columns", "exclude", "na_values", "encode", "max_categories", "engine", "device", "scheduler",
        "delimiter", "decimal", "encoding", "sheet", "track",
    } == study._FREE  # fmt: skip


def test_what_does_not_define_a_two_stage_search():
    settings = TransferSettings()
    assert {*TransferSettings.model_fields} - {*settings.all_defining()} == {
        "data_path", "labelled_path", "columns", "exclude", "na_values", "n_trials", "timeout_hours",
        "finalists", "sampler", "pruner", "device", "engine", "n_jobs", "output_dir", "name", "resume",
        "quiet", "fresh", "dry_run", "scheduler", "storage", "track", "delimiter", "decimal", "encoding",
        "sheet",
    }  # fmt: skip
    assert options_of(TransferSettings, "display") == ("quiet",)


def test_what_a_fine_search_keeps():
    assert set(search_file._KEPT) == {
        "data_path", "columns", "exclude", "na_values", "encode", "max_categories", "scaling", "stratify",
        "group", "seed", "latent_dim", "delimiter", "decimal", "encoding", "sheet",
        "folds", "seeds", "patience", "min_epochs", "eta_min", "corruption", "kl_weight", "kl_warmup",
    }  # fmt: skip


def test_what_train_best_changes():
    assert train_best._OVERRIDES == [
        "epochs", "batch_size", "initial_lr", "eta_min", "weight_decay", "dropout", "activation", "norm",
        "corruption", "kl_weight", "kl_warmup",
    ]  # fmt: skip
    assert {*train_best._OF_ROWS} == {
        "columns", "exclude", "na_values", "encode", "max_categories", "scaling", "stratify", "group", "seed",
        "delimiter", "decimal", "encoding", "sheet",
    }  # fmt: skip
    assert train_best.OF_TRANSFER == ["stage2_epochs", "labelled_path"]
    assert train_transfer._HANDED_ON == [
        "epochs", "stage2_epochs", "batch_size", "seed", "data_path", "labelled_path"
    ]  # fmt: skip
    assert train_transfer._NOT_OPEN == [
        "hidden_dims", "patience", "initial_lr", "eta_min", "weight_decay", "dropout",
        "activation",
        "norm", "corruption", "kl_weight", "kl_warmup",
    ]  # fmt: skip


def test_what_phases_hand_on():
    assert {*phases._PASSED_ON} == {
        "n_trials", "epochs", "data_path", "jobs", "quiet", "folds", "output_dir", "fresh", "dry_run"
    }  # fmt: skip
    assert {*phases._PASSED_ON} == {*PhasesSettings.model_fields} & {*TuneSettings.model_fields}


def test_an_option_declared_again_keeps_what_is_not_said():
    class First(Settings):
        n: int = option(3, role="training", ge=2, description="first")

    class Second(Settings):
        n: int | None = again(First, "n", None, description="second", role="place")

    first, second = First.model_fields["n"], Second.model_fields["n"]
    assert (first.default, second.default) == (3, None)
    assert (first.description, second.description) == ("first", "second")
    assert (options_of(First, "training"), options_of(Second, "place")) == (("n",), ("n",))
    assert first.metadata == second.metadata


DECLARED = Path(autoenc.settings.__file__).parent


def test_every_option_is_declared_once():
    declared = Counter(
        node.target.id
        for path in DECLARED.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "option"
        and isinstance(node.target, ast.Name)
    )
    # How a grid is gone through, and how trials of a space are proposed: other choices, no other default.
    assert {name for name, n in declared.items() if n > 1} == {"strategy"}


@pytest.mark.parametrize(("kind", "alias", "name", "value"), [
    (TransferSettings, "folds", "n_cv_folds", 4), (TransferSettings, "jobs", "n_jobs", 2),
    (TransferSettings, "strategy", "sampler", "random"), (TuneSettings, "sampler", "strategy", "random"),
    (TuneSettings, "n_cv_folds", "folds", 4), (SearchSettings, "n_jobs", "jobs", 2),
])  # fmt: skip
def test_an_option_goes_by_one_name_everywhere_and_by_its_older_one(kind, alias, name, value, tmp_path):
    required = {"regression_target": "y"} if kind is TransferSettings else {}
    assert getattr(require_settings(kind, {alias: value, **required}), name) == value
    with pytest.raises(InputError, match=f"--{name} and --{alias} are the same option; give one"):
        require_settings(kind, {alias: value, name: value, **required})
    (tmp_path / "options.yaml").write_text(f"{alias}: {value}\n")
    layers, problems = load_layers(str(tmp_path / "options.yaml"), None, {})
    assert problems == []
    resolution = resolve(kind, layers, required)
    assert getattr(resolution.settings, name) == value
    assert (resolution.unused, resolution.origins[name].endswith(":1")) == ([], True)


def test_in_a_file_for_several_commands_each_takes_its_own_name(tmp_path):
    (tmp_path / "options.yaml").write_text("folds: 3\nn_cv_folds: 4\nstrategy: halving\nsampler: random\n")
    layers, _ = load_layers(str(tmp_path / "options.yaml"), None, {})
    required = {"regression_target": "y"}
    search = resolve(SearchSettings, layers, {}).settings
    transfer = resolve(TransferSettings, layers, required).settings
    assert (search.folds, search.strategy) == (3, "halving")
    assert (transfer.n_cv_folds, transfer.sampler) == (4, "random")
    (tmp_path / "grid.yaml").write_text("strategy: halving\n")
    layers, _ = load_layers(str(tmp_path / "grid.yaml"), None, {})
    assert resolve(TransferSettings, layers, required).settings.sampler == "tpe"


def test_both_names_are_flags(call, table_csv, tmp_path):
    common = (
        "--data_path",
        table_csv,
        "--output_dir",
        tmp_path,
        "--hidden_dims_search",
        "4",
        "--epochs",
        "1",
    )
    assert call("search", *common, "--n_jobs", "1", "--n-cv-folds", "2").code == 0
    shown = call("transfer", "--help").out
    assert re.search(r"--folds( N)?, --n_cv_folds\b", shown)  # Python 3.13 says N once, at the end
