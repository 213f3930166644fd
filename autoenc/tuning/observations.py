"""What a search tried and what came of it, in one form for adaptive and exhaustive searches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoenc.engines import Recipe
from autoenc.models.grid import format_architecture, parse_architecture
from autoenc.record.identity import Context
from autoenc.record.private import storage_of
from autoenc.record.record import TUNE, Record, records_in
from autoenc.record.runs import convergence_epoch
from autoenc.report import SearchResults
from autoenc.report.study_tables import ranked_trials
from autoenc.searching.trials import Trial, TrialResult
from autoenc.settings import SearchSettings, TuneSettings
from autoenc.settings.space import SpaceSettings
from autoenc.tuning.chosen import last_search
from autoenc.tuning.job import judging_folds

__all__ = ["Observation", "Observations", "observe", "observe_folder"]


class Observation(NamedTuple):
    """A trial that succeeded.

    Attributes:
        name: For people.
        stack: Its hidden widths, as people write them.
        parameters: By name; a width counts as it was built, and there are as many as layers.
        metrics: Numbers by name: ``loss``, ``seconds``, ``model_params``, ``epochs`` and others.
    """

    name: str
    stack: str
    parameters: dict[str, Any]
    metrics: dict[str, float]


class Observations(NamedTuple):
    """A search as its record tells it.

    Attributes:
        name: For people.
        trials: Those that succeeded, lowest loss first.
        space: What was open: ranges and choices by the names of the options of a space.
        settings: All options of the search, plain values by name.
        adaptive: Whether it searched adaptively; else a grid, exhaustively.
        pca: The loss of PCA on the rows that judged the trials.
    """

    name: str
    trials: list[Observation]
    space: dict[str, tuple[Any, ...]]
    settings: dict[str, Any]
    adaptive: bool
    pca: float

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Every parameter that a trial may have, by name."""
        space = self.space
        depth, width = space["num_layers_range"], space["hidden_size_range"]
        rate, decay, dropout = (
            space[f"{name}_range"] for name in ("learning_rate", "weight_decay", "dropout")
        )
        widths = IntDistribution(width[0], width[1], log=True)
        return {
            **({"family": CategoricalDistribution(space["families"])} if "families" in space else {}),
            "num_layers": IntDistribution(depth[0], depth[1]),
            **{f"hidden_size_{i}": widths for i in range(1, depth[1] + 1)},
            "learning_rate": FloatDistribution(rate[0], rate[1], log=True),
            "weight_decay": FloatDistribution(decay[0], decay[1], log=decay[0] > 0),
            "dropout": FloatDistribution(dropout[0], dropout[1]),
            "batch_size": CategoricalDistribution(space["batch_size_options"]),
            "activation": CategoricalDistribution(space["activation_options"]),
            "norm": CategoricalDistribution(space["norm_options"]),
        }


def observe_folder(folder: Path, storage: str | None, asked_by: str) -> Observations:
    """The search that was last used in a folder.

    Args:
        folder: Where it left its record.
        storage: The record, where it is not there.
        asked_by: What a problem is told about.

    Raises:
        InputError: If there is none.
    """
    return observe(last_search(folder, storage, asked_by))


def observe(search: optuna.Study | Record) -> Observations:
    """An adaptive search by its study, or an exhaustive one by its record."""
    return _of_study(search) if isinstance(search, optuna.Study) else _of_record(search)


def _of_study(study: optuna.Study) -> Observations:
    note = study.user_attrs[TUNE]
    settings = TuneSettings.model_validate(note["settings"])
    context = Context.from_dict(note["context"])
    records = [record for record in records_in(storage_of(study)) if record.context == context]
    outcomes = {fit: outcome for record in records for fit, outcome in record.outcomes().items()}
    folds, seeds = judging_folds(settings.folds), tuple(range(settings.seed, settings.seed + settings.seeds))
    several = len(settings.families) > 1
    found = []
    for trial in ranked_trials(study):
        attributes = trial.user_attrs
        recipe = Recipe(**attributes["recipe"])
        measured = Trial(parse_architecture(attributes["stack"]), settings.latent_dim, recipe, folds, seeds)
        result = measured.result(outcomes)
        if result is None:  # a fit of it is damaged, which is told
            continue
        own = {name: value for name, value in attributes.items() if _is_number(value)}
        seen = _observed(f"trial {trial.number}", result, len(context.columns), own)
        found.append(
            seen._replace(parameters=_with_family(seen, recipe.family) if several else seen.parameters)
        )
    space = {name: getattr(settings, name) for name in SpaceSettings.model_fields}
    return Observations(
        study.study_name, found, space | ({"families": settings.families} if several else {}),
        settings.model_dump(mode="json"), True, note["baselines"]["pca"],
    )  # fmt: skip


def _of_record(record: Record) -> Observations:
    settings = SearchSettings.model_validate(record.search["settings"])
    results = SearchResults.of(settings, record)
    found = [
        _observed(f"stack {result.trial.name}", result, len(results.columns)) for result in results.ranked
    ]
    widths, depth = settings.hidden_dims_search, settings.max_layers
    space: dict[str, tuple[Any, ...]] = {
        "num_layers_range": (1, depth),
        "hidden_size_range": (min(widths), max(widths)),
        "learning_rate_range": (settings.initial_lr, settings.initial_lr),
        "weight_decay_range": (min(settings.weight_decay), max(settings.weight_decay)),
        "dropout_range": (min(settings.dropout), max(settings.dropout)),
        "batch_size_options": (settings.batch_size,),
        "activation_options": (settings.activation,),
        "norm_options": settings.norm,
    }
    name = f"the exhaustive search for latent size {settings.latent_size}"
    options = settings.model_dump(mode="json")
    return Observations(name, found, space, options, False, results.baselines["pca"])


def _observed(
    name: str, result: TrialResult, n_columns: int, attributes: Mapping[str, float] | None = None
) -> Observation:
    trial, recipe = result.trial, result.trial.recipe
    widths = {f"hidden_size_{i}": width for i, width in enumerate(trial.architecture, 1)}
    parameters = {
        "num_layers": len(trial.architecture), **widths, "learning_rate": recipe.initial_lr,
        "weight_decay": recipe.weight_decay, "dropout": recipe.dropout, "batch_size": recipe.batch_size,
        "activation": recipe.activation, "norm": recipe.norm,
    }  # fmt: skip
    numbers = {
        "loss": result.loss, "seconds": result.seconds, "model_params": trial.n_parameters(n_columns),
        "epochs": result.median_epochs, "convergence_epoch": convergence_epoch(result.test_losses),
        "best_test_loss": result.best_test_loss, "final_train_loss": result.final_train_loss,
        "standard_error": result.standard_error, **(attributes or {}),
    }  # fmt: skip
    metrics = {key: float(number) for key, number in numbers.items() if number is not None}
    return Observation(name, format_architecture(trial.architecture), parameters, metrics)


def _with_family(seen: Observation, family: str) -> dict[str, Any]:
    return {"family": family, **seen.parameters}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
