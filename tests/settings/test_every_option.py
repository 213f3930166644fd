"""Every option of every command means the same on the command line, in a YAML file and in Python."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np
import pandas as pd
import pytest

import autoenc.api as api
from autoenc.cli import program
from autoenc.cli.verbs import COMMANDS
from autoenc.errors import InputError
from autoenc.settings import SearchSettings, Settings, TransferSettings, TuneSettings, require_settings
from autoenc.settings.base import is_path
from autoenc.settings.options import aliases_of, options_that_need, words_of

TEXTS = {
    "keep": "id,site", "columns": "a,b", "exclude": "a,b", "na_values": "-999,?", "stratify": "a",
    "delimiter": ";", "encoding": "cp1252", "decimal": "comma", "sheet": "measured",
    "group": "b", "folder": "out",
    "storage": "sqlite:///study.db", "scheduler": "tcp://host:8786", "name": "one",
    "score": "0.8*loss+0.2*time",
    "shard": "1/3", "metric": "seconds", "rows_": "dropout", "columns_": "batch_size", "where": "epochs=20",
    "sort": "-epochs", "first": "20250101", "second": "20250102", "time": "12:00:00", "partition": "long",
    "sbatch": "--account=x", "mem": "4G", "regression_target": "y", "classification_target": "z",
    "positive_class": "1", "hidden_dims_options": "64,32-16", "family_options": "ae,vae",
    "activation_options": "relu,tanh", "norm_options": "none", "families": "dae", "norm": "none",
    "phases": "coarse,fine", "hidden_dims": "32,16", "conservative_widths": "32,128",
    "conservative_layers": "1,3", "good_threshold": "1.25", "breakthrough_threshold": "0.75",
    "excellent_threshold": "0.875", "encoder_rate_share": "0.5", "folds": "4", "initial_lr": "0.002",
    "hidden_dims_search": "8,16", "epochs": "7", "verify": "3", "ensemble": "2", "device": "cpu",
}  # fmt: skip
"""What is given for options whose type alone does not say what may be."""

BESIDE: dict[str, dict[str, str]] = {
    "compare_warm": {"warm_start": "true", "folds": "3"}, "ensemble_weights": {"ensemble": "2"},
    "finalists": {"folds": "3"},
}  # fmt: skip
"""Options without which others contradict what is asked."""


NOT_IN_ARRAYS = {"jobs", "scheduler", "storage", "fresh", "strategy", "shard", "verify"}
"""Options of a search that each task of an array decides by itself."""


class Given(NamedTuple):
    """An option of a command by one of its names, and a value as one types it."""

    command: str
    name: str
    key: str
    text: str

    @property
    def kind(self) -> type[Settings]:
        return COMMANDS[self.command].settings

    @property
    def plain(self) -> Any:
        return _plain(self.kind.model_fields[self.name], self.text)


def _required(kind: type[Settings]) -> dict[str, Any]:
    fields = kind.model_fields
    named = {name: _plain(field, _text(name, field)) for name, field in fields.items() if field.is_required()}
    return {**named, "classification_target": "z"} if kind is TransferSettings else named


def _plain(field: Any, text: str) -> Any:
    """A value as Python has it: many words on the command line are a list."""
    return [text] if words_of(field).get("positional") and get_origin(field.annotation) is tuple else text


def _text(name: str, field: Any) -> str:
    """Some value other than the default."""
    if name in TEXTS:
        return TEXTS[name]
    if is_path(field):
        return "file.csv"
    kind = field.annotation
    while hasattr(kind, "__metadata__") or get_origin(kind) in (tuple, Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    default = field.get_default(call_default_factory=True)
    default = default[0] if isinstance(default, tuple) and default else default
    if kind is bool:
        return "false" if default else "true"
    if get_origin(kind) is Literal:
        return str(next(choice for choice in reversed(get_args(kind)) if choice != default))
    rules = words_of(field)["rules"]
    low = default if isinstance(default, int | float) else rules.get("ge", 1)
    if kind is int:
        return str(int(low) + 1)
    assert kind is float, (name, kind)
    return str(low / 2 if low else 0.25)


def _every() -> list[Given]:
    found = []
    for command, verb in COMMANDS.items():
        fields = verb.settings.model_fields
        for name, field in fields.items():
            keys = [name, *(alias for alias, own in aliases_of(verb.settings).items() if own == name)]
            found += [Given(command, name, key, _text(name, field)) for key in keys]
    return found


EVERY = _every()
CALLS = {"search": SearchSettings, "tune": TuneSettings, "transfer": TransferSettings}


def _words(given: Given, options: dict[str, Any]) -> list[str]:
    """The command line: switches alone, positional values without a flag, all else ``--name=value``."""
    words = []
    positional = {name: [] for name, field in given.kind.model_fields.items() if _is_positional(field)}
    for key, value in options.items():
        field = given.kind.model_fields[aliases_of(given.kind).get(key, key)]
        if _is_positional(field):
            positional[key] = value if isinstance(value, list) else [value]
        elif field.annotation is bool:
            words.append(f"--{key}" if value == "true" else f"--no_{key}")
        else:
            words.append(f"--{words_of(field).get('flag', key)}={value}")
    return [given.command, *words, *chain.from_iterable(positional.values())]


def _is_positional(field: Any) -> bool:
    return bool(words_of(field).get("positional"))


def _parsed(words: list[str]) -> Settings:
    _, resolution = program._parse(words, "autoenc")
    assert resolution.settings is not None
    return resolution.settings


@pytest.mark.parametrize("given", EVERY, ids=lambda given: f"{given.command}-{given.key}")
def test_an_option_is_the_same_everywhere(given: Given, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    beside = {**_required(given.kind), **BESIDE.get(given.name, {})}
    beside.pop(given.name, None)
    by_flag = _words(given, {**beside, given.key: given.plain})
    Path("options.yaml").write_text(f"{given.key}: {_yaml(given.text)}\n")
    by_file = [*_words(given, beside), "--config", "options.yaml"]
    if given.command == "slurm" and given.name in NOT_IN_ARRAYS:
        for words in (by_flag, by_file):
            with pytest.raises(InputError, match=f"\\b({given.name}|{given.key}) .*array"):
                _parsed(words)
        return
    typed = _parsed(by_flag)
    value = getattr(typed, given.name)
    default = given.kind.model_fields[given.name].get_default(call_default_factory=True)
    assert value != default, "this shows nothing: the value is the default"
    assert require_settings(given.kind, {**beside, given.key: given.plain}) == typed
    assert require_settings(given.kind, {**beside, given.key: value}) == typed  # the number, not its text
    if not _is_positional(given.kind.model_fields[given.name]):
        assert _parsed(by_file) == typed
    if given.command in CALLS:
        _check_call(given, beside, value)


def _yaml(text: str) -> str:
    """As one would write it: a list as a list."""
    return f"[{text}]" if "," in text and "?" not in text else f"'{text}'" if "?" in text else text


def _check_call(given: Given, beside: dict[str, str], value: Any) -> None:
    """That a call from Python takes the option with this value, or says why it cannot."""
    if given.name in ("data_path", "output_dir", "quiet"):
        return  # parameters of their own
    options = {**beside, given.key: value}
    if given.name in options_that_need(given.kind, "command line"):
        with pytest.raises(InputError, match=f"^{given.name} is an option of the command line$"):
            api._settings(given.kind, "x.csv", "out", False, options)
        return
    settings = api._settings(given.kind, "x.csv", "out", False, options)
    assert getattr(settings, given.name) == value
    if given.name in options_that_need(given.kind, "output_dir"):
        with pytest.raises(InputError, match=f"^{given.name} needs an output_dir$"):
            api._settings(given.kind, "x.csv", None, True, options)


def test_tune_takes_its_method_by_every_name() -> None:
    table = pd.DataFrame(np.random.default_rng(0).random((40, 4)), columns=list("abcd"))
    small = {"n_trials": 2, "latent_dim": 2, "epochs": 1, "quiet": True}
    named = [
        api.tune(table, **small, **{name: "random"}) for name in ("strategy", "sampler", "search_method")
    ]
    losses = [list(results.leaderboard["value"]) for results in named]
    assert losses[0] == losses[1] == losses[2]
