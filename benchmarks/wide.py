"""How fast single networks train, narrow to wide, beside PyTorch and beside what the machine can do.

    python benchmarks/wide.py [--repeats N] [--rows TEXT] [--no_torch] [--threads N]

Every network is trained for an epoch by the native engine and by the PyTorch loop, on one thread, in turn.
The native engine's products are counted, and compared with the rate of a large single-precision product;
networks whose parameters stream through memory also with a loop over three arrays of their size. Both rates
are measured in between. Times are those of the processor, but for the last column: there one fit on one
thread and on several are compared by the clock on the wall, in turn, which says little on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from common import available_cores, describe_machine, print_table
from grid_speed import describe_blas
from numba import njit
from threadpoolctl import threadpool_limits
from torch_side import Cells, torch_fit

from autoenc.engines import Fit, Recipe, Split, make_engine, native_training
from autoenc.engines.cores import Cores


class Network(NamedTuple):
    """A network, and the rows that it is trained on in an epoch."""

    n_columns: int
    hidden: tuple[int, ...]
    batch_size: int
    n_rows: int
    streams: bool = False

    def __str__(self) -> str:
        stack = "-".join(map(str, self.hidden))
        return f"{self.n_columns} columns, {stack}, batch {self.batch_size}"

    @property
    def n_weights(self) -> int:
        """Weights of all products."""
        widths = [self.n_columns, *self.hidden, LATENT_DIM]
        return 2 * sum(a * b for a, b in pairwise(widths))

    @property
    def n_operations(self) -> int:
        """Operations of a fit's products: three of a step, and one for the loss over all rows at the end."""
        return 2 * self.n_weights * self.n_rows * 4

    def fit(self) -> Fit:
        """One epoch of it."""
        return Fit(self.hidden, LATENT_DIM, Recipe(epochs=1, batch_size=self.batch_size), SEED)

    def split(self) -> Split:
        """Random rows: what they are does not matter to the time."""
        values = np.random.default_rng(0).random((self.n_rows + 32, self.n_columns), np.float32)
        rows = np.arange(len(values))
        return Split(values, rows[: self.n_rows], rows[self.n_rows :])


LATENT_DIM, SEED = 8, 0
NETWORKS = (
    Network(24, (128, 64), 32, 16_000),
    Network(64, (256, 128), 32, 16_000),
    Network(784, (512, 256), 128, 5_000),
    Network(784, (1024, 512, 256), 256, 2_560),
    Network(5_000, (512, 128), 32, 1_024, True),
    Network(20_000, (256,), 32, 512, True),
    Network(24, (64, 32), 1024, 200_000),
)


@njit(nogil=True)
def _stream(a, b, c):
    for i in range(a.size):
        a[i] += 1
        b[i] += 1
        c[i] += 1


def product_rate() -> float:
    """Operations a second of a large product, by whichever library is faster."""
    n = 1024
    arrays = [np.random.default_rng(0).random((n, n), np.float32) for _ in range(3)]
    tensors = [torch.from_numpy(array) for array in arrays]
    seconds = [
        min(_timed(lambda: np.dot(arrays[0], arrays[1], arrays[2])) for _ in range(3)),
        min(_timed(lambda: torch.mm(tensors[0], tensors[1], out=tensors[2])) for _ in range(3)),
    ]
    return 2 * n**3 / min(seconds)


def stream_rate(n_parameters: int) -> float:
    """Bytes a second that are read and written by a loop over three arrays, as AdamW has to."""
    arrays = [np.zeros(n_parameters, np.float32) for _ in range(3)]
    _stream(*arrays)
    return 2 * 3 * 4 * n_parameters / min(_timed(lambda: _stream(*arrays)) for _ in range(3))


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()  # other programs have a part in the time on the wall
    work()
    return time.process_time() - started


def _on_the_wall(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def by_threads(split: Split, fit: Fit, repeats: int, n_threads: int) -> str:
    """How many times as fast a fit is on several threads as on one: the median of pairs."""
    engines = [make_engine("native", "cpu", n_cores=n) for n in (1, n_threads)]
    native_training.CORES = Cores(lambda: 0)  # whatever else the machine does
    ratios = []
    for _ in range(repeats):
        alone, together = (_on_the_wall(lambda one=engine: one.fit(split, fit)) for engine in engines)
        ratios.append(alone / together)
    return f"{median(ratios):.2f}"


def measure(network: Network, repeats: int, with_torch: bool, n_threads: int) -> list[str]:
    """One line of the table."""
    split, fit, engine = network.split(), network.fit(), make_engine("native", "cpu")
    cells = Cells.of(split, split.train), Cells.of(split, split.test)
    native_s, torch_s, rates, bounds = [], [], [], []
    for _ in range(repeats):
        native_s.append(_timed(lambda: engine.fit(split, fit)))
        if with_torch:
            torch_s.append(_timed(lambda: torch_fit(fit, *cells)))
        rates.append(product_rate())
        if network.streams:
            n_steps, n_passes = network.n_rows / network.batch_size, 6 + 1 + 1  # AdamW's, forward, final loss
            n_bytes = n_passes * 4 * network.n_weights * n_steps
            bounds.append(n_bytes / stream_rate(network.n_weights))
    achieved = [network.n_operations / seconds for seconds in native_s]
    shares = [one / rate for one, rate in zip(achieved, rates, strict=True)]
    slower = [one / other for one, other in zip(torch_s, native_s, strict=False)]
    of_memory = [bound / seconds for bound, seconds in zip(bounds, native_s, strict=False)]
    return [
        str(network),
        f"{median(native_s):.3f}",
        f"{median(achieved) / 1e9:.0f}",
        f"{median(rates) / 1e9:.0f}",
        f"{median(shares):.0%}",
        f"{median(of_memory):.0%}" if of_memory else "",
        f"{median(slower):.2f}" if slower else "",
        by_threads(split, fit, repeats, n_threads) if n_threads > 1 else "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side")
    parser.add_argument("--rows", default="", help="only networks whose name contains this")
    parser.add_argument("--no_torch", action="store_true", help="without the PyTorch loop")
    parser.add_argument("--threads", type=int, default=min(2, available_cores()), help="compared with one")
    options = parser.parse_args()
    print(describe_machine())
    torch.set_num_threads(1)
    head = ["one fit, 1 thread", "native s", "GFLOP/s", "machine", "share", "of memory", "PyTorch / native"]
    head.append(f"1 / {options.threads} threads")
    rows = [head]
    with threadpool_limits(1):
        print(f"{describe_blas()}\n")
        make_engine("native", "cpu").prepare()
        for network in NETWORKS:
            if options.rows in str(network):
                rows.append(measure(network, max(1, options.repeats), not options.no_torch, options.threads))
    print_table(rows)


if __name__ == "__main__":
    main()
