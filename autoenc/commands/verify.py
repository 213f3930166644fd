"""``search --verify``: a table of how the engines differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoenc.engines import Fit, Split
from autoenc.engines.verify import TOLERANCES, compare_engines, spread
from autoenc.grid import format_architecture

__all__ = ["verify"]


def verify(fits: Sequence[Fit], n_wanted: int, split_of: Callable[[str], Split]) -> int:
    """Train some of the fits with both engines and print what came out.

    Returns:
        The exit code: 1 if a difference is past its tolerance.
    """
    chosen = [fits[i] for i in spread(len(fits), n_wanted)]
    print(
        f"{len(chosen)} of {len(fits)} stacks, {chosen[0].recipe.epochs} epochs, by both engines on one core"
    )
    print(f"{'stack':>20}  precision  {'native':>14}  {'torch':>14}  difference  speed-up")
    agree = True
    for found in compare_engines(chosen, split_of):
        agree &= found.agrees
        print(
            f"{format_architecture(found.fit.architecture):>20}  {found.precision}    "
            f"{found.native_loss:14.10f}  {found.torch_loss:14.10f}  {found.difference:10.1e}  "
            f"{found.torch_s / found.native_s:7.1f}x{'' if found.agrees else '  TOO LARGE'}"
        )
    limits = ", ".join(f"{limit:g} in {precision}" for precision, limit in TOLERANCES.items())
    verdict = "agree" if agree else "DISAGREE"
    print(f"the engines {verdict}: relative differences of the final test loss up to {limits}")
    return 0 if agree else 1
