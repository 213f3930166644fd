"""Show the searches of a folder from their records, and write their reports again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from autoenc.analysis.study import count_finished, ranked_trials, study_trials
from autoenc.record.fits import FitRecord
from autoenc.record.record import TUNE
from autoenc.report import SearchResults, write_reports
from autoenc.report.files import files_lines
from autoenc.report.finalists import undecided_line
from autoenc.report.live import LiveView, state_of_record, unfinished_state
from autoenc.report.overview import overview
from autoenc.settings import search_settings
from autoenc.system.paths import OutputPaths
from autoenc.system.text import counted, say, warn

__all__ = ["show_search", "show_study", "show_transfer", "where_it_can_write"]


def show_transfer(folder: Path, storage: str | None = None) -> int:
    """Show a transfer-aware search: its best trials, and its reports, written again."""
    from autoenc.report.transfer_reports import write_pictures, write_tables
    from autoenc.two_stage.finalists import n_undecided
    from autoenc.two_stage.record import read_study, stored_settings

    study = read_study(folder / "study.db", "", storage)
    best = ranked_trials(study)[:5]
    say(f"{study.study_name}: {counted(len(study_trials(study)), 'trial')}; the lowest values:")
    for trial in best:
        say(f"trial {trial.number:>4}  {trial.value:.6f}")
    n_trials = stored_settings(study, folder / "study.db")["n_trials"]
    if count_finished(study) < n_trials:
        say(f"{count_finished(study):,} of {counted(n_trials, 'trial')} are done; the same command goes on")
    elif n_undecided(study):
        say(undecided_line(n_undecided(study)))
    say("")
    with where_it_can_write(folder):
        say(*files_lines([*write_tables(study, folder), *(write_pictures(study, folder) if best else [])]))
    return 0


@contextmanager
def where_it_can_write(folder: Path) -> Iterator[None]:
    """Let a search be shown where its reports cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        warn(f"warning: {folder}: the reports cannot be written here: {error.strerror}")


def show_study(study: optuna.Study, folder: Path, running: bool) -> None:
    """Show an adaptive search as its report does; the last used one writes its files last."""
    from autoenc.report.tuning import step_line, steps_of
    from autoenc.report.tuning_write import STATE_FILE, TuneReports
    from autoenc.tuning.results import n_undecided

    note = study.user_attrs[TUNE]
    steps = steps_of(study)
    done = [step for step in steps if step.value is not None]
    n_trials = note["settings"]["n_trials"]
    without = f"{len(steps) - len(done):,} without a result"
    say("", f"{study.study_name}: {len(steps):,} of {counted(n_trials, 'trial')}, {without}")
    for step in sorted(done, key=lambda step: step.value or 0.0)[:5]:
        say(step_line(step, note["baselines"]))
    n_left = n_undecided(study) if len(steps) >= n_trials else 0
    if n_left:
        say(undecided_line(n_left))
    if running:
        return
    left = unfinished_state(folder / STATE_FILE)
    state = left if len(steps) < n_trials or n_left else "finished" if done else "failed"
    say("")
    written = TuneReports(study, folder).write(state, plot=(folder / "figures").exists())
    say(*files_lines(written))


def show_search(record: FitRecord, folder: Path, running: bool) -> None:
    """Show an exhaustive search: its answer, and its reports made again where it is not running."""
    options = search_settings({**record.search["settings"], "output_dir": str(folder)})
    results = SearchResults.of(options, record)
    say(*overview(results))
    if running:
        warn("", "a search is running here; it writes the reports itself")
        return
    paths = OutputPaths(folder, options.latent_size)
    LiveView(results, paths).conclude(state_of_record(results, paths))
    say("")
    say(*files_lines(write_reports(results, paths)))
