"""What adaptive search gains over random search at equal numbers of trials.

Run it: ``python benchmarks/strategies.py [--seeds N] [--trials N] [--strategies random,tpe]``. On the shipped
data and on scikit-learn's digits every strategy searches the same space with each seed; the seed also divides
the rows, so strategies are compared in pairs. Printed are the medians over seeds of the best validation loss,
and in how many seeds a strategy beats random; the curves go to ``docs/strategies.png``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import optuna
from common import ROOT, describe_machine, print_table
from filelock import FileLock
from sklearn.datasets import load_digits

from autoenc.engines import StopFlag
from autoenc.record.fits import FitRecord
from autoenc.report.plots import COLOURS, log_scale, new_figure, plain_ticks
from autoenc.settings import TuneSettings, require_settings
from autoenc.system.paths import png_content, write_atomically
from autoenc.tuning.job import TuneJob
from autoenc.tuning.study import open_tune_record
from autoenc.tuning.trials import run_tuning

SPACE = {"hidden_size_range": "8,128", "num_layers_range": "1,4", "epochs": 10, "patience": 0}


def best_so_far(path: Path, strategy: str, seed: int, n_trials: int, folder: Path) -> np.ndarray:
    """The best loss after each trial, ``[n_trials]``, one trial at a time."""
    options = {
        **SPACE,
        "data_path": path,
        "strategy": strategy,
        "seed": seed,
        "n_trials": n_trials,
        "jobs": 1,
    }
    job = TuneJob.prepare(
        require_settings(TuneSettings, {name: str(v) for name, v in options.items()}), is_on_disk=False
    )
    storage = optuna.storages.InMemoryStorage()
    study = open_tune_record(storage, job)
    record = FitRecord.of(storage, job.context)
    run_tuning(job, study, record, True, lambda number: None, FileLock(folder / ".ask"), StopFlag())
    values = [np.inf if trial.value is None else trial.value for trial in study.get_trials(deepcopy=False)]
    return np.minimum.accumulate(values)


def draw(curves: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Median curves with the middle half of the seeds, a panel per table."""
    figure = new_figure(11.0, 4.6)
    for axis, (table, by_strategy) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        for i, (strategy, losses) in enumerate(by_strategy.items()):
            trials = np.arange(1, losses.shape[1] + 1)
            low, middle, high = np.percentile(losses, [25, 50, 75], axis=0)
            axis.plot(trials, middle, color=COLOURS[i], label=strategy)
            axis.fill_between(trials, low, high, color=COLOURS[i], alpha=0.15, linewidth=0)
        log_scale(axis, [0.1])
        plain_ticks(axis.xaxis, axis.yaxis)
        axis.set_xlabel("trial")
        axis.set_ylabel("best validation loss so far")
        axis.set_title(f"{table}: median and middle half of {len(losses)} seeds", loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    write_atomically(path, png_content(figure))


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--strategies", default="random,tpe,resilient,cmaes")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "strategies.png")
    options = parser.parse_args()
    print(describe_machine())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    strategies = options.strategies.split(",")
    curves: dict[str, dict[str, np.ndarray]] = {}
    rows = [["table", "strategy", "median best", "against random", "beats random"]]
    with tempfile.TemporaryDirectory() as name:
        digits = Path(name) / "digits.csv"
        load_digits(as_frame=True).data.to_csv(digits, index=False)
        for path in (ROOT / "data" / "stains.csv", digits):
            losses: dict[str, list[np.ndarray]] = {strategy: [] for strategy in strategies}
            for seed in range(options.seeds):
                for strategy in strategies:
                    losses[strategy].append(best_so_far(path, strategy, seed, options.trials, Path(name)))
            found = curves[path.stem] = {strategy: np.array(each) for strategy, each in losses.items()}
            last = {strategy: each[:, -1] for strategy, each in found.items()}
            for strategy, each in last.items():
                change = f"{100 * (np.median(each) / np.median(last['random']) - 1):+.1f} %"
                wins = f"{int((each < last['random']).sum())} of {len(each)}"
                rows.append([path.stem, strategy, f"{np.median(each):.5f}", change, wins])
    print_table(rows)
    draw(curves, options.picture)
    print(f"curves: {options.picture.name}")


if __name__ == "__main__":
    main()
