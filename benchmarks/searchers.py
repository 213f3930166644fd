"""What several searchers on one study gain, and what each store costs a trial.

Run it: ``python benchmarks/searchers.py [--trials N]``. The same random search of small stacks on the shipped
data is made by one process on a journal and on SQLite, and by one, two and four processes on a PostgreSQL
that is started here (Debian's package ``postgresql``). The seconds are those from the first trial's beginning
to the last one's end, so that starting Python does not count; training is what the fits themselves took.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

from common import ROOT, describe_machine, print_table
from optuna.storages import RDBStorage

from autoenc.record.storage import open_storage

sys.path.insert(0, str(ROOT / "tests"))
SPACE = ["--hidden_size_range", "8,64", "--num_layers_range", "1,2", "--epochs", "5", "--strategy", "random"]


def run(n_searchers: int, n_trials: int, storage: list[str], folder: Path) -> None:
    """Tune with so many processes of one thread each."""
    folder.mkdir()
    words = [
        "tune",
        *SPACE,
        "--n_trials",
        str(n_trials),
        "--jobs",
        "1",
        "--output_dir",
        str(folder),
        "--quiet",
    ]
    command = [sys.executable, "-m", "autoenc", *words, *storage]
    searchers = [Popen(command, cwd=ROOT) for _ in range(n_searchers)]
    if any(searcher.wait() for searcher in searchers):
        raise SystemExit("a searcher failed")


def measured(place: str | Path, n_trials: int) -> tuple[float, float]:
    """Seconds of the whole search, and of training alone."""
    storage = open_storage(place, read_only=True)
    study = next(s for s in storage.get_all_studies() if s.study_name.startswith("tune-"))
    trials = storage.get_all_trials(study._study_id)
    assert len(trials) == n_trials, len(trials)
    ends = [trial.datetime_complete for trial in trials if trial.datetime_complete is not None]
    begins = [trial.datetime_start for trial in trials if trial.datetime_start is not None]
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()
    return (max(ends) - min(begins)).total_seconds(), sum(trial.user_attrs["seconds"] for trial in trials)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    from postgres_server import postgres

    print(describe_machine())
    rows = [["record", "searchers", "seconds", "training s", "ms beside training a trial", "trials a second"]]

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def add(name: str, n_searchers: int, place: str | Path) -> None:
            seconds, training = measured(place, options.trials)
            beside = 1000 * (n_searchers * seconds - training) / options.trials
            rate = options.trials / seconds
            rows.append(
                [name, str(n_searchers), f"{seconds:.1f}", f"{training:.1f}", f"{beside:.0f}", f"{rate:.1f}"]
            )

        run(1, options.trials, [], folder / "journal")
        add("journal", 1, folder / "journal" / "study.journal")
        url = f"sqlite:///{folder / 'study.db'}"
        run(1, options.trials, ["--storage", url], folder / "sqlite")
        add("SQLite", 1, url)
        for n in (1, 2, 4):
            with postgres() as url:
                run(n, options.trials, ["--storage", url], folder / f"postgres{n}")
                add("PostgreSQL", n, url)
    print_table(rows)


if __name__ == "__main__":
    main()
