"""Both stages of a transfer-aware search trained in full: what came of it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # torch, behind the model, takes seconds to import
    from autoenc.two_stage.checkpoint import FittedTransfer
    from autoenc.two_stage.objective import Scores

__all__ = ["FullTransfer", "beside_lines", "full_transfer_lines"]


class FullTransfer(NamedTuple):
    """A finished training.

    Attributes:
        path: The model file.
        model: The encoder with its heads.
        scores: On rows that neither the model nor its choice has seen.
    """

    path: Path
    model: FittedTransfer
    scores: Scores


def full_transfer_lines(result: FullTransfer) -> list[str]:
    """Return the result for people, beside the same heads on baselines."""
    info, scores = result.model.info, result.scores
    named = {"MAE (in standard deviations)": scores.mae, "F1": scores.f1, "recall": scores.recall}
    shown = [f"{name} {value:.4f}" for name, value in named.items() if value is not None]
    epochs = f"{info['recipe']['epochs']} and {info['stage2_epochs']} epochs"
    return [
        f"trained       trial {info['trial']}, both stages, {epochs}",
        f"test rows     {', '.join(shown)}, stage 1 loss {scores.stage1_loss:.5f}; held out from the search",
        *beside_lines(info),
        "",
        f"best model    {result.path}",
    ]


def beside_lines(info: Mapping[str, Any]) -> list[str]:
    """Return the heads' part of the objective on the test rows, beside the same heads on baselines.

    Args:
        info: Of the model.
    """
    return [
        f"objective     {info['test_scores']['stage2_objective']:.4f}, the part of the heads",
        *(f"{name:<13} {_beside_text(beside)}" for name, beside in info["baselines"].items()),
    ]


def _beside_text(beside: dict[str, Any]) -> str:
    """Return how the same heads do on a baseline."""
    text = f"{beside['stage2_objective']:.4f} with the same heads: {beside['above']:+.4f}"
    if beside["above_interval"] is None:
        return text
    low, high = beside["above_interval"]
    verdict = "the encoder is better" if low > 0 else "the encoder is worse" if high < 0 else "undecided"
    return f"{text} (95 %: {low:+.4f} to {high:+.4f}), {verdict}"
