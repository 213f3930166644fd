"""How often halving finds the whole grid's winner, or a stack that is tied with it.

Run it: ``python benchmarks/halving.py [--seeds N] [--folds K]``. For each seed the shipped data are divided
anew, the default grid is trained in full by cross-validation, and halving is played on the same folds.
"""

from __future__ import annotations

import argparse

from common import ROOT, describe_machine, print_table

from autoenc.report.results import SearchResults
from autoenc.searching import run_fits
from autoenc.searching.strategies import Halving
from autoenc.settings import SearchSettings
from autoenc.workflows.job import SearchJob


def play(seed: int, folds: int) -> tuple[bool, bool, float, float]:
    """Whether halving found the winner, or a tied stack, and its share of epochs and of multiply-adds."""
    settings = SearchSettings(seed=seed, folds=folds, data_path=str(ROOT / "data" / "stains.csv"))
    job = SearchJob.prepare(settings)
    outcomes: dict = {}

    def train(fits) -> None:
        new = [fit for fit in fits if fit not in outcomes]
        run_fits(new, job.division.split, job.engine, settings.jobs, outcomes.__setitem__)

    train(job.fits)
    note = {"columns": job.table.columns}
    full = SearchResults(settings, note, outcomes).selection
    halving = Halving(job.trials)
    while any(fit not in outcomes for fit in halving.propose(outcomes)):
        train(halving.propose(outcomes))
    results = (trial.result(outcomes) for trial in halving.compared(outcomes))
    found = min((result for result in results if result), key=lambda result: result.loss).trial
    cost = halving.cost(outcomes, len(job.table.columns))
    tied = full.tied or [full.best]
    return (
        found == full.best.trial,
        any(found == result.trial for result in tied),
        cost["epochs_spent"] / cost["epochs_of_the_grid"],
        cost["multiply_adds_share"],
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine())
    runs = [play(seed, options.folds) for seed in range(options.seeds)]
    rows = [
        [str(seed), "yes" if run[0] else "no", "yes" if run[1] else "no"] for seed, run in enumerate(runs)
    ]
    print_table([["seed", "winner found", "winner or tied"], *rows])
    print(f"\nwinner in {sum(run[0] for run in runs)} of {len(runs)} runs")
    print(f"winner or a tied stack in {sum(run[1] for run in runs)} of {len(runs)} (target: 9 of 10)")
    print(f"epochs spent {runs[0][2]:.2f} of the grid's (target: a third)")
    print(f"multiply-adds {sum(run[3] for run in runs) / len(runs):.2f} of the grid's")


if __name__ == "__main__":
    main()
