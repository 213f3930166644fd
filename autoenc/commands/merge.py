"""``merge``: join the records of shards, with a certificate that nothing is missing or doubled."""

from __future__ import annotations

from pathlib import Path

from autoenc.engines import Fit, Outcome
from autoenc.errors import InputError
from autoenc.models.grid import format_architecture
from autoenc.record.lock import RecordLock
from autoenc.record.record import Record, records_in
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults, write_reports
from autoenc.report.live import LiveView, state_of_record
from autoenc.searching.trials import trained_trials_of
from autoenc.settings import MergeSettings, SearchSettings
from autoenc.system.paths import OutputPaths, check_folder
from autoenc.system.text import say, warn

__all__ = ["merge"]


def merge(settings: MergeSettings) -> int:
    """Join every record found in the folders into one in the output folder; doing it again changes nothing.

    Returns:
        The exit code: 1 while a fit of the grid is missing.

    Raises:
        InputError: If a folder holds no record, or the output folder cannot be used.
    """
    sources = _sources([Path(folder) for folder in settings.folders])
    out = Path(settings.output_dir)
    check_folder(out)
    complete = True
    with RecordLock(journal_path(out)):
        OutputPaths(out, 0).remove_leftovers()
        storage = open_storage(journal_path(out))
        for name in sorted({record.context.name for record in sources}):
            parts = [record for record in sources if record.context.name == name]
            complete &= _join(parts, Record.open(storage, parts[0].context), out)
    return 0 if complete else 1


def _sources(folders: list[Path]) -> list[Record]:
    problems, records = [], []
    for folder in folders:
        journals = sorted([*folder.glob("study.journal"), *folder.glob("study.shard-*-of-*.journal")])
        found = [
            r for journal in journals for r in records_in(open_storage(journal, read_only=True)) if r.search
        ]
        if not found:
            problems.append(f"{folder}: holds no record of a search")
        records += found
    if problems:
        raise InputError(problems)
    return records


def _join(parts: list[Record], target: Record, out: Path) -> bool:
    """Join the records of one context; prints the certificate and says whether it is complete."""
    options = [SearchSettings.model_validate({**p.search["settings"], "shard": None}) for p in parts]
    # Where the grids differ the joined one is that which holds most; the rest would not be its own.
    widest = max(options, key=lambda option: sum(len(trial.fits) for trial in trained_trials_of(option)))
    option = widest.model_copy(update={"output_dir": str(out)})
    found, n_twice, engines = _collect(parts)
    known = target.outcomes()
    wanted = (fit for trial in trained_trials_of(option) for fit in trial.fits)
    for fit in wanted:
        if fit in found and (fit not in known or (known[fit].failure and not found[fit].failure)):
            target.add(fit, found[fit], engines[fit])
    note = {**parts[0].search, "settings": option.model_dump(mode="json")}
    note.pop("ensemble", None)  # chosen among a part of the fits; a search in this folder chooses among all
    target.note_search(note)
    results = SearchResults.of(option, target)
    paths = OutputPaths(out, option.latent_size)
    LiveView(results, paths).conclude("incomplete" if results.missing else state_of_record(results, paths))
    written = write_reports(results, paths)
    say(*_certificate(results, len(parts), n_twice))
    for word, path in [*written, ("record", journal_path(out))]:
        say(f"{word:<13} {path}")
    return not results.missing


def _collect(parts: list[Record]) -> tuple[dict[Fit, Outcome], int, dict[Fit, str]]:
    """Every fit of the parts once, how many stand in more than one, and which engine trained each."""
    found: dict[Fit, Outcome] = {}
    engines: dict[Fit, str] = {}
    twice: set[Fit] = set()
    for part in parts:
        for fit, outcome in part.outcomes().items():
            earlier = found.get(fit)
            if earlier is not None and earlier.failure is None and outcome.failure is None:
                twice.add(fit)
                if earlier.test_losses != outcome.test_losses and engines[fit] == part.search["engine"]:
                    warn(
                        f"warning: {format_architecture(fit.architecture)} stands in two records with other "
                        f"losses, {earlier.final_test_loss!r} and {outcome.final_test_loss!r}; "
                        "the first is kept",
                    )
            elif earlier is None or earlier.failure is not None:
                found[fit], engines[fit] = outcome, part.search["engine"]
    return found, len(twice), engines


def _certificate(results: SearchResults, n_records: int, n_twice: int) -> list[str]:
    n_done = len(results.trained) - len(results.missing)
    fits = [fit for trial in results.trained for fit in trial.fits]
    n_fits = sum(fit in results.outcomes for fit in fits)
    of_fits = f" ({n_fits:,} of {len(fits):,} fits)" if len(fits) > len(results.trained) else ""
    lines = [
        f"latent size {results.settings.latent_size}: {n_done:,} of {len(results.trained):,} stacks{of_fits} "
        f"from {n_records} record(s)",
        "none twice" if not n_twice else f"{n_twice:,} in more than one record, counted once",
    ]
    if results.failed:
        lines.append(f"{len(results.failed):,} of them failed")
    if results.missing:
        names = [trial.name for trial in results.missing]
        lines.append(f"MISSING {len(names):,}: {'; '.join(names[:20])}{' ...' if len(names) > 20 else ''}")
    else:
        lines.append("complete")
    return lines
