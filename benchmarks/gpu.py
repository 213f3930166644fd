"""How fast many fits train at once on a GPU, beside one after the other there and beside the machine's cores.

    python benchmarks/gpu.py [--device cuda] [--cases a,b,c,d] [--loop_fits N] [--compiled]

For each case: the stacked engine, on a GPU also with products rounded to TF32; a PyTorch loop that trains
one model after the other on the same device, also compiled by ``torch.compile``; the native engine on all
cores; and the share of the device's measured float32 rate of matrix products that the stacked engine reaches.
Of the sides that take long some fits are timed, spread over the grid, and the others taken to last as long
for each step (loops) or multiply-add.
Without a GPU all cases run at a reduced size, to show that they run; their figures mean nothing for a GPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from common import ROOT, available_cores, describe_machine, print_table
from torch_side import Cells, torch_fit

from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import Engine, Fit, Recipe, Split, make_engine
from autoenc.engines.verify import spread
from autoenc.models.grid import ArchitectureGrid
from autoenc.searching import run_fits
from autoenc.searching.fits import fit_work

SEED = 42


class Case(NamedTuple):
    """Fits with the rows that they are trained on."""

    name: str
    fits: list[Fit]
    splits: dict[str, Split]

    def split_of(self, fit: Fit) -> Split:
        """The rows of a fit."""
        return self.splits[fit.fold]

    def work(self, fits: Sequence[Fit]) -> float:
        """Multiply-adds of their training, forward."""
        return float(sum(fit_work(fit, self.split_of(fit)) for fit in fits))

    def n_steps(self, fits: Sequence[Fit]) -> int:
        """Steps of their training."""
        return sum(
            -(-self.split_of(fit).train.size // fit.recipe.batch_size) * fit.recipe.last_epoch for fit in fits
        )


def stains() -> Split:
    """The shipped table, scaled and divided."""
    return split_table(load_table(ROOT / "data" / "stains.csv"), "maxabs", SEED)[0]


def random_split(n_rows: int, n_columns: int) -> Split:
    """A table of random numbers of low rank, half of them 0, four fifths to train on."""
    rng = np.random.default_rng(SEED)
    factors = rng.random((n_rows, 8), np.float32) @ rng.random((8, n_columns), np.float32)
    values = np.where(rng.random((n_rows, n_columns), np.float32) < 0.5, 0, factors / 8).astype(np.float32)
    order = rng.permutation(n_rows)
    return Split(values, np.sort(order[: n_rows * 4 // 5]), np.sort(order[n_rows * 4 // 5 :]))


def folds_of(split: Split, n_folds: int) -> dict[str, Split]:
    """The training rows divided into folds."""
    parts = np.array_split(np.random.default_rng(SEED).permutation(split.train), n_folds)
    return {
        f"{k + 1}/{n_folds}": Split(
            split.values, np.sort(np.concatenate([*parts[:k], *parts[k + 1 :]])), np.sort(parts[k])
        )
        for k in range(n_folds)
    }


def case_a(is_small: bool) -> Case:
    """The default grid."""
    recipe = Recipe(epochs=2 if is_small else 20)
    grid = ArchitectureGrid((16, 32, 64, 128), 3)[:: 4 if is_small else 1]
    return Case(
        "a: the default grid", [Fit(widths, 3, recipe, SEED) for widths in grid], {"holdout": stains()}
    )


def case_b(is_small: bool) -> Case:
    """The default grid with folds and seeds."""
    recipe, splits = Recipe(epochs=1 if is_small else 20), folds_of(stains(), 5)
    grid = ArchitectureGrid((16, 32, 64, 128), 3)[:: 12 if is_small else 1]
    seeds = range(SEED, SEED + (2 if is_small else 5))
    fits = [Fit(widths, 3, recipe, seed, fold) for widths in grid for fold in splits for seed in seeds]
    return Case("b: it with 5 folds and 5 seeds", fits, splits)


def case_c(is_small: bool) -> Case:
    """Wide stacks on a long and wide table."""
    recipe = Recipe(epochs=1 if is_small else 3, batch_size=32 if is_small else 1024)
    widths = (64, 128) if is_small else (512, 1024, 2048)
    split = random_split(400, 64) if is_small else random_split(100_000, 512)
    fits = [Fit(stack, 16, recipe, SEED) for stack in ArchitectureGrid(widths, 2)]
    return Case("c: widths to 2048, 100,000 x 512", fits, {"holdout": split})


def case_d(is_small: bool) -> Case:
    """A table like the images of digits."""
    recipe = Recipe(epochs=1 if is_small else 5, batch_size=32 if is_small else 256)
    widths = (16, 32) if is_small else (64, 128, 256, 512)
    split = random_split(300, 784) if is_small else random_split(60_000, 784)
    fits = [Fit(stack, 16, recipe, SEED) for stack in ArchitectureGrid(widths, 2)]
    return Case("d: 60,000 x 784", fits, {"holdout": split})


CASES: dict[str, Callable[[bool], Case]] = {"a": case_a, "b": case_b, "c": case_c, "d": case_d}


def synchronized(device: str) -> float:
    """The time once the device has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def matrix_rate(device: str, is_small: bool) -> float:
    """Multiply-adds a second of a large float32 product, the best of several."""
    size = 512 if is_small else 8192
    left, right = (torch.rand(size, size, device=device) for _ in range(2))
    best = 0.0
    for _ in range(5):
        started = synchronized(device)
        for _ in range(4):
            left @ right
        best = max(best, 4 * size**3 / (synchronized(device) - started))
    return best


