"""Seconds of the whole default command, imports and plots included: the first time and every time after.

    python benchmarks/command.py [--repeats N]

The first time means empty caches of compiled code and of matplotlib's fonts. A run with a single epoch, as a
whole and without what the same fits take by themselves, is compared with the bare import of the libraries
that the program is written with, and its help with that of argparse: as ratios of processor time, which other
programs disturb less.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import ROOT, Child, describe_machine, print_table, run_child

FIRST, WARM, SHORT, AGAIN, PLANE = (
    "first time",
    "warm",
    "warm, one epoch",
    "again, nothing to train",
    "warm, with latent plane and model",
)
IMPORTS, HELP, ARGPARSE = "bare imports", "autoenc --help", "import argparse"
TARGETS = {FIRST: 12, WARM: 6}  # seconds
LIBRARIES = "import numpy, pandas, numba, matplotlib.figure"
WITHOUT_TRAINING = f"{SHORT}, without training"
TRAINING = """
import time
from autoenc.data.division import split_table
from autoenc.data.table import load_table
from autoenc.engines import Fit, Recipe, make_engine
from autoenc.models.grid import ArchitectureGrid
split, _ = split_table(load_table("data/stains.csv"), "maxabs", 42)
fits = [Fit(stack, 3, Recipe(epochs=1), 42) for stack in ArchitectureGrid((16, 32, 64, 128), 3)]
engine = make_engine("native", "cpu")
engine.prepare()
started = time.process_time()
for fit in fits:
    engine.fit(split, fit)
print(time.process_time() - started)
"""


def run_command(folder: Path, output: Path, options: list[str]) -> Child:
    """One run: caches in ``folder``, output in another."""
    return run_child(["hyperparam_optimizer.py", "--output_dir", output, *options], caches(folder))


def caches(folder: Path) -> dict[str, str]:
    """Environment variables by which compiled code and fonts are kept in ``folder``."""
    return {"NUMBA_CACHE_DIR": str(folder / "numba"), "MPLCONFIGDIR": str(folder / "matplotlib")}


def run_all(folder: Path) -> dict[str, Child]:
    """Run everything once."""
    names = (FIRST, WARM, SHORT, PLANE)
    outputs = {name: Path(tempfile.mkdtemp(dir=folder)) for name in names}
    return {  # all but the first one find their caches filled
        FIRST: run_command(folder, outputs[FIRST], []),
        WARM: run_command(folder, outputs[WARM], []),
        SHORT: run_command(folder, outputs[SHORT], ["--epochs", "1"]),
        IMPORTS: run_child(["-c", LIBRARIES], caches(folder)),
        AGAIN: run_command(folder, outputs[WARM], []),
        HELP: run_child(["-m", "autoenc", "--help"]),
        ARGPARSE: run_child(["-c", "import argparse"]),
        PLANE: run_command(folder, outputs[PLANE], ["--latent_dim", "2", "--save_models"]),
    }


def training_s(repeats: int) -> float:
    """Seconds of the processor that the fits of a run with one epoch take, the median of so many times."""
    words = [sys.executable, "-c", TRAINING]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return median(
        float(subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=True).stdout)
        for _ in range(repeats)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="times that all runs are made")
    repeats = max(1, parser.parse_args().repeats)
    print(describe_machine())
    compileall.compile_dir(ROOT / "autoenc", quiet=1)  # as pip does when it installs
    runs: list[dict[str, Child]] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(run_all(Path(folder)))
    rows = [["seconds", "median", "fastest", "slowest", "CPU", "runs", "target"]]
    for name in runs[0]:
        seconds = [children[name].seconds for children in runs]
        cpu_s = median(children[name].cpu_s for children in runs)
        figures = [f"{value:.2f}" for value in (median(seconds), min(seconds), max(seconds), cpu_s)]
        rows.append([name, *figures, str(repeats), f"<= {TARGETS[name]}" if name in TARGETS else ""])
    print_table(rows)
    rows = [["ratio of CPU", "median", "target"]]
    trained_s = training_s(repeats)
    for name, beside, target, less_s in (
        (SHORT, IMPORTS, "", 0.0), (WITHOUT_TRAINING, IMPORTS, "<= 1.3", trained_s),
        (AGAIN, IMPORTS, "<= 1.3", 0.0), (HELP, ARGPARSE, "<= 4", 0.0),
    ):  # fmt: skip
        run = SHORT if name == WITHOUT_TRAINING else name
        ratio = median((children[run].cpu_s - less_s) / children[beside].cpu_s for children in runs)
        rows.append([f"{name} / {beside}", f"{ratio:.2f}", target])
    print_table(rows)
    print(f"its training takes {trained_s:.2f} s of the processor")


if __name__ == "__main__":
    main()
