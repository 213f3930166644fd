"""One file a run: what was asked, by whom it was answered, and what came of it.

The file is written when a run begins and again when it ends, so that a run that was killed is seen as well:
it says ``running``, and no such process is there any more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any

from autoenc.errors import InputError
from autoenc.record.environment import describe_machine
from autoenc.record.processes import is_alive, this_process
from autoenc.settings import Settings
from autoenc.system.paths import utf8, write_atomically
from autoenc.system.secrets import masked, masked_command
from autoenc.system.special import make_own_folder, read_regular
from autoenc.system.text import json_text

__all__ = ["FOLDER", "TrackedRun", "convergence_epoch", "mark_interrupted", "read_run", "run_state"]

FOLDER = "runs"
"""Inside an output folder."""

_VERSION = 1
_SHAPE: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "state": str,
    "command": str,
    "started": str,
    "settings": dict,
    "process": dict,
    "environment": dict,
    "metrics": (dict, NoneType),
    "curves": (dict, NoneType),
}


class TrackedRun:
    """Keeps the file of a run, for the time of a ``with`` block.

    A block that ends with an exception leaves the run as failed, with the reason.

    Args:
        output_dir: The file goes into its folder ``runs``.
        command: The verb.
        settings: All options.
        fingerprint: Of the table.
        seeds: Of the fits.

    Raises:
        OSError: If the file cannot be written when the run begins or is concluded.
    """

    def __init__(
        self, output_dir: Path, command: str, settings: Settings, fingerprint: str, seeds: Sequence[int]
    ) -> None:
        started = datetime.now(UTC)
        options = settings.model_dump(mode="json")
        text = json.dumps(options, sort_keys=True)
        process = this_process()
        short = _sha256(f"{started.isoformat()} {process} {text}")[:6]
        self._document: dict[str, Any] = {
            "format_version": _VERSION,
            "id": f"{started:%Y%m%dT%H%M%SZ}-{short}",
            "state": "running",
            "reason": None,
            "command": command,
            "command_line": masked_command([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "started": started.isoformat(timespec="milliseconds"),
            "ended": None,
            "settings": options,
            "settings_sha256": _sha256(text),
            "seeds": list(seeds),
            "data_fingerprint": fingerprint,
            "process": process,
            "environment": describe_machine(),
            "metrics": None,
            "curves": None,
        }
        self.path = output_dir / FOLDER / f"{self._document['id']}.json"

    def __enter__(self) -> TrackedRun:
        make_own_folder(self.path.parent)
        mark_interrupted(self.path.parent.parent)
        _write(self.path, self._document)
        return self

    def measured_before(self, stack: str, name: str) -> float | None:
        """Return a number that the last run of the same command, options, table and machine measured.

        Args:
            stack: What that run must have chosen.
            name: Of the metric.

        Returns:
            None where no such run knows it.
        """
        same = ("command", "settings_sha256", "data_fingerprint", "environment")
        for path in sorted(self.path.parent.glob("*.json"), reverse=True):
            with contextlib.suppress(OSError, InputError):
                earlier = read_run(path)
                metrics = earlier["metrics"] or {}
                is_same = all(earlier.get(key) == self._document[key] for key in same)
                if is_same and metrics.get("chosen_stack") == stack and isinstance(metrics.get(name), float):
                    return float(metrics[name])
        return None

    def conclude(
        self,
        state: str,
        metrics: Mapping[str, Any] | None = None,
        curves: Mapping[str, Sequence[float]] | None = None,
        reason: str | None = None,
    ) -> None:
        """Write how the run ended.

        Args:
            state: E.g. ``finished``, ``stopped by SIGTERM``, ``failed``.
            metrics: Finite numbers and texts by name.
            curves: Losses per epoch by name.
            reason: Why it failed.
        """
        ended = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._document |= {"state": state, "reason": reason and masked(reason), "ended": ended}
        self._document |= {"metrics": metrics, "curves": curves}
        _write(self.path, self._document)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._document["state"] != "running":
            return
        if error is None:
            self.conclude("finished")
            return
        stopped = isinstance(error, KeyboardInterrupt)
        # Where the disk is full, that is the error to report, not that this could not be written either.
        with contextlib.suppress(OSError):
            reason = None if stopped else str(error) or type(error).__name__
            self.conclude("stopped by SIGINT" if stopped else "failed", reason=reason)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    document = {**document, "digest": _digest(document)}
    content = utf8(json_text(document, indent=1) + "\n")
    write_atomically(path, content)


def mark_interrupted(folder: Path) -> None:
    """Say of runs that were killed that they were interrupted; whoever reads the files need not find out.

    Args:
        folder: The output folder. Files that cannot be read or written stay as they are.
    """
    for path in (folder / FOLDER).glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            if run_state(read_run(path)) != "interrupted":
                continue
            document = read_run(path)  # again, as its process may have ended well in between
            if document["state"] == "running":
                _write(path, {**document, "state": "interrupted"})


def convergence_epoch(test_losses: Sequence[float]) -> int | None:
    """Return the first epoch, from 1, whose test loss is within 1 % of the lowest; None without epochs."""
    limit = 1.01 * min(test_losses, default=0.0)
    return next((epoch for epoch, loss in enumerate(test_losses, 1) if loss <= limit), None)


def read_run(path: Path) -> dict[str, Any]:
    """Return what the file of a run says.

    Raises:
        InputError: If it cannot be read or is no such file.
    """
    content = read_regular(path, str(path))
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is damaged: {error}") from None
    if not isinstance(document, dict) or document.get("format_version") != _VERSION:
        raise InputError(f"{path}: is no description of a run in format {_VERSION}")
    if "digest" in document and document["digest"] != _digest(document):  # earlier versions wrote none
        raise InputError(f"{path}: is damaged: its digest does not fit")
    wrong = [key for key, kind in _SHAPE.items() if not isinstance(document.get(key), kind)]
    if not wrong:
        wrong = _wrong_values(document)
    if wrong:
        raise InputError(f"{path}: is damaged: {', '.join(wrong)} missing or wrong")
    return document


def _wrong_values(document: Mapping[str, Any]) -> list[str]:
    """Return what is of the right kind, but says nothing that can be shown."""
    wrong = [
        name
        for name in ("started", "ended")
        if not (_is_time(document.get(name)) or (name == "ended" and document.get(name) is None))
    ]
    metrics = document["metrics"] or {}
    for name, value in metrics.items():
        if not _is_plain(value) or (name in ("best_loss", "chosen_loss") and isinstance(value, str | bool)):
            wrong.append(f"metrics.{name}")
    if not isinstance(document["environment"].get("git_commit"), str | NoneType):
        wrong.append("environment.git_commit")
    return wrong


def _is_plain(value: object) -> bool:
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max
    return value is None or isinstance(value, str)


def _is_time(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def run_state(document: Mapping[str, Any]) -> str:
    """Return the state of a run; one that runs no more though its file says so was interrupted."""
    state = str(document["state"])
    return "interrupted" if state == "running" and is_alive(document["process"]) is False else state


def _digest(document: Mapping[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "digest"}
    return _sha256(json.dumps(content, sort_keys=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
