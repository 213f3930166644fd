"""``search --verify``: a table of how the engines differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoenc.engines import Fit, Split
from autoenc.engines.verify import TOLERANCES, Comparison, compare_engines, spread
from autoenc.models.grid import format_architecture
from autoenc.system.text import say

__all__ = ["verify"]


def verify(fits: Sequence[Fit], n_wanted: int, split_of: Callable[[Fit], Split]) -> int:
    """Train some of the fits with both engines and print what came out.

    Returns:
        The exit code: 1 if a difference is past its tolerance.
    """
    chosen = [fits[i] for i in spread(len(fits), n_wanted)]
    say(f"{len(chosen)} of {len(fits)} stacks, {chosen[0].recipe.epochs} epochs, by both engines on one core")
    say(f"{'stack':>20}  precision  {'native':>14}  {'torch':>14}  difference  speed-up")
    comparisons = []
    for one in compare_engines(chosen, split_of):
        comparisons.append(one)
        say(
            f"{_name(one.fit):>20}  {one.precision}    "
            f"{one.native_loss:14.10f}  {one.torch_loss:14.10f}  {one.difference:10.1e}  "
            f"{one.torch_s / one.native_s:7.1f}x{'' if one.agrees else '  TOO LARGE'}"
        )
    agree = all(one.agrees for one in comparisons)
    limits = ", ".join(f"{limit:g} in {precision}" for precision, limit in TOLERANCES.items())
    verdict = "agree" if agree else "DISAGREE"
    say(f"the engines {verdict}: relative differences of the final test loss up to {limits}")
    if not agree and all(one.agrees for one in comparisons if one.precision == "float64"):
        say(*_rounding(comparisons))
    return 0 if agree else 1


def _name(fit: Fit) -> str:
    return format_architecture(fit.architecture) + (", warm start" if fit.recipe.warm_start else "")


def _rounding(comparisons: Sequence[Comparison]) -> list[str]:
    """What rounding alone does to one engine, to hold the differences in single precision against."""
    exact = {one.fit: one for one in comparisons if one.precision == "float64"}
    single = [one for one in comparisons if one.precision == "float32"]
    torch, native = (
        max(abs(getattr(one, side) / getattr(exact[one.fit], side) - 1) for one in single)
        for side in ("torch_loss", "native_loss")
    )
    return [
        "in float64 they agree, so they compute the same; in float32 rounding switches single units, and",
        f"the training takes another path: against float64 the loss moves by up to {100 * torch:.2f} % in",
        f"torch and {100 * native:.2f} % in native",
    ]
