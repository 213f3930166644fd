"""Phases of an experiment in words and as JSON."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from autoenc.settings.phases import Phase
from autoenc.system.paths import write_atomically
from autoenc.system.strict_json import json_bytes
from autoenc.tuning.phases import Plan

__all__ = ["PhaseResult", "phases_table", "suggestion_lines", "write_phases"]


class PhaseResult(NamedTuple):
    """The result of a phase.

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


def write_phases(plan: Plan, results: list[PhaseResult]) -> None:
    """Write ``phases.json``."""
    entries = [{**result._asdict(), "folder": str(result.folder)} for result in results]
    document = {"experiment": plan.settings.experiment, "folds": plan.flags["folds"], "phases": entries}
    write_atomically(plan.output_dir / "phases.json", json_bytes(document))


def phases_table(plan: Plan, results: list[PhaseResult]) -> list[str]:
    """Return a line a phase, PCA below them, and what the losses are of."""
    heads = ("phase", "best loss", "change", "trials", "epochs", "seconds", "stack")
    lines = [
        f"{heads[0]:<9} {heads[1]:>10} {heads[2]:>8} {heads[3]:>7} {heads[4]:>6} {heads[5]:>8}  {heads[6]}"
    ]
    for row in results:
        change = "" if row.change is None else f"{100 * row.change:+.1f} %"
        lines.append(
            f"{row.phase:<9} {row.best_loss:>10.6f} {change:>8} {row.n_trials:>7,} {row.epochs:>6} "
            f"{row.seconds:>8.1f}  {row.stack}"
        )
    return [
        *lines,
        f"{'PCA':<9} {results[-1].pca:>10.6f}",
        f"All losses are means over the same {plan.flags['folds']} folds of the training rows; the test rows "
        "are not used. The change is against the phase before. The best was chosen by its loss on the folds, "
        "so that loss is optimistic; train-best measures it on the test rows.",
    ]


def suggestion_lines(plan: Plan, results: list[PhaseResult]) -> list[str]:
    """Say where the results are, and which command trains the best in full."""
    best = min(reversed(results), key=lambda result: result.best_loss)
    return [
        f"{'results':<13} {plan.output_dir / 'phases.json'}",
        f"{'train it with':<13} autoenc train-best --from {shlex.quote(str(best.folder))}",
    ]
