"""Records of many fits: writing them, showing 100,000 of them, and adding ten.

    python benchmarks/many_fits.py [--widths N]

Fits with outcomes that are made up are written as a search writes what ends within 50 ms: many with one
flush. Then ``analyze`` shows the record, and a search adds ten stacks to it, beside the same search in an
empty folder.
Every figure is of a child process of its own; processor time is steadier than time on the wall.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from common import Child, describe_machine, print_table, run_child
from memory import count_stacks, write_table

SEEDS, AT_ONCE = 5, 150
N_SQLITE = 5000
MOST_S, MOST_MB, MOST_START_S = 20, 1000, 3
RATES = {"journal": 3000, "SQLite": 1000}

FILL = """
import sys, time
from pathlib import Path
import numpy as np
from autoenc.engines import Outcome
from autoenc.record.fits import FitRecord
from autoenc.record.storage import journal_path, open_storage
from autoenc.settings import SearchSettings
from autoenc.workflows.job import SearchJob
table, folder, widths, n_seeds, n_fits, at_once, url, answer = sys.argv[1:]
job = SearchJob.prepare(SearchSettings(
    data_path=table, output_dir=folder, hidden_dims_search=tuple(range(1, int(widths) + 1)), max_layers=2,
    seeds=int(n_seeds), latent_dim=2,
))
Path(folder).mkdir(exist_ok=True)
record = FitRecord.of(open_storage(url or journal_path(Path(folder))), job.context)
record.note_search(job.note({}))
rng = np.random.default_rng(0)
fits = job.fits[: int(n_fits)]
curves = rng.random((len(fits), 2, 20)).tolist()
ended = [
    (fit, Outcome(train, test, 0.5, 0.01, {}, 19, None, explained=0.4))
    for fit, (train, test) in zip(fits, curves, strict=True)
]
started, cpu_s = time.perf_counter(), time.process_time()
for start in range(0, len(ended), int(at_once)):
    record.add_all(ended[start : start + int(at_once)], "native")
seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
Path(answer).write_text(f"{len(ended)} {seconds} {cpu_s}")
"""


def fill(folder: Path, table: Path, n_widths: int, n_fits: int, url: str = "") -> tuple[int, float, float]:
    """Fill a record; returns how many fits it holds, and how many were written a second, by both clocks."""
    answer = folder.parent / "answer"
    run_child(["-c", FILL, table, folder, str(n_widths), str(SEEDS), str(n_fits), str(AT_ONCE), url, answer])
    n, seconds, cpu_s = map(float, answer.read_text().split())
    return int(n), n / seconds, n / cpu_s


def add_ten(folder: Path, table: Path) -> Child:
    """Search ten further stacks."""
    widths = ",".join(str(400 + i) for i in range(10))
    options = {"hidden_dims_search": widths, "max_layers": 1, "epochs": 1, "latent_dim": 2}
    flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return run_child(
        ["hyperparam_optimizer.py", "--data_path", table, "--output_dir", folder, "--quiet", *flags]
    )


def measure(folder: Path, n_widths: int) -> None:
    """Print both tables."""
    table = folder / "small.csv"
    write_table(table, 200, 8)
    n_all = count_stacks(n_widths) * SEEDS
    rates = [["written a second", "fits", "wall", "CPU", "target"]]
    journal, half = folder / "journal", folder / "half"
    for name, place, n_fits, url in (
        ("journal", half, n_all // 2, ""),
        ("journal", journal, n_all, ""),
        ("SQLite", folder / "other", N_SQLITE, f"sqlite:///{folder / 'study.db'}"),
    ):
        n, per_s, per_cpu_s = fill(place, table, n_widths, n_fits, url)
        rates.append([name, f"{n:,}", f"{per_s:,.0f}", f"{per_cpu_s:,.0f}", f">= {RATES[name]:,}"])
    print_table(rates)
    rows = [["with a journal of", "command", "seconds", "CPU s", "peak MB", "target"]]
    shutil.copytree(journal, folder / "added")
    bare = add_ten(folder / "empty", table)
    for n, name, child, target in (
        (n_all // 2, "analyze", analyze(half), ""),
        (n_all, "analyze", analyze(journal), f"<= {MOST_S} s, {MOST_MB} MB"),
        (0, "search ten more", bare, ""),
        (n_all, "search ten more", add_ten(folder / "added", table), f"<= {MOST_START_S} s more"),
    ):
        figures = [f"{child.seconds:.1f}", f"{child.cpu_s:.1f}", f"{child.peak_mb:.0f}"]
        rows.append([f"{n:,} fits", name, *figures, target])
    print_table(rows)


def analyze(folder: Path) -> Child:
    """Show a search."""
    return run_child(["-m", "autoenc", "analyze", folder])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--widths", type=int, default=199, help="widths of the grid; 199 make 100,495 fits")
    n_widths = parser.parse_args().widths
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), n_widths)


if __name__ == "__main__":
    main()
