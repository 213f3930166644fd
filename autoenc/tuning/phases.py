"""The searches of an experiment in phases: their options, all judged by the same rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from autoenc.config import Resolution, load_layers, resolve, shipped_search
from autoenc.config.layers import Layer
from autoenc.errors import InputError
from autoenc.settings import PhasesSettings, SearchSettings, Settings, TuneSettings
from autoenc.settings.phases import PHASES, Phase
from autoenc.settings.space import SpaceSettings

__all__ = ["FOLDS", "Plan", "plan_phases", "settings_within"]

S = TypeVar("S", bound=Settings)

FOLDS = 5
"""That judge where the experiment has none: the test rows must judge no phase."""

# Options of `phases` that are passed on to the searches as they are.
_PASSED_ON = [name for name in PhasesSettings.model_fields if name in TuneSettings.model_fields]


class Plan(NamedTuple):
    """The phases that run, with their options.

    Attributes:
        settings: Options of the whole.
        phases: In the order in which they run.
        output_dir: Holds a folder for each phase.
        layers: The experiment's files.
        flags: Options that override all files, in every phase.
    """

    settings: PhasesSettings
    phases: tuple[Phase, ...]
    output_dir: Path
    layers: list[Layer]
    flags: dict[str, Any]

    @property
    def coarse_file(self) -> str:
        """The search file of the coarse phase."""
        return self.settings.coarse or shipped_search("coarse_search")

    @property
    def bayesian_file(self) -> str:
        """The search file of the last phase."""
        return self.settings.bayesian or shipped_search("bayesian_config")

    @property
    def fine_file(self) -> Path:
        """The search file that is written between the coarse and the fine phase."""
        return self.output_dir / "fine.yaml"

    @property
    def begins_fine(self) -> bool:
        """Whether the search file of the fine phase is to be written: there is none, or another is wanted."""
        return not self.fine_file.exists() or (self.settings.fresh and "fine" in self.phases)

    def folder(self, phase: Phase) -> Path:
        """Return where a phase leaves its record."""
        return self.output_dir / phase

    def baseline(self) -> SearchSettings:
        """Return options of the exhaustive search."""
        own = {name: value for name, value in self.flags.items() if name != "n_trials"}
        return _required(
            resolve(
                SearchSettings, self.layers,
                {**own, "verify": 0, "output_dir": str(self.folder("baseline"))},
            )
        )  # fmt: skip

    def adaptive(self, phase: Phase, search_file: str) -> TuneSettings:
        """Return options of an adaptive phase by its search file."""
        of_phase, problems = load_layers(None, search_file, os.environ)
        if problems:
            raise InputError(problems)
        flags = {**self.flags, "output_dir": str(self.folder(phase))}
        return _required(resolve(TuneSettings, [*self.layers, *of_phase], flags))


def plan_phases(settings: PhasesSettings) -> Plan:
    """Read the experiment, and see that the options of every phase are right before one begins.

    Args:
        settings: Options; those that were not given are the experiment's.

    Raises:
        InputError: With everything that is wrong.
    """
    layers, problems = load_layers(settings.experiment, None, os.environ)
    if problems:
        raise InputError(problems)
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    whole = _required(resolve(PhasesSettings, layers, given))
    flags = {name: given[name] for name in _PASSED_ON if given.get(name) is not None}
    flags |= {"folds": whole.folds or FOLDS, "fresh": whole.fresh, "dry_run": whole.dry_run}
    phases = tuple(phase for phase in PHASES if phase in whole.phases)
    plan = Plan(whole, phases, Path(whole.output_dir or "output"), layers, flags)
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    problems = []
    checks: dict[Phase, Any] = {
        "baseline": plan.baseline,
        "coarse": lambda: plan.adaptive("coarse", plan.coarse_file),
        "bayesian": lambda: plan.adaptive("bayesian", plan.bayesian_file),
    }
    if not plan.begins_fine:
        checks["fine"] = lambda: plan.adaptive("fine", str(plan.fine_file))
    for phase in plan.phases:
        if phase in checks:
            try:
                settings = checks[phase]()
            except InputError as error:
                problems += [f"{phase}: {problem}" for problem in error.problems]
                continue
            if settings.storage is not None:
                problems.append(f"{phase}: each phase keeps a record in its own folder; leave out storage")
    needed = not plan.begins_fine or "coarse" in plan.phases or plan.folder("coarse").exists()
    if "fine" in plan.phases and not needed:
        problems.append(f"--phases: fine needs a coarse search in {plan.folder('coarse')}; add coarse")
    if "bayesian" in plan.phases and "fine" not in plan.phases and not plan.fine_file.exists():
        problems.append(f"--phases: bayesian searches within {plan.fine_file}, which is not there; add fine")
    if problems:
        raise InputError(list(dict.fromkeys(problems)))


def settings_within(outer: TuneSettings, inner: TuneSettings) -> TuneSettings:
    """Return a search's options with the space of another one."""
    space = {name: getattr(inner, name) for name in SpaceSettings.model_fields}
    return outer.model_copy(update=space)


def _required(resolution: Resolution[S]) -> S:
    if resolution.settings is None:
        raise InputError(resolution.problems)
    return resolution.settings
