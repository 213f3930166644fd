"""Whether an autoencoder chosen for its second stage predicts better than one chosen for its reconstruction.

Run it: ``python benchmarks/transfer.py [--seeds N] [--trials N] [--wide] [--cases 0,1]``. For each seed
three tenths of a table are set aside. On the rest two searches of equally many trials are made in one space,
the usual or that of ``transfer_wide.yaml``: a transfer-aware one, and one that is the same but for its
objective, which is the reconstruction loss alone. Labels stand on all rows or on a random share of them. What
follows is trained on the rest, with five seeds each, and judged by the rows set aside:

- transfer: the trial that the search chose;
- lowest value: its trial of the lowest value, without the last round among finalists;
- reconstruction: the trial of the other search with the lowest reconstruction loss; as that says nothing of
  heads, they are those in the middle of the ranges;
- its encoder: the same encoder with the heads of the chosen trial, so that only the encoder differs;
- same trials: of the transfer-aware search's own trials, the one with the lowest reconstruction loss;
- raw features, PCA: the heads of the chosen trial on the features, and on principal components (95 % of the
  variance).

What counts is the part of the objective that comes from the heads: lower is better. All trials are trained
again once, to see how the search's value and the reconstruction loss go with that error (Spearman's rank
correlation). No option was chosen by the digits or by the seeds from 0.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
import pandas as pd
from common import ROOT, describe_machine, print_table
from optuna.trial import FrozenTrial
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer, load_digits

from autoenc.config import load_layers
from autoenc.data.table import Scaling
from autoenc.engines import StopFlag
from autoenc.searching import loop
from autoenc.searching.executors import Threads
from autoenc.settings import TransferSettings, require_settings
from autoenc.two_stage.baselines import representations
from autoenc.two_stage.data import Target, TransferData
from autoenc.two_stage.finalists import judge_finalists, kept_trial
from autoenc.two_stage.folds import Fold
from autoenc.two_stage.job import TransferJob
from autoenc.two_stage.objective import score
from autoenc.two_stage.samplers import make_pruner, make_sampler
from autoenc.two_stage.space import configuration
from autoenc.two_stage.stages import Stages
from autoenc.two_stage.thawed import HeadRecipe
from autoenc.two_stage.trials import TransferTrials

WIDE = ROOT / "configs" / "hyperparameter_search" / "transfer_wide.yaml"
TRAININGS = 5
RECONSTRUCTION = {
    "mae_weight": 0.0,
    "f1_weight": 0.0,
    "recall_weight": 0.0,
    "stage1_weight": 1.0,
    "finalists": 1,
}
SIDES = (
    "transfer", "lowest value", "reconstruction", "its encoder", "same trials", "raw features", "PCA"
)  # fmt: skip


class Run(NamedTuple):
    """A search.

    Attributes:
        errors: Of each side on the rows set aside.
        objective: Rank correlation over all trials of the search's value with that error, by one training.
        stage1: And of the reconstruction loss with it.
    """

    errors: list[float]
    objective: float
    stage1: float


class Case(NamedTuple):
    """A table with the share of its rows that keep their labels, and what is predicted."""

    name: str
    frame: pd.DataFrame
    labelled: float
    options: dict[str, str]


def cases() -> list[Case]:
    shipped = pd.read_csv(ROOT / "data" / "stains.csv").drop(columns="profile")
    cancer = load_breast_cancer(as_frame=True).frame
    cancer["target"] = 1 - cancer["target"]  # malignant is the class to be found
    digits = load_digits(as_frame=True).frame
    digits["target"] %= 2
    only = {"regression_target": "", "classification_target": "target", "scaling": "standard"}
    return [
        Case("breast cancer, 20 % of labels", cancer, 0.2, only),
        Case("shipped data, 10 % of labels", shipped, 0.1, {}),
        Case("shipped data, all labels", shipped, 1.0, {}),
        Case("digits (odd or even), 10 % of labels", digits, 0.1, {**only, "scaling": "maxabs"}),
    ]


def wide() -> dict[str, Any]:
    """The options of the search file that comes with the project."""
    layers, problems = load_layers(None, str(WIDE), {})
    assert not problems, problems
    return {entry.option: entry.value for layer in layers for entry in layer.entries}


def run(case: Case, space: dict[str, Any], seed: int, n_trials: int, folder: Path) -> Run:
    """Make a search on a part of the rows, and judge what it chose by the others."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(case.frame))
    n_aside = round(0.3 * len(order))
    aside, rest = case.frame.iloc[order[:n_aside]], case.frame.iloc[order[n_aside:]].copy()
    settings = require_settings(TransferSettings, {**space, **case.options, "seed": str(seed)})
    names = list(settings.targets.values())
    rest[names] = rest[names].astype(float)
    rest.loc[rng.random(len(rest)) >= case.labelled, names] = np.nan
    path = folder / "rest.csv"
    rest.to_csv(path, index=False)
    settings = settings.model_copy(update={"data_path": str(path), "n_trials": n_trials})
    job = TransferJob.prepare(settings, folder)
    study = search(job)
    blind = search(replace(job, settings=settings.model_copy(update=RECONSTRUCTION)))
    final = job.division.final
    fold = Fold("benchmark", np.arange(len(rest)), final.held_out, job.data.any_label, final.validation)
    held_out = with_labels(job.data, aside)
    again = [settings.model_copy(update={"seed": 1000 * (k + 1) + seed}) for k in range(TRAININGS)]
    stages = [Stages(job.data, each, job.engine) for each in again]

    scaled = stages[0].split(fold).values
    scaling = Scaling.fit(settings.scaling, job.data.table.values, fold.pretrain)
    scaled_aside = scaling.apply(held_out.table.values)

    trials = [trial for trial in study.trials if trial.value is not None]
    by_transfer, by_reconstruction = kept_trial(study), blind.best_trial
    recipe = configuration(by_transfer.params, settings).heads

    def trained(trial: FrozenTrial, k: int, heads: HeadRecipe | None = None) -> float:
        chosen = configuration(trial.params, again[k])
        chosen = replace(chosen, heads=heads or chosen.heads)
        fitted = stages[k].fit(fold, chosen, stages[k].pretrain(fold, chosen))
        outputs = fitted.outputs(fitted.autoencoder.scaling.apply(held_out.table.values))
        return error(held_out, outputs, fitted.units, again[k])

    def plain(transform: Callable[[np.ndarray], np.ndarray], k: int) -> float:
        heads, units = stages[k].fit_heads(fold, transform(scaled[fold.train]), recipe)
        return error(held_out, heads.outputs(transform(scaled_aside)), units, again[k])

    found = [
        [trained(trial, k, heads) for k in range(TRAININGS)]
        for trial, heads in (
            (by_transfer, None),
            (study.best_trial, None),
            (by_reconstruction, middle(settings)),
            (by_reconstruction, recipe),
            (min(trials, key=lambda trial: trial.user_attrs["stage1_loss"]), None),
        )
    ]
    for transform in representations(scaled).values():
        found.append([plain(transform, k) for k in range(TRAININGS)])
    each_error = [trained(trial, 0) for trial in trials]
    correlations = [
        float(spearmanr(values, each_error).statistic)
        for values in ([t.value for t in trials], [t.user_attrs["stage1_loss"] for t in trials])
    ]
    return Run([float(np.mean(side)) for side in found], *correlations)


