"""Fits as runs of Weights & Biases, with its own settings: ``WANDB_MODE``, ``WANDB_PROJECT``, ..."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoenc.errors import needing
from autoenc.trackers.base import Entry

__all__ = ["WandbTracker"]


class WandbTracker:
    """Logs to a project, ``WANDB_PROJECT`` or autoenc; ``wandb/logged.txt`` knows what was logged.

    Args:
        folder: Of the search.

    Raises:
        InputError: If the package is not installed.
    """

    def __init__(self, folder: Path) -> None:
        with needing("--track wandb needs wandb", "wandb"):
            import wandb
        self._wandb: Any = wandb
        self._folder, self._ledger = folder, folder / "wandb" / "logged.txt"
        self._ledger.parent.mkdir(exist_ok=True)

    def known(self) -> set[str]:
        """See :class:`.Tracker`."""
        return {*self._ledger.read_text(encoding="utf-8").splitlines()} if self._ledger.exists() else set()

    def log(self, entry: Entry) -> None:
        """See :class:`.Tracker`."""
        run = self._begin(entry.key, entry.name, entry.options)
        for epoch in range(max(map(len, entry.curves.values()), default=0)):
            losses = {name: curve[epoch] for name, curve in entry.curves.items() if epoch < len(curve)}
            run.log({"epoch": epoch + 1, **losses})
        run.summary.update(
            entry.metrics if entry.failure is None else {**entry.metrics, "failure": entry.failure}
        )
        run.finish(exit_code=0 if entry.failure is None else 1)
        with self._ledger.open("a", encoding="utf-8") as ledger:
            ledger.write(f"{entry.key}\n")

    def keep(self, name: str, files: Sequence[Path]) -> None:
        """See :class:`.Tracker`."""
        run = self._begin(f"{name}/files", f"search {name}", {})
        run.log({path.stem: self._wandb.Image(str(path)) for path in files if path.suffix == ".png"})
        for path in files:
            run.save(str(path), base_path=str(self._folder), policy="now")
        run.finish()

    def _begin(self, key: str, name: str, options: dict[str, Any]) -> Any:
        number = hashlib.sha256(key.encode()).hexdigest()[:16]  # the same run again after a kill
        return self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "autoenc"), id=number, name=name, config=options,
            dir=str(self._folder), resume="allow", reinit=True,
        )  # fmt: skip
