"""Differences between the engines, as lines of a table and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from autoenc.engines import Fit
from autoenc.engines.verify import TOLERANCES, Comparison
from autoenc.models.grid import format_architecture

__all__ = ["comparison_head", "comparison_line", "verdict_lines"]


def comparison_head(fits: Sequence[Fit], n_all: int, engine: str) -> list[str]:
    """Return what is compared, and the head of the table.

    Args:
        fits: The fits that both engines train.
        n_all: Fits of the whole search.
        engine: Name of the one that is compared with torch.
    """
    epochs = fits[0].recipe.epochs
    return [
        f"{len(fits)} of {n_all} stacks, {epochs} epochs, by the engines {engine} and torch"
        f"{'' if engine == 'stacked' else ' on one core'}",
        f"{'stack':>20}  precision  {engine:>14}  {'torch':>14}  difference  speed-up",
    ]


def comparison_line(one: Comparison) -> str:
    """Return a row of the table."""
    name = format_architecture(one.fit.architecture) + (", warm start" if one.fit.recipe.warm_start else "")
    return (
        f"{name:>20}  {one.precision}    "
        f"{one.loss:14.10f}  {one.torch_loss:14.10f}  {one.difference:10.1e}  "
        f"{one.torch_s / one.seconds:7.1f}x{'' if one.agrees else '  TOO LARGE'}"
    )


def verdict_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Say whether the engines agree, and what rounding alone does if only in double precision."""
    agree = all(one.agrees for one in comparisons)
    limits = ", ".join(f"{limit:g} in {precision}" for precision, limit in TOLERANCES.items())
    verdict = "agree" if agree else "DISAGREE"
    lines = [f"the engines {verdict}: relative differences of the final test loss up to {limits}"]
    if not agree and all(one.agrees for one in comparisons if one.precision == "float64"):
        lines += _rounding(comparisons)
    return lines


def _rounding(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what rounding alone does to one engine, to hold the differences in single precision against."""
    exact = {one.fit: one for one in comparisons if one.precision == "float64"}
    single = [one for one in comparisons if one.precision == "float32"]
    torch, other = (
        max(abs(getattr(one, side) / getattr(exact[one.fit], side) - 1) for one in single)
        for side in ("torch_loss", "loss")
    )
    return [
        "in float64 they agree, so they compute the same; in float32 rounding switches single units, and",
        f"the training takes another path: against float64 the loss moves by up to {100 * torch:.2f} % in",
        f"torch and {100 * other:.2f} % in {comparisons[0].engine}",
    ]
