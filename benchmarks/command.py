"""Seconds of the whole default command, imports and plots included: the first time and every time after.

    python benchmarks/command.py [--repeats N]

The first time means empty caches of compiled code and of matplotlib's fonts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from common import Child, describe_machine, print_table, run_child

RUNS = (  # name, target in seconds, options
    ("first time", 12, []),
    ("warm", 6, []),
    ("warm, with latent plane and model", None, ["--latent_dim", "2", "--save_models"]),
)


def run_command(folder: Path, options: list[str]) -> Child:
    """One run: caches in ``folder``, output in a new folder, so that nothing is resumed."""
    caches = {"NUMBA_CACHE_DIR": str(folder / "numba"), "MPLCONFIGDIR": str(folder / "matplotlib")}
    output = tempfile.mkdtemp(dir=folder)
    return run_child(["hyperparam_optimizer.py", "--output_dir", output, *options], caches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="times that all runs are made")
    repeats = max(1, parser.parse_args().repeats)
    print(describe_machine())
    children: dict[str, list[Child]] = {}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, _, options in RUNS:  # all but the first one find their caches filled
                children.setdefault(name, []).append(run_command(Path(folder), options))
    rows = [["seconds", "median", "fastest", "slowest", "CPU", "runs", "target"]]
    for name, target_s, _ in RUNS:
        seconds = [child.seconds for child in children[name]]
        cpu_s = median(child.cpu_s for child in children[name])
        figures = [f"{value:.1f}" for value in (median(seconds), min(seconds), max(seconds), cpu_s)]
        rows.append([name, *figures, str(repeats), f"<= {target_s}" if target_s else ""])
    print_table(rows)


if __name__ == "__main__":
    main()
