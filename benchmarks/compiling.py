"""What compiling the kernels takes, once per machine: seconds of the processor with an empty cache.

    python benchmarks/compiling.py [--repeats N] [--beside CHECKOUT]

Another checkout is measured in turn with this one. Importing NumPy and Numba does not count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import ROOT, describe_machine, print_table

_CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numba, numpy
from autoenc.engines import make_engine
engine = make_engine("native", "cpu")
started = time.process_time(), time.perf_counter()
engine.prepare()
print(time.process_time() - started[0], time.perf_counter() - started[1])
"""


def seconds(checkout: Path) -> tuple[float, float]:
    """Seconds of the processor and on the wall that a checkout's kernels take to compile."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(checkout)],
            env={"PATH": "/usr/bin:/bin", "NUMBA_CACHE_DIR": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    processor, wall = map(float, done.stdout.split())
    return processor, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side")
    parser.add_argument("--beside", type=Path, help="another checkout of the project")
    options = parser.parse_args()
    print(describe_machine())
    checkouts = [ROOT, *([options.beside.resolve()] if options.beside else [])]
    measured: dict[Path, list[tuple[float, float]]] = {checkout: [] for checkout in checkouts}
    for _ in range(max(1, options.repeats)):
        for checkout in checkouts:
            measured[checkout].append(seconds(checkout))
    rows = [["compiling the kernels", "CPU s, median", "fastest", "s on the wall, median"]]
    for checkout, times in measured.items():
        processor, wall = zip(*times, strict=True)
        rows.append(
            [checkout.name, f"{median(processor):.2f}", f"{min(processor):.2f}", f"{median(wall):.2f}"]
        )
    print_table(rows)
    if options.beside:
        here, there = measured.values()
        ratios = [one[0] / other[0] for one, other in zip(here, there, strict=True)]
        print(f"this checkout / the other: {median(ratios):.2f} (CPU s, median of pairs)")


if __name__ == "__main__":
    main()
