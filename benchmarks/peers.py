"""The same grid on the same rows by other tools: time, memory, and the loss of held-out rows.

    python benchmarks/peers.py [--sides autoenc,torch,...] [--max_layers N] [--epochs N]

Each side is a child process of its own, one after the other: the native engine, the PyTorch loop of
``torch_side.py``, joblib over that loop, scikit-learn's MLPRegressor by joblib, JAX with ``vmap`` over the
stacks of each depth, and H2O. A side that cannot be imported is skipped with a word: they come by
``pip install joblib "jax[cpu]" h2o``, and H2O needs Java. All take the same rows, epochs, batch size and
schedule, AdamW, dropout and loss, but for

- MLPRegressor: no norm and no dropout, Adam with an L2 penalty at a constant rate, plain squared error; a
  missing cell counts as 0;
- H2O: no norm, ADADELTA, plain squared error.

Training time includes what a side compiles. Peak memory is that of the largest process of a side, so that
workers of joblib count once. Losses of held-out rows are the sparse-aware one for all sides.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from common import available_cores, describe_machine, print_table, run_child

SIDES = {
    "autoenc": ("autoenc, native engine", ()),
    "torch": ("PyTorch loop", ("torch",)),
    "joblib": ("joblib over the PyTorch loop", ("torch", "joblib")),
    "sklearn": ("MLPRegressor by joblib", ("sklearn", "joblib")),
    "jax": ("JAX, vmap over each depth", ("jax",)),
    "h2o": ("H2O autoencoder", ("h2o",)),
}


def measure(side: str, options: argparse.Namespace) -> list[str]:
    """Run a side; returns its row of the table."""
    title, needed = SIDES[side]
    absent = [name for name in needed if find_spec(name) is None]
    if side == "h2o" and shutil.which("java") is None:
        absent.append("Java")
    if absent:
        print(f"{title} is skipped: no {', '.join(absent)} here")
        return []
    script = Path(__file__).with_name("peer_sides.py")
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        cores = str(available_cores())
        child = run_child([script, side, cores, str(options.max_layers), str(options.epochs), answer])
        said = json.loads(answer.read_text(encoding="utf-8"))
    losses = sorted(said["losses"])
    figures = [child.seconds, said["training_s"], child.cpu_s]
    return [
        title, *(f"{figure:.1f}" for figure in figures), f"{child.peak_mb:.0f}",
        f"{losses[0]:.5f}", f"{losses[len(losses) // 2]:.5f}", str(len(losses)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--max_layers", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    print(describe_machine())
    rows = [
        ["side", "whole s", "training s", "CPU s", "peak MB", "best loss", "median loss", "stacks"],
        *filter(None, (measure(side, options) for side in options.sides.split(","))),
    ]
    print_table(rows)
    for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
