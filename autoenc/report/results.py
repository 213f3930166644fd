"""What a search found, ready to be shown: the one source of every report."""

from __future__ import annotations

import csv
import io
import json
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Any

from autoenc.engines import Fit, Outcome
from autoenc.grid import format_architecture
from autoenc.settings import SearchSettings

__all__ = ["SearchResults", "csv_text", "environment", "json_bytes", "results_document"]

_PACKAGES = ("torch", "numba", "numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "optuna")


@dataclass(frozen=True)
class SearchResults:
    """The outcomes of a search with what they came from.

    Attributes:
        settings: The options.
        columns: Columns learned from.
        fingerprint: Of the table.
        n_rows, n_train, n_test: Sizes of table and split.
        engine: Name of the engine.
        n_configurations: Size of the grid.
        outcomes: What is done so far, in the order of the grid.
    """

    settings: SearchSettings
    columns: list[str]
    fingerprint: str
    n_rows: int
    n_train: int
    n_test: int
    engine: str
    n_configurations: int
    outcomes: dict[Fit, Outcome]

    @property
    def ranked(self) -> list[tuple[Fit, Outcome]]:
        """Finished fits, lowest final test loss first; ties go to the earlier in the grid."""
        done = [item for item in self.outcomes.items() if item[1].failure is None]
        return sorted(done, key=lambda item: item[1].final_test_loss)

    @property
    def failed(self) -> list[tuple[Fit, Outcome]]:
        """Fits that came to nothing."""
        return [item for item in self.outcomes.items() if item[1].failure is not None]

    def n_parameters(self, fit: Fit) -> int:
        """Trainable parameters of a fit's network."""
        return fit.network(len(self.columns)).count_parameters()


def results_document(results: SearchResults) -> dict[str, Any]:
    """The JSON document; numbers that are not finite become null."""
    settings = results.settings
    document = {
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "args": settings.model_dump(mode="json"),
        "total_configurations": results.n_configurations,
        "best_configuration": _best(results),
        "all_results": [_entry(results, *item) for item in results.outcomes.items() if not item[1].failure],
        "failed_configurations": [
            {"config": list(fit.architecture), "reason": outcome.failure} for fit, outcome in results.failed
        ],
        "environment": {
            **environment(),
            "device": settings.device,
            "engine": results.engine,
            "seed": settings.seed,
            "columns": results.columns,
            "rows": {"all": results.n_rows, "train": results.n_train, "test": results.n_test},
            "data_fingerprint": results.fingerprint,
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


def environment() -> dict[str, Any]:
    """Versions and the commit of the source, where there is one."""
    versions = {"autoenc": _version("autoenc"), "python": platform.python_version()}
    versions |= {name: _version(name) for name in _PACKAGES}
    return {
        "versions": versions,
        "platform": platform.platform(),
        "processor": _processor(),
        "git_commit": _git_commit(Path(__file__).resolve().parents[2]),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _git_commit(folder: Path) -> str | None:
    if not (folder / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None