def middle(settings: TransferSettings) -> HeadRecipe:
    """The heads of someone who has no reason to take others."""
    rate, decay = settings.head_learning_rate_range, settings.head_weight_decay_range
    return HeadRecipe(
        sum(settings.head_dropout_range) / 2, sqrt(rate[0] * rate[1]), sqrt(decay[0] * decay[1])
    )


def search(job: TransferJob) -> optuna.Study:
    """A search in memory, with its finalists."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=make_sampler(job.settings), pruner=make_pruner(job.settings))
    objective, stop = job.objective(), StopFlag()
    threads = Threads(objective, job.n_slots, stop)
    try:
        loop.run(TransferTrials(study, job.settings, objective), objective, threads, stop, n_parallel=1)
        judge_finalists(study, job.settings, objective, threads, stop)
    finally:
        threads.close()
    return study


def with_labels(data: TransferData, frame: pd.DataFrame) -> TransferData:
    """The rows set aside, as data of the same columns and classes."""
    values = np.ascontiguousarray(frame[data.table.columns].to_numpy(np.float32))
    targets = {
        kind: Target(target.name, frame[target.name].to_numpy(float), target.classes)
        for kind, target in data.targets.items()
    }
    table = type(data.table)(values, data.table.columns, "aside")
    return TransferData(table, table, targets)


def error(
    data: TransferData, outputs: Any, units: tuple[float, float] | None, settings: TransferSettings
) -> float:
    return score(data, np.arange(len(data.table.values)), outputs, units).stage2(settings)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first_seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--wide", action="store_true", help="the space of transfer_wide.yaml, not the usual")
    parser.add_argument("--cases", help="which tables, from 0; by default all")
    options = parser.parse_args()
    print(describe_machine())
    started = time.perf_counter()
    heads = [f"beats {side}" for side in SIDES[1:]]
    summary = [["mean of the seeds", *SIDES, *heads, "value ~ error", "stage 1 ~ error"]]
    wanted, space = cases(), wide() if options.wide else {}
    if options.cases is not None:
        wanted = [wanted[int(i)] for i in options.cases.split(",")]
    for case in wanted:
        runs = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(run(case, space, seed, options.trials, Path(folder)))
                told = ", ".join(f"{side} {e:.3f}" for side, e in zip(SIDES, runs[-1].errors, strict=True))
                told += f"; rank correlations {runs[-1].objective:+.2f}, {runs[-1].stage1:+.2f}"
                print(f"{case.name}, seed {seed}: {told}", flush=True)
        table = np.array([each.errors for each in runs])
        wins = [
            f"{int((table[:, 0] < table[:, side]).sum())} ({int((table[:, 0] == table[:, side]).sum())} tied)"
            for side in range(1, len(SIDES))
        ]
        means = [f"{value:.3f}" for value in table.mean(0)]
        ranks = [f"{np.mean([getattr(each, name) for each in runs]):+.2f}" for name in Run._fields[1:]]
        summary.append([case.name, *means, *wins, *ranks])
    print_table(summary)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
