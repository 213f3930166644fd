"""``phases``: an exhaustive baseline, a coarse, a fine and a Bayesian search, each from the one before."""

from __future__ import annotations

from autoenc.commands.search import search
from autoenc.commands.tune import tune
from autoenc.report.phase_tables import PhaseResult, phases_table, suggestion_lines, write_phases
from autoenc.report.search_file import narrowed_table
from autoenc.settings import PhasesSettings, RefineSettings
from autoenc.settings.phases import Phase
from autoenc.settings.refine import NarrowingSettings
from autoenc.system.paths import check_folder, keep_aside
from autoenc.system.text import say
from autoenc.tuning.phases import Plan, plan_phases, settings_within
from autoenc.workflows.phases import begin_with, result_of
from autoenc.workflows.refine import write_search_file

__all__ = ["phases"]


def phases(settings: PhasesSettings) -> int:
    """Run the phases, or as much of them as is not recorded yet.

    Returns:
        The exit code: 0; else that of the phase that could not end.

    Raises:
        InputError: If options, data or records cannot be used.
    """
    plan = plan_phases(settings)
    is_dry = plan.settings.dry_run
    if not is_dry:
        check_folder(plan.output_dir)
    results: list[PhaseResult] = []
    for i, phase in enumerate(plan.phases, 1):
        if not plan.settings.quiet:
            say("", f"== {phase} ({i} of {len(plan.phases)}), in {plan.folder(phase)}", flush=True)
        code = _run(plan, phase)
        if code:
            return code
        if not is_dry:
            results.append(result_of(plan, phase, results[-1] if results else None))
            write_phases(plan, results)
    if results and not plan.settings.quiet:
        say("", *phases_table(plan, results), "", *suggestion_lines(plan, results))
    return 0


def _run(plan: Plan, phase: Phase) -> int:
    if phase == "baseline":
        return search(plan.baseline())
    if phase == "coarse":
        return tune(plan.adaptive("coarse", plan.coarse_file))
    if plan.settings.dry_run and plan.begins_fine:
        say("its ranges follow from the coarse phase, which comes first")
        return 0
    if phase == "fine":
        _refine(plan)
        fine = plan.adaptive("fine", str(plan.fine_file))
        return tune(fine, begin_with(plan, "coarse", fine))
    inner = plan.adaptive("fine", str(plan.fine_file))
    outer = settings_within(plan.adaptive("bayesian", plan.bayesian_file), inner)
    return tune(outer, begin_with(plan, "fine", outer))


def _refine(plan: Plan) -> None:
    """Write the fine search's file; one that is there already stays, as somebody may have changed it."""
    if not plan.begins_fine:
        if not plan.settings.quiet:
            say(f"{plan.fine_file} is there already and stays as it is")
        return
    if (kept := keep_aside(plan.fine_file)) and not plan.settings.quiet:
        say(f"the old search file is kept as {kept}")
    drawn = {name: getattr(plan.settings, name) for name in NarrowingSettings.model_fields}
    wanted = {**drawn, "from_": str(plan.folder("coarse")), "to": str(plan.fine_file)}
    narrowed = write_search_file(RefineSettings.model_validate(wanted)).narrowed
    if not plan.settings.quiet:
        say(*narrowed_table(narrowed), "", f"search file   {plan.fine_file}", "")
