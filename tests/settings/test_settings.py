"""The options: defaults, bounds, and problems told together in a sentence each."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pydantic
import pytest

from autoenc import InputError
from autoenc.engines import Recipe
from autoenc.settings import (
    EncodeSettings,
    SearchSettings,
    TransferSettings,
    parse_settings,
    require_settings,
)


def problems_of(**given: object) -> list[str]:
    settings, problems = parse_settings(SearchSettings, given)
    assert (settings is None) == bool(problems)
    return problems


def test_defaults_are_those_promised():
    settings = SearchSettings()
    assert settings.latent_dim == (3,)
    assert settings.hidden_dims_search == (16, 32, 64, 128)
    assert settings.max_layers == 3
    assert settings.epochs == (20,)
    assert settings.batch_size == (32,)
    assert settings.initial_lr == (1e-3,)
    assert settings.eta_min == 1e-6
    assert settings.weight_decay == (1e-4,)
    assert settings.dropout == (0.1,)
    assert settings.activation == ("relu",)
    assert settings.norm == ("layer",)
    assert settings.scaling == ("maxabs",)
    assert settings.data_path == "data/stains.csv"
    assert settings.columns is None
    assert settings.device == "auto"
    assert settings.engine == "auto"
    assert settings.output_dir == "output"
    assert settings.seed == 42
    assert settings.verify == 0
    assert (settings.save_models, settings.verbose, settings.quiet) == (False, False, False)
    assert 1 <= settings.jobs <= os.cpu_count()
    assert settings.recipes() == [Recipe()]


@pytest.mark.parametrize("make", [tuple, np.array, pd.Index, pd.Series])
def test_values_may_stand_in_whatever_python_lists_them(make):
    settings = require_settings(
        SearchSettings,
        {"hidden_dims_search": make([64, 16]), "dropout": make([0.0, 0.5]), "columns": make(["L", "Lec"])},
    )
    assert (settings.hidden_dims_search, settings.dropout) == ((64, 16), (0.0, 0.5))
    assert settings.columns == ("L", "Lec")
    assert require_settings(SearchSettings, {"latent_dim": range(2, 4)}).latent_dim == (2, 3)


def test_the_label_of_a_column_may_be_a_number():
    named = {"group": 2019, "stratify": np.int64(3), "exclude": [2020]}
    settings = require_settings(SearchSettings, named)
    assert (settings.group, settings.stratify, settings.exclude) == ("2019", "3", ("2020",))
    targets = {"regression_target": 1, "classification_target": 2.5}
    transfer = require_settings(TransferSettings, targets)
    assert (transfer.regression_target, transfer.classification_target) == ("1", "2.5")


def test_text_becomes_values():
    settings = require_settings(
        SearchSettings,
        {
            "hidden_dims_search": " 64, 16,32",
            "epochs": "7",
            "initial_lr": "1e-2",
            "columns": "L, Lec",
            "seed": "0",
        },
    )
    assert settings.hidden_dims_search == (64, 16, 32)
    assert settings.epochs == (7,)
    assert settings.initial_lr == (0.01,)
    assert settings.columns == ("L", "Lec")
    assert settings.seed == 0


def test_the_recipe_takes_every_option_that_fixes_a_training():
    changed = {
        "epochs": 3,
        "batch_size": 8,
        "initial_lr": 0.1,
        "eta_min": 0.01,
        "weight_decay": 0.5,
        "dropout": 0.3,
        "activation": "gelu",
        "norm": "none",
    }
    assert SearchSettings(**changed).recipes() == [Recipe(**changed)]


WRONG = [
    ("hidden_dims_search", "", "must be a whole number, got ''"),
    ("hidden_dims_search", "16,,32", "must be a whole number, got '' in '16,,32'"),
    ("hidden_dims_search", "16,wide", "must be a whole number, got 'wide' in '16,wide'"),
    ("hidden_dims_search", "16,0", "must be at least 1, got '0' in '16,0'"),
    ("hidden_dims_search", "-16", "must be at least 1, got '-16'"),
    ("hidden_dims_search", "16.5", "must be a whole number, got '16.5'"),
    ("hidden_dims_search", "16,32,16", "must not repeat a value, got 16 twice"),
    ("hidden_dims_search", "16;32", "must be a whole number"),
    ("hidden_dims_search", "1000000", "must be at most 65536"),
    ("latent_dim", "0", "must be at least 1, got '0'"),
    ("latent_dim", "-3", "must be at least 1, got '-3'"),
    ("latent_dim", "three", "must be a whole number, got 'three'"),
    ("latent_dim", "2.5", "must be a whole number, got '2.5'"),
    ("latent_dim", "", "must be a whole number, got ''"),
    ("max_layers", "0", "must be at least 1, got '0'"),
    ("epochs", "0", "must be at least 1, got '0'"),
    ("epochs", "-1", "must be at least 1, got '-1'"),
    ("batch_size", "0", "must be at least 1, got '0'"),
    ("initial_lr", "0", "must be above 0.0, got '0'"),
    ("initial_lr", "-0.1", "must be above 0.0, got '-0.1'"),
    ("initial_lr", "fast", "must be a number, got 'fast'"),
    ("initial_lr", "nan", "must be a finite number, got 'nan'"),
    ("initial_lr", "inf", "must be a finite number, got 'inf'"),
    ("eta_min", "-1e-6", "must be at least 0"),
    ("weight_decay", "-1", "must be at least 0"),
    ("weight_decay", "nan", "must be a finite number"),
    ("dropout", "1", "must be below 1.0, got '1'"),
    ("dropout", "-0.1", "must be at least 0"),
    ("dropout", "nan", "got 'nan'"),
    ("activation", "swish", "must be one of 'relu', .*got 'swish'"),
    ("norm", "batch", "must be one of 'layer' or 'none', got 'batch'"),
    ("scaling", "log", "must be one of 'maxabs', .*got 'log'"),
    ("seed", "-1", "must be at least 0"),
    ("seed", str(2**32), "must be below 4294967296"),
    ("device", "tpu", "must be one of 'auto', 'cuda' or 'cpu', or a device such as 'cuda:1', got 'tpu'"),
    ("engine", "jax", "must be one of 'auto', 'native', 'torch', 'stacked' or 'stacked_tf32', got 'jax'"),
    ("jobs", "0", "must be at least 1"),
    ("verify", "-1", "must be at least 0"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_value_is_told_with_its_name_and_the_rule(name, value, message):
    with pytest.raises(InputError, match=f"^--{name} .*{message}") as caught:
        require_settings(SearchSettings, {name: value})
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)


def test_all_problems_are_told_at_once():
    told = problems_of(epochs="0", latent_dim="x", dropout="2", hidden_dims_search="8,no,-1", device="tpu")
    assert len(told) == 6  # two of them about the widths
    for name in ("epochs", "latent_dim", "dropout", "hidden_dims_search", "device"):
        assert any(problem.startswith(f"--{name} ") for problem in told)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"eta_min": "0.1", "initial_lr": "0.01"},
            "--eta_min must not be above --initial_lr, got 0.1 and 0.01",
        ),
        ({"eta_min": "0.0011"}, "--eta_min must not be above --initial_lr, got 0.0011 and 0.001"),
        ({"engine": "native", "device": "cuda"}, "--engine native trains on the CPU only"),
        ({"quiet": True, "verbose": True}, "--quiet and --verbose exclude each other"),
    ],
)
def test_options_that_contradict_each_other(given, message):
    told = problems_of(**given)
    assert len(told) == 1
    assert told[0].startswith(message)


def test_contradictions_are_told_beside_wrong_values():
    told = problems_of(epochs="0", eta_min="1")
    assert [problem.split()[0] for problem in told] == ["--epochs", "--eta_min"]


def test_a_wrong_value_is_not_told_again_as_a_contradiction():
    assert len(problems_of(eta_min="2", initial_lr="-1")) == 1


def test_a_rate_may_end_where_it_starts():
    assert problems_of(initial_lr="0.01", eta_min="0.01") == []


def test_unknown_and_missing_options_are_told():
    assert problems_of(epoch=3) == ["--epoch is not an option; did you mean --epochs?"]
    assert parse_settings(EncodeSettings, {}) == (None, ["--model is required"])


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        SearchSettings().epochs = 3


def test_every_option_explains_itself():
    for settings in (SearchSettings, EncodeSettings):
        assert all(field.description for field in settings.model_fields.values())
