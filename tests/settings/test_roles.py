"""Every option has a role, and the lists that follow from roles are those that records rely on."""

from __future__ import annotations

import pytest

import autoenc.settings
from autoenc.commands import train_transfer
from autoenc.report import search_file
from autoenc.settings import PhasesSettings, Settings, TransferSettings, TuneSettings
from autoenc.settings.layers import LayerSettings
from autoenc.settings.options import ROLES, again, option, options_of, words_of
from autoenc.tuning import phases, study
from autoenc.workflows import train_best

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
        "n_trials", "timeout_hours", "jobs", "output_dir", "storage", "fresh", "plot", "quiet", "data_path",
        "columns", "exclude", "na_values", "engine", "device", "scheduler",
    } == study._FREE  # fmt: skip


def test_what_does_not_define_a_two_stage_search():
    settings = TransferSettings()
    assert {*TransferSettings.model_fields} - {*settings.defining()} == {
        "data_path", "labelled_path", "columns", "exclude", "na_values", "n_trials", "timeout_hours",
        "finalists", "sampler", "pruner", "device", "engine", "n_jobs", "output_dir", "name", "resume",
        "quiet",
    }  # fmt: skip
    assert options_of(TransferSettings, "display") == ("quiet",)


def test_what_a_fine_search_keeps():
    assert set(search_file._KEPT) == {
        "data_path", "columns", "exclude", "na_values", "scaling", "stratify", "group", "seed", "latent_dim",
        "folds", "seeds", "patience", "min_epochs", "eta_min", "corruption", "kl_weight", "kl_warmup",
    }  # fmt: skip


def test_what_train_best_changes():
    assert train_best._OVERRIDES == [
        "epochs", "batch_size", "initial_lr", "eta_min", "weight_decay", "dropout", "activation", "norm",
        "corruption", "kl_weight", "kl_warmup",
    ]  # fmt: skip
    assert {*train_best._OF_ROWS} == {
        "columns", "exclude", "na_values", "scaling", "stratify", "group", "seed"
    }  # fmt: skip
    assert train_best.OF_TRANSFER == ["stage2_epochs", "labelled_path"]
    assert train_transfer._HANDED_ON == [
        "epochs", "stage2_epochs", "batch_size", "seed", "data_path", "labelled_path"
    ]  # fmt: skip
    assert train_transfer._NOT_OPEN == [
        "storage", "hidden_dims", "patience", "initial_lr", "eta_min", "weight_decay", "dropout",
        "activation",
        "norm", "corruption", "kl_weight", "kl_warmup",
    ]  # fmt: skip


def test_what_phases_hand_on():
    assert {*phases._PASSED_ON} == {"n_trials", "epochs", "data_path", "jobs", "quiet"}
    assert {*phases._PASSED_ON} < {*PhasesSettings.model_fields} & {*TuneSettings.model_fields}


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
