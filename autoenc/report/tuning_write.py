"""Writing the files of an adaptive search, all of them views of its study."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna

from autoenc.analysis.study import total_s
from autoenc.record.record import TUNE
from autoenc.report.files import Written, write_files
from autoenc.report.study_write import write_study_reports
from autoenc.report.ties import Ties
from autoenc.report.tuning import progress_csv, state_document, steps_of
from autoenc.report.tuning_plots import analysis_plot, draw_analysis, draw_tune_progress, tune_progress_plot
from autoenc.searching.finalists import Finalist
from autoenc.system.paths import utf8
from autoenc.system.png import png_content
from autoenc.system.strict_json import json_bytes
from autoenc.tuning.families import modes
from autoenc.tuning.results import finalists_of, ties_of

__all__ = ["STATE_FILE", "TuneReports"]

STATE_FILE = "resilient_search_state.json"

_SPARING = 10  # the share of the time that is not spent on refreshing, over that which is


class TuneReports:
    """The files of an adaptive search, all views of its study.

    In a ``with`` block the state is ``running``; an exception leaves it ``failed``.

    Args:
        study: The search.
        folder: Where they go.
    """

    def __init__(self, study: optuna.Study, folder: Path) -> None:
        self._study, self._folder = study, folder
        self._written, self._cost = 0.0, 0.0

    def __enter__(self) -> TuneReports:
        if self._resilient:
            self._write_state("running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._resilient:
            with contextlib.suppress(OSError):  # the first error is the one to report
                self._write_state("failed")

    def refresh(self, state: str) -> None:
        """Bring the files up to date after a trial, unless that would slow short trials down."""
        if time.monotonic() - self._written > _SPARING * self._cost:
            started = time.monotonic()
            self._tables(state)
            self._pictures()
            self._written = time.monotonic()
            self._cost = self._written - started

    def write(self, state: str, plot: bool, drawing: bool = True) -> Written:
        """Write everything, pictures only while ``drawing``; returns a word for each file, and the file."""
        settings = self._note["settings"]
        finalists = finalists_of(self._study) if settings.get("finalists", 1) > 1 else None
        is_repeated = settings.get("folds", 0) or settings.get("seeds", 1) > 1
        ties = ties_of(self._study) if is_repeated else None
        written = self._tables(state, plot and drawing, finalists, ties)
        return written + (self._pictures() if drawing else [])

    @property
    def _note(self) -> dict[str, Any]:
        note: dict[str, Any] = self._study.user_attrs[TUNE]
        return note

    @property
    def _resilient(self) -> bool:
        return bool(self._note["settings"]["strategy"] == "resilient")

    def _tables(
        self,
        state: str,
        plot: bool = False,
        finalists: Sequence[Finalist] | None = None,
        ties: Ties | None = None,
    ) -> Written:
        settings, total = self._note["settings"], total_s(self._study)
        written = write_study_reports(self._study, self._folder, settings, plot, total, finalists, ties)
        if not self._resilient:
            return written
        progress = utf8(progress_csv(self._study))
        files = [("progress", "resilient_search_results.csv", progress)]
        return [*written, *self._write_state(state), *write_files(self._folder, files)]

    def _write_state(self, state: str) -> Written:
        document = state_document(self._study, state, modes(self._study))
        return write_files(self._folder, [("state", STATE_FILE, json_bytes(document))])

    def _pictures(self) -> Written:
        if not (self._resilient and any(step.value is not None for step in steps_of(self._study))):
            return []
        progress = draw_tune_progress(tune_progress_plot(self._study))
        analysis = draw_analysis(analysis_plot(self._study))
        pictures = [
            ("progress", "resilient_search_progress.png", png_content(progress)),
            ("analysis", "detailed_progress_analysis.png", png_content(analysis)),
        ]
        return write_files(self._folder, pictures)
