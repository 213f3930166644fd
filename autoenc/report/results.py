"""What a search found, ready to be shown: the one source of every report."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from autoenc.engines import Fit, Outcome
from autoenc.grid import ArchitectureGrid, format_architecture
from autoenc.settings import SearchSettings
from autoenc.study import Record

__all__ = ["SearchResults", "csv_text", "fits_of", "json_bytes", "results_document"]


@dataclass(frozen=True)
class SearchResults:
    """A search as its record tells it: the one source of every report.

    Attributes:
        settings: The options.
        search: What the search noted about itself: ``columns``, ``fingerprint``, ``n_rows``, ``n_train``,
            ``n_test``, ``engine``, ``environment`` and ``baselines``.
        fits: The grid, in its order.
        outcomes: What is done so far, in the order in which it was recorded.
    """

    settings: SearchSettings
    search: dict[str, Any]
    fits: list[Fit]
    outcomes: dict[Fit, Outcome]

    @classmethod
    def of(cls, settings: SearchSettings, record: Record) -> SearchResults:
        """The results that a record holds for the grid of these settings."""
        fits = fits_of(settings)
        wanted = set(fits)
        outcomes = {fit: outcome for fit, outcome in record.outcomes().items() if fit in wanted}
        return cls(settings, record.search, fits, outcomes)

    @property
    def columns(self) -> list[str]:
        """Columns learned from."""
        columns: list[str] = self.search["columns"]
        return columns

    @property
    def baselines(self) -> dict[str, float]:
        """Test losses of ``pca`` and ``mean``."""
        baselines: dict[str, float] = self.search["baselines"]
        return baselines

    @property
    def finished(self) -> list[tuple[Fit, Outcome]]:
        """Fits that succeeded, in the order of the grid."""
        return [
            (fit, self.outcomes[fit]) for fit in self.fits if fit in self.outcomes and not self._failed(fit)
        ]

    @property
    def failed(self) -> list[tuple[Fit, Outcome]]:
        """Fits that came to nothing, in the order of the grid."""
        return [(fit, self.outcomes[fit]) for fit in self.fits if fit in self.outcomes and self._failed(fit)]

    @property
    def missing(self) -> list[Fit]:
        """Fits that nobody has tried yet, in the order of the grid."""
        return [fit for fit in self.fits if fit not in self.outcomes]

    @property
    def ranked(self) -> list[tuple[Fit, Outcome]]:
        """Finished fits, lowest final test loss first; ties go to the earlier in the grid."""
        return sorted(self.finished, key=lambda item: item[1].final_test_loss)

    def n_parameters(self, fit: Fit) -> int:
        """Trainable parameters of a fit's network."""
        return fit.network(len(self.columns)).count_parameters()

    def _failed(self, fit: Fit) -> bool:
        return self.outcomes[fit].failure is not None


def fits_of(settings: SearchSettings) -> list[Fit]:
    """The fits that these options ask for, in the order of the grid."""
    grid = ArchitectureGrid(settings.hidden_dims_search, settings.max_layers)
    recipe = settings.recipe()
    return [Fit(stack, settings.latent_dim, recipe, settings.seed) for stack in grid]


def results_document(results: SearchResults) -> dict[str, Any]:
    """The JSON document; numbers that are not finite become null."""
    settings = results.settings
    document = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "args": settings.model_dump(mode="json"),
        "total_configurations": len(results.fits),
        "best_configuration": _best(results),
        "baselines": results.baselines,
        "all_results": [_entry(results, *item) for item in results.finished],
        "failed_configurations": [
            {"config": list(fit.architecture), "reason": outcome.failure} for fit, outcome in results.failed
        ],
        "environment": {
            **results.search["environment"],
            "device": settings.device,
            "engine": results.search["engine"],
            "seed": settings.seed,
            "columns": results.columns,
            "rows": {
                "all": results.search["n_rows"],
                "train": results.search["n_train"],
                "test": results.search["n_test"],
            },
            "data_fingerprint": results.search["fingerprint"],
        },
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def _best(results: SearchResults) -> dict[str, Any] | None:
    if not results.ranked:
        return None
    fit, outcome = results.ranked[0]
    return {
        "config": list(fit.architecture),
        "final_test_loss": outcome.final_test_loss,
        "best_test_loss": outcome.best_test_loss,
        "final_train_loss": outcome.final_train_loss,
        "model_info": fit.network(len(results.columns)).describe(fit.recipe.dropout),
    }


def _entry(results: SearchResults, fit: Fit, outcome: Outcome) -> dict[str, Any]:
    return {
        "config": list(fit.architecture),
        "final_test_loss": outcome.final_test_loss,
        "best_test_loss": outcome.best_test_loss,
        "final_train_loss": outcome.final_train_loss,
        "model_params": results.n_parameters(fit),
        "num_layers": len(fit.architecture),
        "train_losses": outcome.train_losses,
        "test_losses": outcome.test_losses,
        "seconds": outcome.seconds,
    }


def _finite(value: Any) -> Any:
    """The same with null for numbers that strict JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def json_bytes(document: dict[str, Any]) -> bytes:
    """Strict JSON with a line per top-level key and per entry of a top-level list."""

    def text(value: Any) -> str:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            entries = ",\n  ".join(text(entry) for entry in value)
            lines.append(f" {text(key)}: [\n  {entries}\n ]")
        else:
            lines.append(f" {text(key)}: {text(value)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def csv_text(results: SearchResults) -> str:
    """A line per architecture, best first, failed ones last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["rank", "config", "num_layers", "model_params", "final_test_loss", "best_test_loss",
         "final_train_loss", "seconds", "failure"]
    )  # fmt: skip
    for rank, (fit, outcome) in enumerate(results.ranked, 1):
        writer.writerow(
            [rank, format_architecture(fit.architecture), len(fit.architecture), results.n_parameters(fit),
             outcome.final_test_loss, outcome.best_test_loss, outcome.final_train_loss, outcome.seconds, ""]
        )  # fmt: skip
    for fit, outcome in results.failed:
        row = [format_architecture(fit.architecture), len(fit.architecture), results.n_parameters(fit)]
        writer.writerow(["", *row, "", "", "", "", outcome.failure])
    return text.getvalue()
