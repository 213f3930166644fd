"""A Dask scheduler and workers as processes of their own, on 127.0.0.1, that tests may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class DaskProcesses:
    """A scheduler, and a worker for each :meth:`start_worker`; all end with :meth:`stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", self._file
        )
        wait_for(lambda: self._file.exists() and self._file.read_text().endswith("}"))  # written whole

    @property
    def address(self) -> str:
        return json.loads(self._file.read_text())["address"]

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """A worker of one thread without a nanny, so that it stays dead once it is killed."""
        local = self.folder / f"worker{len(self.workers)}"
        worker = self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", local, **environment,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def stop(self) -> None:
        self.kill_workers()
        self.scheduler.kill()
        self.scheduler.wait()

    def _start(self, what: str, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1"]
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *map(str, arguments)], stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )  # fmt: skip


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