def stacked_seconds(case: Case, engine: Engine, device: str) -> tuple[float, list[float]]:
    """Time of all fits together, and their final test losses, by place."""
    losses: dict[Fit, float] = {}
    short = [replace(fit, recipe=replace(fit.recipe, stop_after=1)) for fit in case.fits[:2]]
    run_fits(short, case.split_of, engine, 1, lambda *_: None)  # what is loaded once is no part of it
    started = synchronized(device)
    run_fits(
        case.fits, case.split_of, engine, 1,
        lambda fit, outcome: losses.__setitem__(fit, outcome.final_test_loss),
    )  # fmt: skip
    return synchronized(device) - started, [losses[fit] for fit in case.fits]


def loop_seconds(case: Case, chosen: Sequence[Fit], device: str, compiled: bool) -> tuple[float, float]:
    """Time of all fits one after the other, from some of them, and the mean of their final test losses.

    What is compiled or loaded once for a fit is left out: one short training of each goes before.
    """
    seconds, losses = 0.0, []
    for fit in chosen:
        split = case.split_of(fit)
        cells = Cells.of(split, split.train, device), Cells.of(split, split.test, device)
        torch.compiler.reset()  # or after some stacks of other shapes it no longer compiles any
        torch_fit(replace(fit, recipe=replace(fit.recipe, epochs=1)), *cells, compiled)
        started = synchronized(device)
        losses.append(torch_fit(fit, *cells, compiled))
        seconds += synchronized(device) - started
    return seconds * case.n_steps(case.fits) / case.n_steps(chosen), float(np.mean(losses))


def native_seconds(case: Case, chosen: Sequence[Fit]) -> float:
    """Time of all fits by the native engine on all cores, from some of them."""
    engine, n_cores = make_engine("native"), available_cores()
    engine.prepare()
    fits = list(chosen) if len(chosen) >= n_cores else [chosen[i % len(chosen)] for i in range(n_cores)]
    started = time.perf_counter()
    with ThreadPoolExecutor(n_cores) as pool:
        list(pool.map(lambda fit: engine.fit(case.split_of(fit), fit), fits))
    return (time.perf_counter() - started) * case.work(case.fits) / case.work(fits)


def measure(case: Case, device: str, n_loop_fits: int, compiled: bool, rate: float) -> None:
    """Time all sides of a case and print them."""
    chosen = [case.fits[i] for i in spread(len(case.fits), n_loop_fits)]
    seconds, losses = stacked_seconds(case, make_engine("stacked", device), device)
    of_chosen = float(np.mean([loss for fit, loss in zip(case.fits, losses, strict=True) if fit in chosen]))
    loop_s, loop_loss = loop_seconds(case, chosen, device, False)
    sides = {"stacked engine": seconds, f"PyTorch loop, from {len(chosen)} fits": loop_s}
    if device != "cpu":
        sides["stacked engine, TF32"] = stacked_seconds(case, make_engine("stacked_tf32", device), device)[0]
    if compiled:
        sides[f"it compiled, from {len(chosen)} fits"] = loop_seconds(case, chosen, device, True)[0]
    sides[f"native engine, {available_cores()} cores, from {len(chosen)} fits"] = native_seconds(case, chosen)
    rows = [[f"{case.name}: {len(case.fits)} fits", "seconds", "times the stacked engine's"]]
    rows += [[name, f"{own:.2f}", f"{own / seconds:.2g}"] for name, own in sides.items()]
    print_table(rows)
    share = 3 * case.work(case.fits) / seconds / rate
    print(f"{100 * share:.1f} % of the rate of float32 products ({2e-12 * rate:.2f} TFLOP/s)")
    print(f"mean final test loss of these fits: stacked {of_chosen:.5f}, loop {loop_loss:.5f}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cases", default="a,b,c,d", help="which of them")
    parser.add_argument("--loop_fits", type=int, default=3, help="fits that the other sides train")
    parser.add_argument("--compiled", action="store_true", help="time the compiled loop, too")
    options = parser.parse_args()
    is_small = options.device == "cpu"
    print(describe_machine())
    if is_small:
        print("no GPU: all cases at a reduced size, on one core; the figures for a GPU are still owed\n")
    else:
        print(torch.cuda.get_device_name(options.device), "\n")
    torch.set_num_threads(1)
    rate = matrix_rate(options.device, is_small)
    for name in options.cases.split(","):
        measure(CASES[name](is_small), options.device, options.loop_fits, options.compiled, rate)


if __name__ == "__main__":
    main()
