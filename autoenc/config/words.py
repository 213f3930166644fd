"""The words of a YAML file: the options of all commands, and a few of its own."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from functools import cache
from typing import get_args

import autoenc.settings
from autoenc.settings import Settings

__all__ = ["OF_SEARCH_FILES", "OWN_WORDS", "all_options", "hint", "methods", "space_options"]

OWN_WORDS = ("extends", "cluster_overrides", "search_space")
"""Keys that are no options."""

OF_SEARCH_FILES = ("search_method", "budget_hours")
"""Names that search files have for options; they override the options' own names in the same file."""


@cache
def methods() -> tuple[str, ...]:
    """Return what ``search_method`` may be."""
    from autoenc.settings.tune import StrategyName  # declaring it takes longer than reading most options

    return tuple(dict.fromkeys(("grid", "random", "bayesian", *get_args(StrategyName))))


@cache
def space_options() -> frozenset[str]:
    """Return the keys of ``search_space``."""
    from autoenc.settings.space import SpaceSettings
    from autoenc.settings.transfer import TransferSpaceSettings

    return frozenset(SpaceSettings.model_fields) | frozenset(TransferSpaceSettings.model_fields)


@cache
def all_options() -> frozenset[str]:
    """Return names of the options of all commands; what must stand on the command line is left out."""
    kinds = (getattr(autoenc.settings, name) for name in autoenc.settings.__all__)
    return frozenset(
        name
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, Settings)
        for name, field in kind.model_fields.items()
        if not (isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("positional"))
    )


def hint(word: str, words: Collection[str]) -> str:
    """Suggest what was probably meant, to be put behind a problem; empty where nothing is near."""
    near = difflib.get_close_matches(word.replace("-", "_"), sorted(words), 1)
    return f"; did you mean {near[0]}?" if near else ""
