"""How fast the default grid trains, beside a per-model PyTorch loop and beside its matrix products alone.

    python benchmarks/grid_speed.py [--repeats N] [--quick]

All sides run in this process, in turn, on the shipped table and the same stacks: the native engine on one and
on two threads, the matrix products alone through BLAS and through the engine's own product, and a PyTorch
training loop on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import mean, median
from typing import NamedTuple

import torch
from common import ROOT, cpu_flags, describe_machine, print_table
from products import blas_pass, own_pass, products_only
from threadpoolctl import threadpool_info, threadpool_limits
from torch_side import Cells, torch_fit

from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import Fit, Recipe, Split, make_engine
from autoenc.models.grid import ArchitectureGrid
from autoenc.searching import run_fits

WIDTHS, MAX_LAYERS, LATENT_DIM, SEED = (16, 32, 64, 128), 3, 3, 42
THREADS = (1, 2)
NATIVE, BLAS, OWN = "native engine", "its products alone, BLAS", "its products alone, own"
PYTORCH = "PyTorch loop"
PRODUCTS = {BLAS: blas_pass, OWN: own_pass}


class Run(NamedTuple):
    """One run of one side: wall time, and time on all cores together, which other programs disturb less."""

    wall_s: float
    cpu_s: float


Runs = dict[tuple[str, int], list[Run]]
"""The runs of each side on each number of threads."""


class Sides:
    """Everything that is compared, on the same fits, longest first as in a search."""

    def __init__(self, fits: Sequence[Fit], split: Split) -> None:
        n_columns = split.values.shape[1]
        self.fits = sorted(fits, key=lambda fit: -fit.network(n_columns).count_multiply_adds())
        self.split = split
        self.engine = make_engine("native", "cpu")
        self.cells = Cells.of(split, split.train), Cells.of(split, split.test)
        self.losses: dict[str, list[float]] = {}

    def train_native(self, threads: int) -> None:
        """Train the fits as the search does, on this many threads."""
        losses: list[float] = []
        run_fits(
            self.fits,
            lambda _: self.split,
            self.engine,
            threads,
            lambda _, outcome: losses.append(outcome.final_test_loss),
        )
        self.losses[NATIVE] = losses

    def train_torch(self) -> None:
        """Train the fits with the PyTorch loop."""
        torch.manual_seed(SEED)
        self.losses[PYTORCH] = [torch_fit(fit, *self.cells) for fit in self.fits]

    def multiply(self, one_pass: Callable[..., None], threads: int) -> None:
        """Do nothing but the matrix products of the fits."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda fit: products_only(one_pass, fit, self.split), self.fits))


def warm_up(split: Split) -> None:
    """Compile, load and touch everything once, outside of all timing."""
    sides = Sides([Fit((16,), LATENT_DIM, Recipe(epochs=1), SEED)], split)
    sides.train_native(1)
    sides.train_torch()
    for one_pass in PRODUCTS.values():
        sides.multiply(one_pass, 1)


def measure(sides: Sides, repeats: int) -> Runs:
    """Time the sides in turn, ``repeats`` times; the PyTorch loop takes so long that it runs once, midway."""
    runs: Runs = {}

    def timed(side: str, threads: int, work: Callable[[], None]) -> None:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        work()
        run = Run(time.perf_counter() - wall_s, time.process_time() - cpu_s)
        runs.setdefault((side, threads), []).append(run)

    for i in range(repeats):
        for threads in THREADS:
            timed(NATIVE, threads, partial(sides.train_native, threads))
            for side, one_pass in PRODUCTS.items():
                timed(side, threads, partial(sides.multiply, one_pass, threads))
        if i == repeats // 2:
            timed(PYTORCH, 1, sides.train_torch)
    return runs


def report(runs: Runs) -> None:
    """Print the seconds and their ratios."""
    rows = [["seconds", "threads", "median", "fastest", "slowest", "CPU", "runs"]]
    for side in (PYTORCH, NATIVE, BLAS, OWN):
        for threads in THREADS:
            if (side, threads) in runs:
                wall_s, cpu_s = zip(*runs[side, threads], strict=True)
                figures = [f"{x:.2f}" for x in (median(wall_s), min(wall_s), max(wall_s), median(cpu_s))]
                rows.append([side, str(threads), *figures, str(len(wall_s))])
    print_table(rows)
    rows = [["ratio", *(f"{threads} thread{'s' if threads > 1 else ''}" for threads in THREADS), "target"]]
    torch_s = runs[PYTORCH, 1][0].wall_s
    natives = {threads: [run.wall_s for run in runs[NATIVE, threads]] for threads in THREADS}
    speed_ups = [f"{torch_s / median(natives[threads]):.1f}" for threads in THREADS]
    rows.append(["PyTorch loop on 1 thread / native", *speed_ups, ">= 25 with 2"])
    for side, target in ((BLAS, "<= 1.8"), (OWN, "")):
        # Runs that follow each other share the machine's mood: the median of their ratios is steadier.
        ratios = (
            median(
                native / run.wall_s for native, run in zip(natives[threads], runs[side, threads], strict=True)
            )
            for threads in THREADS
        )
        rows.append([f"native / {side}", *(f"{ratio:.2f}" for ratio in ratios), target])
    print_table(rows)


def describe_blas() -> str:
    """Which kernels BLAS uses, and a hint where the CPU could do better."""
    kernels = {f"{info['internal_api']} {info.get('architecture', '')}" for info in threadpool_info()}
    text = "BLAS: " + ", ".join(sorted(name for name in kernels if "openblas" in name))
    if "avx512f" in cpu_flags() and "Haswell" in text:
        text += " (no AVX-512, which this CPU has: OPENBLAS_CORETYPE=SkylakeX makes the products faster)"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side but the PyTorch loop")
    parser.add_argument("--quick", action="store_true", help="every third stack only, on all sides")
    options = parser.parse_args()
    print(describe_machine())
    split, _ = split_table(load_table(ROOT / "data" / "stains.csv"), "maxabs", SEED)
    grid = ArchitectureGrid(WIDTHS, MAX_LAYERS)[:: 3 if options.quick else 1]
    sides = Sides([Fit(stack, LATENT_DIM, Recipe(), SEED) for stack in grid], split)
    torch.set_num_threads(1)
    with threadpool_limits(1):  # one BLAS thread per fit
        warm_up(split)
        print(describe_blas())
        print(f"{len(grid)} stacks, {split.train.size} + {split.test.size} rows, {Recipe().epochs} epochs\n")
        report(measure(sides, max(1, options.repeats)))
    print(
        "mean final test loss:",
        ", ".join(f"{side} {mean(losses):.5f}" for side, losses in sides.losses.items()),
    )


if __name__ == "__main__":
    main()
