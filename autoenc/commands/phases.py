"""``phases``: an exhaustive baseline, a coarse, a fine and a Bayesian search, each from the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from autoenc.commands.refine import narrowed_table, write_search_file
from autoenc.commands.search import search
from autoenc.commands.tune import tune
from autoenc.report.results import json_bytes
from autoenc.settings import PhasesSettings, RefineSettings, TuneSettings
from autoenc.settings.phases import Phase
from autoenc.settings.refine import NarrowingSettings
from autoenc.settings.space import SpaceSettings
from autoenc.system.paths import check_folder, write_atomically
from autoenc.system.text import say
from autoenc.tuning.phases import Plan, plan_phases, settings_within
from autoenc.tuning.space import HyperparameterSearchSpace
from autoenc.workflows.observe import observe_folder

__all__ = ["PhaseResult", "phases"]

_STARTUP = 10  # trials that TPE draws at random unless it is given some


class PhaseResult(NamedTuple):
    """What a phase came to.

    Attributes:
        phase: Its name.
        folder: Where its record is.
        best_loss, stack, trial: The lowest loss on the rows that judge, and where it was reached.
        n_trials: Trials that succeeded.
        seconds: Training time of these, all fits together.
        epochs: Of a fit, at most.
        pca: The loss of PCA on the same rows.
        change: Against the phase before, as a share; None of the first.
    """

    phase: Phase
    folder: Path
    best_loss: float
    stack: str
    trial: str
    n_trials: int
    seconds: float
    epochs: int
    pca: float
    change: float | None


def phases(settings: PhasesSettings) -> int:
    """Run the phases, or as much of them as is not recorded yet.

    Returns:
        The exit code: 0; else that of the phase that could not end.

    Raises:
        InputError: If options, data or records cannot be used.
    """
    plan = plan_phases(settings)
    check_folder(plan.output_dir)
    results: list[PhaseResult] = []
    for i, phase in enumerate(plan.phases, 1):
        if not plan.settings.quiet:
            say("", f"== {phase} ({i} of {len(plan.phases)}), in {plan.folder(phase)}", flush=True)
        code = _run(plan, phase)
        if code:
            return code
        results.append(_result(plan, phase, results[-1] if results else None))
        _write(plan, results)
    if not plan.settings.quiet:
        say("", *_table(plan, results), "", *_suggestion(plan, results))
    return 0


def _run(plan: Plan, phase: Phase) -> int:
    if phase == "baseline":
        return search(plan.baseline())
    if phase == "coarse":
        return tune(plan.adaptive("coarse", plan.settings.coarse))
    if phase == "fine":
        _refine(plan)
        fine = plan.adaptive("fine", str(plan.fine_file))
        return tune(fine, _begin_with(plan, "coarse", fine))
    inner = plan.adaptive("fine", str(plan.fine_file))
    outer = settings_within(plan.adaptive("bayesian", plan.settings.bayesian), inner)
    return tune(outer, _begin_with(plan, "fine", outer))


def _refine(plan: Plan) -> None:
    """Write the fine search's file; one that is there already stays, as somebody may have changed it."""
    if plan.fine_file.exists():
        if not plan.settings.quiet:
            say(f"{plan.fine_file} is there already and stays as it is")
        return
    drawn = {name: getattr(plan.settings, name) for name in NarrowingSettings.model_fields}
    wanted = {**drawn, "from_": str(plan.folder("coarse")), "to": str(plan.fine_file)}
    narrowed = write_search_file(RefineSettings.model_validate(wanted))
    if not plan.settings.quiet:
        say(*narrowed_table(narrowed), "", f"search file   {plan.fine_file}", "")


def _begin_with(plan: Plan, before: Phase, settings: TuneSettings) -> Sequence[Mapping[str, Any]]:
    """The best trials of the phase before, at most half of the trials of the first family.

    A phase that begins with them comes to no higher loss than the one before, where the epochs are the same,
    and has learned what that one did. A grid has points of its own.
    """
    if settings.strategy == "grid" or not plan.folder(before).exists():
        return []
    seen = observe_folder(plan.folder(before), None, str(plan.folder(before)))
    own = {**settings.model_dump(include=set(SpaceSettings.model_fields))}
    space = HyperparameterSearchSpace.model_validate(own).distributions()
    if len(settings.families) > 1:
        space["family"] = CategoricalDistribution(settings.families[:1])
    found = [
        {name: value for name, value in trial.parameters.items() if name != "family" or name in space}
        for trial in seen.trials
    ]
    inside = [params for params in found if all(_has(space.get(name), params[name]) for name in params)]
    return inside[: min(_STARTUP, settings.n_trials // (2 * len(settings.families)))]


def _has(distribution: BaseDistribution | None, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(distribution, IntDistribution | FloatDistribution):
        return bool(distribution.low <= value <= distribution.high)
    return False  # there is no such parameter


def _result(plan: Plan, phase: Phase, before: PhaseResult | None) -> PhaseResult:
    folder = plan.folder(phase)
    seen = observe_folder(folder, None, str(folder))
    best = seen.trials[0]
    loss, seconds = best.metrics["loss"], sum(trial.metrics["seconds"] for trial in seen.trials)
    change = None if before is None or not before.best_loss else loss / before.best_loss - 1
    epochs = int(max(trial.metrics["epochs"] for trial in seen.trials))
    return PhaseResult(
        phase, folder, loss, best.stack, best.name, len(seen.trials), seconds, epochs, seen.pca, change
    )


def _write(plan: Plan, results: list[PhaseResult]) -> None:
    entries = [{**result._asdict(), "folder": str(result.folder)} for result in results]
    document = {"experiment": plan.settings.experiment, "folds": plan.flags["folds"], "phases": entries}
    content = json_bytes(document)
    write_atomically(plan.output_dir / "phases.json", lambda file: file.write(content))


def _table(plan: Plan, results: list[PhaseResult]) -> list[str]:
    heads = ("phase", "best loss", "change", "trials", "epochs", "seconds", "stack")
    lines = [
        f"{heads[0]:<9} {heads[1]:>10} {heads[2]:>8} {heads[3]:>7} {heads[4]:>6} {heads[5]:>8}  {heads[6]}"
    ]
    for each in results:
        change = "" if each.change is None else f"{100 * each.change:+.1f} %"
        lines.append(
            f"{each.phase:<9} {each.best_loss:>10.6f} {change:>8} {each.n_trials:>7,} {each.epochs:>6} "
            f"{each.seconds:>8.1f}  {each.stack}"
        )
    return [
        *lines,
        f"{'PCA':<9} {results[-1].pca:>10.6f}",
        f"All losses are means over the same {plan.flags['folds']} folds of the training rows; the test rows "
        "chose nothing. The change is against the phase before. The folds chose the best, so its loss is "
        "optimistic; train-best measures it on the test rows.",
    ]


def _suggestion(plan: Plan, results: list[PhaseResult]) -> list[str]:
    best = min(reversed(results), key=lambda result: result.best_loss)
    return [
        f"{'results':<13} {plan.output_dir / 'phases.json'}",
        f"{'train it with':<13} autoenc train-best --from {best.folder}",
    ]
