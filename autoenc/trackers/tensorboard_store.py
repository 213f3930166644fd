"""Fits as runs of TensorBoard, a folder each below ``tensorboard/``."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoenc.errors import needing
from autoenc.trackers.base import Entry

__all__ = ["TensorboardTracker"]


class TensorboardTracker:
    """Logs to event files.

    Args:
        folder: Of the search.

    Raises:
        InputError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        with needing("--track tensorboard needs tensorboard", "tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self._writer: Any = SummaryWriter
        self._folder = folder / "tensorboard"
        self._folder.mkdir(exist_ok=True)

    def known(self) -> set[str]:
        """See :class:`.Tracker`; what a process that was killed has left is removed."""
        keys = set()
        for run in self._folder.iterdir():
            if run.name.endswith(".tmp"):
                shutil.rmtree(run)
            elif (run / "key").is_file():
                keys.add((run / "key").read_text(encoding="utf-8"))
        return keys

    def log(self, entry: Entry) -> None:
        """See :class:`.Tracker`."""
        from torch.utils.tensorboard.summary import hparams

        place = self._folder / f"{entry.name} {_short(entry.key)}"
        begun = place.with_name(f"{place.name}.tmp")
        with self._writer(str(begun)) as writer:
            for name, curve in entry.curves.items():
                for epoch, loss in enumerate(curve, 1):
                    writer.add_scalar(name, loss, epoch)
            for name, value in entry.metrics.items():
                writer.add_scalar(name, value, 0)
            options = {
                name: value if isinstance(value, int | float) else str(value)
                for name, value in entry.options.items()
            }
            for summary in hparams(options, dict(entry.metrics)):
                writer.file_writer.add_summary(summary)
            if entry.failure is not None:
                writer.add_text("failure", entry.failure)
        (begun / "key").write_text(entry.key, encoding="utf-8")
        begun.rename(place)

    def keep(self, name: str, files: Sequence[Path]) -> None:
        """See :class:`.Tracker`: pictures are shown; of other files, which it cannot hold, the names."""
        from matplotlib.image import imread

        place = self._folder / f"search {_short(name)}"
        shutil.rmtree(place, ignore_errors=True)
        with self._writer(str(place)) as writer:
            for path in files:
                if path.suffix == ".png":
                    writer.add_image(path.stem, imread(path), dataformats="HWC")
            writer.add_text("files", "\n\n".join(map(str, files)))


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]
