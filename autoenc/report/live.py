"""The files that show a search while it runs, refreshed seldom enough to cost next to nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from autoenc.paths import OutputPaths, png_content, write_atomically
from autoenc.report.progress import draw_progress, progress_plot
from autoenc.report.results import SearchResults, csv_text, json_bytes

__all__ = ["LiveView"]

_INTERVAL_S = 4.0
_COST_SHARE = 0.02  # of the time since the last refresh


class LiveView:
    """Keeps ``search_state.json``, ``search_results.csv`` and ``search_progress.png`` up to date.

    Args:
        results: The search; its outcomes grow while it runs.
        paths: Where the files go.
        n_before: Fits that earlier runs had done.
    """

    def __init__(self, results: SearchResults, paths: OutputPaths, n_before: int) -> None:
        self._results, self._paths, self._n_before = results, paths, n_before
        self._started = self._last = time.monotonic()
        self._pause_s = _INTERVAL_S

    def refresh(self, state: str = "running") -> None:
        """Write the files if it is time, or in any case once the state is another than ``running``.

        The picture is left as it is where a signal stopped the search.
        """
        begun = time.monotonic()
        if state == "running" and begun - self._last < self._pause_s:
            return
        write_atomically(self._paths.state_json, lambda file: file.write(json_bytes(self._state(state))))
        write_atomically(self._paths.live_csv, lambda file: file.write(csv_text(self._results).encode()))
        if self._results.finished and not state.startswith("stopped by"):  # whoever stops it will not wait
            plot = draw_progress(progress_plot(self._results))
            write_atomically(self._paths.progress_png, png_content(plot))
        self._last = time.monotonic()
        self._pause_s = max(_INTERVAL_S, (self._last - begun) / _COST_SHARE)

    def _state(self, state: str) -> dict[str, Any]:
        results = self._results
        elapsed_s = time.monotonic() - self._started
        trained, missing = results.trained, results.missing
        n_left = sum(fit not in results.outcomes for trial in missing for fit in trial.fits)
        n_here = sum(len(trial.fits) for trial in trained) - n_left - self._n_before
        n_failed = len(results.failed) + len(results.failed_beside)
        best = results.ranked[0] if results.ranked else None
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
            if best is None
            else {
                "config": list(best.trial.architecture),
                "name": best.trial.name,
                "final_test_loss": best.loss,
                "model_params": results.n_parameters(best.trial),
            },
            "baselines": results.baselines,
        }
