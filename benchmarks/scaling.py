"""What a Dask cluster adds to fits on plain threads, and what a fit costs in bytes and in the record.

Run it: ``python benchmarks/scaling.py [--repeats N]``. A scheduler and one or two workers of one thread are
processes of this machine; a repeat trains the same fits on threads and on workers, in turn. On a machine with
two cores the scheduler, this process and the workers share them, which a cluster's do not.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pickle
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, describe_machine, print_table

sys.path.insert(0, str(ROOT / "tests"))
from dask_cluster import DaskProcesses, wait_for

from autoenc.engines import Fit, Outcome
from autoenc.record.fits import FitRecord
from autoenc.record.storage import journal_path, open_storage
from autoenc.searching import run_fits
from autoenc.searching.cluster import DaskCluster
from autoenc.settings import SearchSettings
from autoenc.workflows.job import SearchJob

# Small fits, where overhead shows: the default grid with several seeds, and tiny stacks for a few epochs.
KINDS = {
    "default grid": SearchSettings(seeds=2),
    "tiny fits": SearchSettings(hidden_dims_search=(4, 8), max_layers=2, epochs=4, seeds=60),
}
RECORDED = 10_000


class Alone(DaskCluster):
    """The same cluster without batches."""

    def batch_s(self) -> float:
        """No time: each fit travels alone."""
        return 0.0


def seconds(job: SearchJob, jobs: int, executor: DaskCluster | None = None) -> float:
    outcomes: dict[Fit, Outcome] = {}
    started = time.perf_counter()
    run_fits(job.fits, job.division.split, job.engine, jobs, outcomes.__setitem__, executor=executor)
    took = time.perf_counter() - started
    assert len(outcomes) == len(job.fits)
    return took


def measure(n_workers: int, repeats: int, rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        dask = DaskProcesses(Path(folder))
        try:
            for _ in range(n_workers):
                dask.start_worker()
            for name, settings in KINDS.items():
                compare(name, SearchJob.prepare(settings), dask.address, n_workers, repeats, rows)
        finally:
            dask.stop()


def compare(name: str, job: SearchJob, address: str, n_workers: int, repeats: int, rows) -> None:
    clusters = [kind(address, job.engine, job.division.split) for kind in (DaskCluster, Alone)]
    wait_for(lambda: clusters[0].n_threads() == n_workers)
    for executor in (None, *clusters):  # kernels compiled, data sent
        seconds(job, n_workers, executor)
    runs = [
        (seconds(job, n_workers), *(seconds(job, n_workers, cluster) for cluster in clusters))
        for _ in range(repeats)
    ]
    n = len(job.fits)
    for column, how in enumerate(("threads", "workers", "workers, no batches")):
        took = statistics.median(run[column] for run in runs)
        ratio = statistics.median(run[column] / run[0] for run in runs)
        extra = statistics.median(n_workers * (run[column] - run[0]) / n for run in runs)
        rows.append(
            [f"{name}, {n_workers} {how}", f"{n:,}", f"{took:.2f}", f"{n / took:,.0f}", f"{1 / ratio:.2f}",
             f"{1000 * extra:.2f}" if column else ""]
        )  # fmt: skip
    for cluster in clusters:
        cluster.close()


def bytes_and_record() -> None:
    """Bytes of a fit on the network and in the journal; time to record, load and join many."""
    job = SearchJob.prepare(SearchSettings())
    split = job.division.split("holdout")
    outcomes: dict[Fit, Outcome] = {}
    run_fits(job.fits, job.division.split, job.engine, 2, outcomes.__setitem__)
    batch = job.fits[:20]
    sent, back = len(pickle.dumps(batch)) / 20, len(pickle.dumps([outcomes[fit] for fit in batch])) / 20
    print(
        f"network: data {len(pickle.dumps(split)):,} bytes a worker; a fit {sent:.0f} bytes to the worker "
        f"and {back:.0f} back, in batches of 20"
    )
    originals = [job.fits[i % len(job.fits)] for i in range(RECORDED)]
    copies = [(dataclasses.replace(fit, seed=i), outcomes[fit]) for i, fit in enumerate(originals)]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = journal_path(Path(folder))
        record = FitRecord.of(open_storage(path), job.context)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        for fit, outcome in copies:
            record.add(fit, outcome, "native")
        write_s = time.perf_counter() - started
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)  # Linux counts KiB
        started = time.perf_counter()
        loaded = FitRecord.of(open_storage(path, read_only=True), job.context).outcomes()
        load_s = time.perf_counter() - started
        assert len(loaded) == RECORDED
        print(
            f"record, {RECORDED:,} fits of 20 epochs: {path.stat().st_size / RECORDED:,.0f} bytes a fit "
            f"in the journal, {1e3 * write_s / RECORDED:.2f} ms to record, "
            f"{1e3 * load_s / RECORDED:.2f} ms to load, {grown / RECORDED:,.0f} bytes of memory"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    os.chdir(ROOT)
    print(describe_machine())
    rows = [["fits", "number", "median s", "fits/s", "efficiency", "overhead ms a fit"]]
    for n_workers in (1, 2):
        measure(n_workers, repeats, rows)
    print_table(rows)
    bytes_and_record()


if __name__ == "__main__":
    main()
