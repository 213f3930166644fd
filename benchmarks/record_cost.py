"""What the durable record and the live view add to a search.

Run it: ``python benchmarks/record_cost.py [--repeats N]``. Each repeat trains the default grid without and
with a record, in turn; then a longer search without and with record and live view.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from autoenc.record.fits import FitRecord
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults
from autoenc.report.live import LiveView
from autoenc.searching import run_fits
from autoenc.settings import SearchSettings
from autoenc.system.paths import OutputPaths
from autoenc.workflows.job import SearchJob

LONG_EPOCHS = 600


def train(job: SearchJob, live_view: bool = False, recorded: bool = True) -> tuple[float, float]:
    """Seconds of a search, and of them seconds spent in this thread on record and live view."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        record = FitRecord.of(open_storage(journal_path(Path(folder))), job.context)
        record.note_search(job.note({}))
        results = SearchResults.of(job.settings, record)
        live = LiveView(results, OutputPaths(Path(folder), job.settings.latent_dim), 0) if live_view else None
        spent_s = 0.0

        def done(fit, outcome):
            nonlocal spent_s
            started = time.perf_counter()
            if recorded:
                record.add(fit, outcome, job.engine.name)
            results.outcomes[fit] = outcome
            if live:
                live.refresh()
            spent_s += time.perf_counter() - started

        started = time.perf_counter()
        run_fits(job.fits, job.division.split, job.engine, job.settings.jobs, done)
        return time.perf_counter() - started, spent_s


def compare(job: SearchJob, repeats: int, live_view: bool) -> None:
    """Print medians with and without, in turn."""
    pairs = [(train(job, recorded=False), train(job, live_view)) for _ in range(repeats)]
    plain = statistics.median(without[0] for without, _ in pairs)
    whole = statistics.median(with_[0] for _, with_ in pairs)
    ratio = statistics.median(with_[0] / without[0] for without, with_ in pairs)
    spent = statistics.median(with_[1] for _, with_ in pairs)
    print(f"  without {plain:7.3f} s   with {whole:7.3f} s   ratio of pairs {ratio:.3f}   "
          f"spent on it {1000 * spent:.0f} ms, {100 * spent / plain:.1f} %")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    job = SearchJob.prepare(SearchSettings())
    job.engine.prepare()
    train(job)
    print(f"default grid, {len(job.fits)} stacks: the record (target: under 5 %)")
    compare(job, repeats, live_view=False)
    longer = SearchJob.prepare(SearchSettings(epochs=LONG_EPOCHS))
    print(f"the same for {LONG_EPOCHS} epochs: record and live view (target for the live view: under 3 %)")
    compare(longer, max(1, repeats // 3), live_view=True)


if __name__ == "__main__":
    main()
