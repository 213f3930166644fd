"""How memory and time grow: with the number of stacks, and with the size of the table.

    python benchmarks/memory.py [--rows N] [--skip_stacks] [--skip_rows]

Every figure is the peak of a child process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import Child, describe_machine, print_table, run_child

STACKS = (250, 500, 1000, 2000)
MOST_MB = 1000
N_COLUMNS = 24
LARGEST_WIDTH = 64
IMPORTS, COMMAND_OF_FEW = "imports alone", "command, 1,000 rows"
KINDS = ("4 decimals", "single precision", "double precision")
"""Numbers as they are written in a long table: all their digits, but for the first kind."""
MOST_TABLES = 3
EPOCHS = 10

# In a child: this process must stay small, and has no use for numpy.
WRITE_TABLE = """
import sys
import numpy as np
import pandas as pd
path, n_rows, n_columns, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(0)
for start in range(0, n_rows, 50_000):
    dtype = np.float64 if kind == "double precision" else np.float32
    values = rng.random((min(50_000, n_rows - start), n_columns), dtype)
    values = values.round(4) if kind == "4 decimals" else values
    values[rng.random(values.shape) < 0.5] = 0
    frame = pd.DataFrame(values, columns=[f"c{j}" for j in range(n_columns)])
    frame.to_csv(path, mode="a", header=start == 0, index=False)
"""
IMPORT_ONLY = (
    "import autoenc.data.table, autoenc.engines.native, sklearn.model_selection, sklearn.preprocessing"
)
LOAD_TABLE = "import sys; from autoenc.data.table import load_table; load_table(sys.argv[1])"
TRAIN_ONLY = """
import sys
import numpy as np
from autoenc.data.table import Table
from autoenc.data.division import split_table
from autoenc.engines import Fit, Recipe, make_engine
n_rows, n_columns = int(sys.argv[1]), int(sys.argv[2])
values = np.random.default_rng(0).random((n_rows, n_columns), np.float32)
split, _ = split_table(Table(values, [f"c{j}" for j in range(n_columns)], ""), "maxabs", 42)
make_engine("native").fit(split, Fit((16,), 3, Recipe(epochs=1, batch_size=256)))
"""


def write_table(path: Path, n_rows: int, n_columns: int, kind: str = KINDS[0]) -> None:
    """Write a CSV of random numbers of one of ``KINDS``, half of them zeros."""
    run_child(["-c", WRITE_TABLE, path, str(n_rows), str(n_columns), kind])


def search(table: Path, **options: object) -> Child:
    """Run the search command on ``table`` with a new output folder, so that nothing is resumed."""
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    folder = tempfile.mkdtemp(dir=table.parent)
    return run_child(
        ["hyperparam_optimizer.py", "--data_path", table, "--output_dir", folder, "--quiet", *flags]
    )


def widths_for(n_stacks: int) -> list[int]:
    """Widths whose stacks of up to two layers number at least ``n_stacks``.

    They are spread over the same range whatever their number, so that a stack costs about the same in
    every grid.
    """
    n_widths = next(n for n in range(1, LARGEST_WIDTH + 1) if count_stacks(n) >= n_stacks)
    return [round(LARGEST_WIDTH * (i + 1) / n_widths) for i in range(n_widths)]


def count_stacks(n_widths: int) -> int:
    """Non-increasing stacks of one or two layers."""
    return n_widths + n_widths * (n_widths + 1) // 2


def search_stacks(table: Path, widths: list[int]) -> Child:
    """Search the stacks of these widths on ``table``, twice; the faster time counts."""
    text = ",".join(map(str, widths))
    children = [
        search(table, latent_dim=2, max_layers=2, epochs=EPOCHS, hidden_dims_search=text) for _ in range(2)
    ]
    return Child(
        min(child.seconds for child in children),
        min(child.cpu_s for child in children),
        max(child.peak_mb for child in children),
    )


def measure_stacks(folder: Path) -> None:
    """Grids of growing length on a small table."""
    table = folder / "small.csv"
    write_table(table, 200, 8)
    print(f"Stacks: 200 rows x 8 columns, latent size 2, up to 2 layers, {EPOCHS} epochs")
    rows = [["stacks", "seconds", "ms per further stack", "CPU ms", "peak MB", "target"]]
    least_widths = widths_for(1)
    least = search_stacks(table, least_widths)
    n_least = count_stacks(len(least_widths))
    rows.append([str(n_least), f"{least.seconds:.1f}", "", "", f"{least.peak_mb:.0f}", ""])
    for n_stacks in STACKS:
        widths = widths_for(n_stacks)
        n = count_stacks(len(widths))
        child = search_stacks(table, widths)
        further_ms = [
            f"{1000 * (now - then) / (n - n_least):.2f}"
            for now, then in ((child.seconds, least.seconds), (child.cpu_s, least.cpu_s))
        ]
        target = f"< {MOST_MB}" if n_stacks == max(STACKS) else ""
        rows.append([f"{n:,}", f"{child.seconds:.1f}", *further_ms, f"{child.peak_mb:.0f}", target])
    print_table(rows)


def measure_rows(folder: Path, n_rows: int) -> None:
    """One stack on a long table."""
    table = folder / "long.csv"
    write_table(table, n_rows, N_COLUMNS)
    few = folder / "few.csv"
    write_table(few, 1000, N_COLUMNS)
    table_mb = n_rows * N_COLUMNS * 4 / 1e6
    print(
        f"Rows: {n_rows:,} x {N_COLUMNS}, a CSV of {table.stat().st_size / 1e6:.0f} MB; a table is "
        f"{table_mb:.0f} MB in single precision, which counts, and {2 * table_mb:.0f} MB in double; "
        f"one stack, 1 epoch, batch 256"
    )
    options = {"hidden_dims_search": 16, "max_layers": 1, "epochs": 1, "batch_size": 256}
    children = {
        IMPORTS: run_child(["-c", IMPORT_ONLY]),
        "reading the CSV": run_child(["-c", f"{IMPORT_ONLY}\n{LOAD_TABLE}", table]),
        "splitting and training": run_child(["-c", TRAIN_ONLY, str(n_rows), str(N_COLUMNS)]),
        COMMAND_OF_FEW: search(few, **options),
    }
    for kind in KINDS:
        write_table(path := folder / f"{kind}.csv", n_rows, N_COLUMNS, kind)
        children[f"command, {kind}"] = search(path, **options)
        path.unlink()
    rows = [["child", "seconds", "CPU s", "peak MB", "above", "MB", "tables", "in double", "target"]]
    for name, child in children.items():
        # What the command imports, it imports for a short table, too.
        is_command = name.endswith(KINDS)
        for base in (IMPORTS, COMMAND_OF_FEW) if is_command else (IMPORTS,):
            above = child.peak_mb - children[base].peak_mb
            sizes = [f"{above:.0f}", f"{above / table_mb:.2f}", f"{above / table_mb / 2:.2f}"]
            target = f"<= {MOST_TABLES}" if base == COMMAND_OF_FEW else ""
            times = [f"{child.seconds:.1f}", f"{child.cpu_s:.1f}", f"{child.peak_mb:.0f}"]
            rows.append([name, *times, base, *sizes, target])
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the long table")
    parser.add_argument("--skip_stacks", action="store_true", help="leave out the growing grids")
    parser.add_argument("--skip_rows", action="store_true", help="leave out the long table")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        if not options.skip_stacks:
            measure_stacks(Path(folder))
        if not options.skip_rows:
            measure_rows(Path(folder), options.rows)


if __name__ == "__main__":
    main()
