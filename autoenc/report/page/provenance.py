"""How a search was made: its options, the machine, the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autoenc.errors import InputError
from autoenc.record.runs import FOLDER, read_run
from autoenc.report.results import SearchResults
from autoenc.report.study_results import StudyResults
from autoenc.settings import SearchSettings, Settings, TransferSettings, TuneSettings
from autoenc.settings.options import options_of

if TYPE_CHECKING:
    from autoenc.report.base import Results

__all__ = ["Provenance", "provenance_of"]

_OF_SEARCH = ("engine", "device", "n_rows", "n_train", "n_test", "fingerprint")


class Provenance(NamedTuple):
    """How a search was made.

    Attributes:
        options: By name.
        environment: What is known of table and machine, by name.
        command: What was typed; None where that is not known.
    """

    options: dict[str, Any]
    environment: dict[str, Any]
    command: str | None


def provenance_of(results: Results, folder: Path | None = None) -> Provenance:
    """Return how a search was made.

    Args:
        results: The search.
        folder: Its files; by default those at the ``output_dir`` of its options.
    """
    options, known = _options(results)
    place = folder or (Path(str(options.get("output_dir", ""))) if results.is_of_table else None)
    run = {} if place is None else _run(options, type(results), place)
    noted = {name: known[name] for name in _OF_SEARCH if name in known}
    if "fingerprint" not in noted and run.get("data_fingerprint"):
        noted["fingerprint"] = run["data_fingerprint"]
    machine = known.get("environment") or run.get("environment", {})
    line = run.get("command_line")
    command = None if not line else line if isinstance(line, str) else " ".join(map(str, line))
    return Provenance(options, {**noted, **machine}, command)


def _options(results: Results) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the options, and what the record notes beside them."""
    if isinstance(results, SearchResults):
        return results.settings.model_dump(mode="json"), results.search
    settings, noted = getattr(results, "settings", None), getattr(results, "noted", None)
    if noted is not None:
        return dict(noted), {}
    attributes = results.study.user_attrs if isinstance(results, StudyResults) else {}
    notes = (value for value in attributes.values() if isinstance(value, dict) and "settings" in value)
    note = next(notes, {})
    return dict(settings.model_dump(mode="json") if settings is not None else note.get("settings", {})), note


def _run(options: Mapping[str, Any], kind: type, folder: Path) -> Mapping[str, Any]:
    """Return the last run that searched with these options; nothing where there is none."""
    settings: type[Settings] = TransferSettings
    if issubclass(kind, SearchResults):
        settings = SearchSettings
    elif "n_cv_folds" not in options:
        settings = TuneSettings
    names = {*options_of(settings, "judging", "training", "space")} & {*options}
    for run in _runs(folder):
        asked = run["settings"]
        if all(asked.get(name, options[name]) == options[name] for name in names):
            return run
    return {}


def _runs(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Return the runs of a folder and of searches in it, latest first; what is damaged is left out."""
    paths = [*folder.glob(f"{FOLDER}/*.json"), *folder.glob(f"*/{FOLDER}/*.json")]
    for path in sorted(paths, key=lambda path: path.name, reverse=True):
        try:
            yield read_run(path)
        except (InputError, OSError):
            continue
