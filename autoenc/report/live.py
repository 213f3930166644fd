"""The files that show a search while it runs, refreshed seldom enough to cost next to nothing."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from autoenc.report.pictures import write_picture
from autoenc.report.progress import draw_progress, progress_plot
from autoenc.report.results import SearchResults
from autoenc.system.paths import OutputPaths, utf8, write_atomically
from autoenc.system.strict_json import json_bytes

__all__ = ["LiveView", "state_of_record", "unfinished_state"]

_INTERVAL_S = 4.0
_COST_SHARE = 0.02  # of the time since the last refresh


class LiveView:
    """Keeps ``search_state.json``, ``search_results.csv`` and ``search_progress.png`` up to date.

    Args:
        results: The search; its outcomes grow while it runs.
        paths: Where the files go.

    In a ``with`` block the state is ``running``; an exception leaves it ``failed``.
    """

    def __init__(self, results: SearchResults, paths: OutputPaths) -> None:
        self._results, self._paths = results, paths
        self._n_before = len(results.outcomes)
        self._started = self._last = time.monotonic()
        self._pause_s = _INTERVAL_S

    def __enter__(self) -> LiveView:
        self._write("running", drawing=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with contextlib.suppress(OSError):  # the first error is the one to report
                self._write("failed", drawing=False)

    def refresh(self) -> None:
        """Write the files if it is time."""
        if time.monotonic() - self._last >= self._pause_s:
            self._write("running")

    def conclude(self, state: str, drawing: bool = True) -> None:
        """Write the files as the search ends.

        Args:
            state: How it ended.
            drawing: Whether there is time for the picture.
        """
        self._write(state, drawing)

    def _write(self, state: str, drawing: bool = True) -> None:
        begun = time.monotonic()
        write_atomically(self._paths.state_json, json_bytes(self._state(state)))
        write_atomically(self._paths.live_csv, utf8(self._results.table_text))
        if self._results.finished and drawing:
            write_picture(self._paths.progress_png, draw_progress, progress_plot(self._results))
        self._last = time.monotonic()
        self._pause_s = max(_INTERVAL_S, (self._last - begun) / _COST_SHARE)

    def _state(self, state: str) -> dict[str, Any]:
        results = self._results
        elapsed_s = time.monotonic() - self._started
        trained, missing = results.trained, results.missing
        n_left = sum(fit not in results.outcomes for trial in missing for fit in trial.fits)
        n_here = len(results.outcomes) - self._n_before
        n_failed = len(results.failed) + len(results.failed_beside)
        selection = results.selection if results.finished else None
        return {
            "state": state,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "total": len(trained),
            "finished": len(trained) - len(missing) - n_failed,
            "failed": n_failed,
            "remaining": len(missing),
            "remaining_fits": n_left,
            "elapsed_s": round(elapsed_s, 3),
            "remaining_s": round(elapsed_s / n_here * n_left, 1) if n_here and state == "running" else None,
            "best_configuration": None
            if selection is None
            else {
                "config": list(selection.chosen.trial.architecture),
                "name": selection.chosen.trial.name,
                "final_test_loss": selection.chosen.loss,
                "model_params": results.n_parameters(selection.chosen.trial),
                "rule": selection.rule,
            },
            "baselines": results.baselines,
        }


def state_of_record(results: SearchResults, paths: OutputPaths) -> str:
    """Return the state of a search that no process runs, for the reports that are made of its record."""
    if results.missing:
        return unfinished_state(paths.state_json)
    return "failed" if results.all_failed else "finished"


def unfinished_state(path: Path) -> str:
    """Return the state of an unfinished search that no process runs.

    Args:
        path: Where its last process left its state. That stands, unless it is ``running``: it was killed.
    """
    try:
        left = json.loads(path.read_text(encoding="utf-8"))["state"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        left = None
    return left if left in ("failed", "incomplete") or str(left).startswith("stopped") else "interrupted"
