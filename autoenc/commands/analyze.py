"""``analyze``: a search as its record tells it, also while it runs."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna

from autoenc.analysis.study import ranked_trials, study_trials
from autoenc.errors import InputError
from autoenc.record.lock import is_held
from autoenc.record.record import TUNE, Record, records_in
from autoenc.record.runs import mark_interrupted
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults, write_reports
from autoenc.report.live import LiveView, state_of_record, unfinished_state
from autoenc.report.overview import overview
from autoenc.report.tuning import step_line, steps_of
from autoenc.report.tuning_write import STATE_FILE, TuneReports
from autoenc.settings import AnalyzeSettings, SearchSettings
from autoenc.system.paths import OutputPaths, remove_leftovers
from autoenc.system.text import say, warn
from autoenc.tuning.study import tune_studies

__all__ = ["analyze"]


def analyze(settings: AnalyzeSettings) -> int:
    """Print every search of a folder and rebuild its reports from the record alone.

    While a search runs there its own reports are left to it.

    Raises:
        InputError: If the folder holds no record.
    """
    folder = Path(settings.folder)
    mark_interrupted(folder)
    journal = journal_path(folder)
    if settings.storage is None and not journal.exists() and (folder / "study.db").exists():
        return _show_transfer(folder)
    if settings.storage is None and not journal.exists():
        raise InputError(
            f"{folder}: there is no {journal.name} here; search and tune make one; a record that "
            "is elsewhere is named by --storage"
        )
    storage = open_storage(settings.storage or journal, read_only=True)
    records = [record for record in records_in(storage) if record.search]
    studies = tune_studies(storage)
    if not records and not studies:
        raise InputError(f"{settings.storage or journal}: holds no search yet")
    running = is_held(journal)
    if not running:
        with suppress(OSError):  # a folder that may only be read
            remove_leftovers(folder)
    latest: dict[int, Record] = {}
    for record in sorted(records, key=lambda record: record.last_used):
        latest[record.context.latent_dim] = record
    for record in latest.values():
        with _where_it_can_write(folder):
            _show(record, folder, running)
    for study in studies:
        with _where_it_can_write(folder):
            _show_study(study, folder, running)
    older = len(records) - len(latest)
    if older:
        say("", f"{older} older search(es), with other data or another recipe, are kept in the record too")
    return 0


def _show_transfer(folder: Path) -> int:
    """A transfer-aware search: its best trials, and its reports made again."""
    from autoenc.report.transfer_reports import write_pictures, write_tables
    from autoenc.two_stage.record import read_study

    study = read_study(folder / "study.db", str(folder))
    best = ranked_trials(study)[:5]
    say(f"{study.study_name}: {len(study_trials(study)):,} trials; the lowest values:")
    for trial in best:
        say(f"trial {trial.number:>4}  {trial.value:.6f}")
    say("")
    with _where_it_can_write(folder):
        for word, path in [*write_tables(study, folder), *(write_pictures(study, folder) if best else [])]:
            say(f"{word:<13} {path}")
    return 0


@contextmanager
def _where_it_can_write(folder: Path) -> Iterator[None]:
    """Let a search be shown where its reports cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        warn(f"warning: {folder}: the reports cannot be written here: {error.strerror}")


def _show_study(study: optuna.Study, folder: Path, running: bool) -> None:
    """An adaptive search, as the report for people tells it; the last used one writes its files last."""
    note = study.user_attrs[TUNE]
    steps = steps_of(study)
    done = [step for step in steps if step.value is not None]
    n_trials = note["settings"]["n_trials"]
    without = f"{len(steps) - len(done):,} without a result"
    say("", f"{study.study_name}: {len(steps):,} of {n_trials:,} trials, {without}")
    for step in sorted(done, key=lambda step: step.value or 0.0)[:5]:
        say(step_line(step, note["baselines"]))
    if running:
        return
    left = unfinished_state(folder / STATE_FILE)
    state = left if len(steps) < n_trials else "finished" if done else "failed"
    say("")
    for word, path in TuneReports(study, folder).write(state, plot=(folder / "figures").exists()):
        say(f"{word:<13} {path}")


def _show(record: Record, folder: Path, running: bool) -> None:
    options = SearchSettings.model_validate({**record.search["settings"], "output_dir": str(folder)})
    results = SearchResults.of(options, record)
    say(*overview(results))
    if running:
        warn("", "a search is running here; it writes the reports itself")
        return
    paths = OutputPaths(folder, options.latent_size)
    LiveView(results, paths).conclude(state_of_record(results, paths))
    say("")
    for word, path in write_reports(results, paths):
        say(f"{word:<13} {path}")
