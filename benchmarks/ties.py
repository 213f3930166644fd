"""How often a stack is wrongly called worse than the best, and how often a better one is found.

    python benchmarks/ties.py                # simulated losses
    python benchmarks/ties.py --searches 40  # searches of tables, too: widths 63 and 64

A simulated loss is the sum of what its fold does to all stacks, of luck of a stack in a fold (correlated
between folds, whose training rows overlap), of luck of the initial weights (the same in all folds), and of
noise. ``short`` trainings leave most of the spread to the weights, ``full`` ones most to the rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from autoenc.analysis.ties import tied_with_best

KINDS = {"short": (0.1, 1.0, 0.5), "full": (1.0, 0.3, 0.7), "noise": (0.0, 0.0, 1.0)}
"""Standard deviations of the luck in a fold, of the weights, and of noise."""


def simulated_losses(
    rng: np.random.Generator, kind: str, shape: tuple[int, int, int], better: float = 0.0, spread: float = 0.0
) -> NDArray[np.float64]:
    """Draw losses of equal stacks, or of one that is better than the others.

    Args:
        rng: The source.
        kind: One of ``KINDS``.
        shape: Stacks, folds, seeds.
        better: By how many standard errors of a difference the first stack is better.
        spread: Standard deviation of the logarithm of the stacks' own scales of luck.

    Returns:
        ``[stacks, folds, seeds]``.
    """
    n_rows, n_folds, n_seeds = shape
    fold, weights, noise = KINDS[kind]
    if n_folds == 1:  # claims are about these rows, on which luck in them is no luck
        fold = 0.0
    share = 1 / n_folds if n_folds > 1 else 0.0
    in_fold = np.sqrt(1 - share) * rng.normal(size=(n_rows, n_folds, 1))
    in_fold = fold * (in_fold + np.sqrt(share) * rng.normal(size=(n_rows, 1, 1)))
    luck = in_fold + weights * rng.normal(size=(n_rows, 1, n_seeds)) + noise * rng.normal(size=shape)
    losses = (
        100 + 3 * rng.normal(size=(1, n_folds, 1)) + np.exp(spread * rng.normal(size=(n_rows, 1, 1))) * luck
    )
    error = fold**2 * (1 - share) * (1 / n_folds + share / (1 - share)) + weights**2 / n_seeds
    losses[0] -= better * np.sqrt(2 * (error + noise**2 / (n_folds * n_seeds)))
    return losses


def rates(kind: str, shape: tuple[int, int, int], n: int, spread: float = 0.0) -> tuple[float, float, float]:
    """Return how often claims are wrong, and how often right.

    Returns:
        How often one of equal stacks is called worse; where one is better by 5 standard errors, how often it
        is left out, and the share of the others that are called worse.
    """
    rng = np.random.default_rng(1)
    ratio = 1 / (shape[1] - 1) if shape[1] > 1 else 0.0
    wrong, missed, found = 0, 0, 0.0
    for _ in range(n):
        wrong += len(tied_with_best(simulated_losses(rng, kind, shape, spread=spread), ratio)) < shape[0]
        tied = tied_with_best(simulated_losses(rng, kind, shape, better=5, spread=spread), ratio)
        missed += 0 not in tied
        found += (shape[0] - len(tied)) / (shape[0] - 1)
    return wrong / n, missed / n, found / n


def searched(n_searches: int) -> Iterator[str]:
    """Yield a line per setting: in how many searches a stack is called worse than its equal."""
    import autoenc

    for name in ("factors", "noise"):
        for epochs in (5, 20, 200):
            for seeds in (2, 6):
                wrong = 0
                for i in range(n_searches):
                    rng = np.random.default_rng(i)
                    table = rng.normal(size=(200, 10))
                    if name == "factors":
                        table = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 10)) + 0.5 * table
                    results = autoenc.search(
                        table, latent_dim=3, hidden_dims_search=(63, 64), max_layers=1, folds=5, seeds=seeds,
                        epochs=epochs, seed=1000 * i, quiet=True,
                    )  # fmt: skip
                    tied = results.selection.tied
                    assert tied is not None
                    wrong += len(tied) < 2
                yield f"{name:<8} {epochs:>3} epochs  {seeds} seeds   {wrong:>3} of {n_searches}"


def main() -> None:
    """Print a table of simulated rates, and of searches where they are asked for."""
    parser = argparse.ArgumentParser(description="Rates of wrong and right claims about stacks.")
    parser.add_argument("--n", type=int, default=1000, help="simulations of each setting")
    parser.add_argument("--searches", type=int, default=0, help="searches of each kind of table, too")
    parser.add_argument(
        "--spread", type=float, default=0.0, help="of the logarithm of the stacks' scales of luck"
    )
    args = parser.parse_args()
    print("          stacks folds seeds   equal ones called worse   the best left out   others called worse")
    for kind in KINDS:
        for n_rows in (2, 6, 34):
            for n_folds in (1, 3, 5, 10):
                for n_seeds in (2, 3, 6):
                    if n_folds > 1 or n_seeds > 2:
                        shape = n_rows, n_folds, n_seeds
                        wrong, missed, found = rates(kind, shape, args.n, args.spread)
                        told = f"{wrong:>21.3f} {missed:>21.3f} {found:>19.3f}"
                        print(f"{kind:<8} {n_rows:>7} {n_folds:>5} {n_seeds:>5} {told}", flush=True)
    for line in searched(args.searches) if args.searches else ():
        print(line, flush=True)


if __name__ == "__main__":
    main()
