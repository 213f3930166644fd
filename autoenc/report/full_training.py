"""The result of a full training beside the baselines, as text, JSON and a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoenc.analysis.cells import cells_lines
from autoenc.engines import Fit, Outcome
from autoenc.models.grid import format_architecture
from autoenc.record.environment import describe_environment
from autoenc.report.answer import compared_with_baseline
from autoenc.report.files import Written, write_files
from autoenc.report.training_plot import TrainingPlot, draw_training
from autoenc.system.png import png_content
from autoenc.system.strict_json import finite, json_bytes
from autoenc.system.text import counted

__all__ = ["FullResult", "full_lines", "write_full"]

_ROWS = {
    True: "test rows that took part in the choice, so it is optimistic",
    False: "held-out test rows",
    None: "test rows of another table, which may have taken part in the choice",
}


@dataclass(frozen=True)
class FullResult:
    """A finished training, and what it is compared with.

    Attributes:
        origin: The trial that was trained, for people.
        by_test_rows: Whether the test rows had a part in choosing it; None where that is not known.
        fit: What was trained.
        outcome: Its losses and times.
        baselines: Losses of the column mean and of PCA on the test rows.
        n_parameters: Of the model.
        changed: How the training differs from what was asked for, and why; None where it does not.
        cells: What the test loss is made of, see :mod:`autoenc.analysis.cells`.
    """

    origin: str
    by_test_rows: bool | None
    fit: Fit
    outcome: Outcome
    baselines: dict[str, float]
    n_parameters: int
    changed: str | None = None
    cells: dict[str, Any] | None = None


def full_lines(result: FullResult) -> list[str]:
    """Return the result for people."""
    fit, outcome = result.fit, result.outcome
    compared = compared_with_baseline(outcome.final_test_loss, result.baselines)
    name = f"{fit.recipe.family} {format_architecture(fit.architecture)}"
    return [
        f"trained       {result.origin}: {name}, latent size {fit.latent_dim}, "
        f"{counted(len(outcome.test_losses), 'epoch')} in {outcome.seconds:.1f} s",
        f"test loss     {outcome.final_test_loss:.6f} on {_ROWS[result.by_test_rows]}, {compared}",
        f"parameters    {result.n_parameters:,}",
        *([f"changed       trained {result.changed}"] if result.changed else []),
        *(cells_lines(result.cells) if result.cells else []),
    ]


def write_full(result: FullResult, folder: Path) -> Written:
    """Write ``train_best.json`` and ``train_best_curves.png``.

    Raises:
        OSError: If a file cannot be written.
    """
    outcome = result.outcome
    title = (
        f"Stack {format_architecture(result.fit.architecture)}, {counted(len(outcome.test_losses), 'epoch')}"
    )
    plot = TrainingPlot(title, outcome.train_losses, outcome.test_losses, result.baselines["pca"])
    return write_files(
        folder,
        [
            ("results", "train_best.json", json_bytes(finite(_document(result)))),
            ("loss curves", "train_best_curves.png", png_content(draw_training(plot))),
        ],
    )


def _document(result: FullResult) -> dict[str, Any]:
    fit, outcome = result.fit, result.outcome
    return {
        "origin": result.origin,
        "config": list(fit.architecture),
        "latent_dim": fit.latent_dim,
        "recipe": asdict(fit.recipe),
        "seed": fit.seed,
        "test_rows_chose_it": result.by_test_rows,
        "test_loss": outcome.final_test_loss,
        "train_loss": outcome.final_train_loss,
        "baselines": result.baselines,
        "model_params": result.n_parameters,
        "changed": result.changed,
        "test_loss_is_made_of": result.cells,
        "seconds": outcome.seconds,
        "train_losses": outcome.train_losses,
        "test_losses": outcome.test_losses,
        "environment": describe_environment(),
    }
