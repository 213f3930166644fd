"""Fits as runs of MLflow, at the server of ``MLFLOW_TRACKING_URI`` or in a database of the folder."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoenc.errors import InputError, needing
from autoenc.trackers.base import Entry

__all__ = ["MlflowTracker"]

_KEY, _WHOLE = "autoenc.key", "autoenc.whole"
_MOST_METRICS = 1000  # of one request


class MlflowTracker:
    """Logs to an experiment, ``MLFLOW_EXPERIMENT_NAME`` or autoenc.

    Args:
        folder: Of the search; ``mlflow.db`` and ``mlflow/`` in it hold the runs where no server is named.

    Raises:
        InputError: If MLflow is not installed or its server cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent to anybody else
        with needing("--track mlflow needs mlflow", "mlflow"):
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        server, home = os.environ.get("MLFLOW_TRACKING_URI"), folder.resolve()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "autoenc")
        try:
            self._client = MlflowClient(server or f"sqlite:///{home / 'mlflow.db'}")
            found = self._client.get_experiment_by_name(name)
            place = None if server else (home / "mlflow").as_uri()
            self._experiment = (
                found.experiment_id
                if found
                else self._client.create_experiment(name, artifact_location=place)
            )
        except MlflowException as error:
            raise InputError(f"--track mlflow: {' '.join(str(error).split())}") from None

    def known(self) -> set[str]:
        """See :class:`.Tracker`; runs that are not whole, of a process that was killed, are removed."""
        keys = set()
        for run in self._runs():
            if run.data.tags.get(_WHOLE) == "true":
                keys.add(run.data.tags[_KEY])
            elif _KEY in run.data.tags:
                self._client.delete_run(run.info.run_id)
        return keys

    def log(self, entry: Entry) -> None:
        """See :class:`.Tracker`."""
        from mlflow.entities import Metric, Param, RunTag

        run = self._client.create_run(self._experiment, run_name=entry.name, tags={_KEY: entry.key})
        number, now = run.info.run_id, int(time.time() * 1000)
        metrics = [
            Metric(name, value, now, step)
            for name, curve in entry.curves.items()
            for step, value in enumerate(curve, 1)
        ]
        metrics += [Metric(name, value, now, 0) for name, value in entry.metrics.items()]
        params = [Param(name, str(value)) for name, value in entry.options.items()]
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(number, metrics[start : start + _MOST_METRICS])
        tags = [RunTag("failure", entry.failure)] if entry.failure is not None else []
        self._client.log_batch(number, params=params, tags=[*tags, RunTag(_WHOLE, "true")])
        self._client.set_terminated(number, "FINISHED" if entry.failure is None else "FAILED")

    def keep(self, name: str, files: Sequence[Path]) -> None:
        """See :class:`.Tracker`."""
        key = f"{name}/files"
        number = next((run.info.run_id for run in self._runs() if run.data.tags.get(_KEY) == key), None)
        if number is None:
            tags = {_KEY: key, _WHOLE: "true"}
            number = self._client.create_run(
                self._experiment, run_name=f"search {name}", tags=tags
            ).info.run_id
        for path in files:
            self._client.log_artifact(number, str(path))
        self._client.set_terminated(number, "FINISHED")

    def _runs(self) -> list[Any]:
        runs: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=1000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs
