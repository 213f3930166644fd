"""Searches in processes of their own that tests may kill, forked from a server that has the imports done."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["autoenc.commands.search", "autoenc.engines.native", "autoenc.analysis.baselines",
     "sklearn.model_selection", "sklearn.decomposition", "sklearn.preprocessing"]
)  # fmt: skip


def _die_at_write(n: int) -> None:
    """Have this process killed as it puts its ``n``-th write on the disk, counted from 1.

    A write is a file or a line of a journal that is synced, or a transaction of a database.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    sync, n_writes = os.fsync, 0

    def count(*_: object) -> None:
        nonlocal n_writes
        n_writes += 1
        if n_writes == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(descriptor: int) -> None:
        count()
        sync(descriptor)

    os.fsync = counted
    event.listen(Engine, "commit", count)


def _die_before(name: str) -> None:
    """Have this process killed when it would put a file of this name in its place."""
    replace = os.replace

    def watched(source: str, target: str | Path) -> None:
        if Path(target).name == name:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = watched


def _main(arguments: list[str], log: str, dies_at_write: int | str | None) -> None:
    from autoenc.cli import main

    if isinstance(dies_at_write, str):
        _die_before(dies_at_write)
    elif dies_at_write is not None:
        _die_at_write(dies_at_write)
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)


def start(arguments: list[str], log: Path, dies_at_write: int | str | None = None) -> Any:
    """Run the command line in a process; its output is appended to ``log``.

    With ``dies_at_write`` it is killed at that write to its record or to any other of its files: a moment
    that no machine is too fast or too slow for. A name instead of a number is that of the file which it was
    about to put in place.
    """
    process = CONTEXT.Process(target=_main, args=(arguments, str(log), dies_at_write))
    process.start()
    return process


def results_but_time(folder: Path, latent_dim: int = 3) -> dict[str, Any]:
    """The JSON results without what may differ between two runs of the same search."""
    document = json.loads((folder / f"hyperparam_results_latent{latent_dim}.json").read_text())
    del document["timestamp"], document["args"]
    del document["environment"]["git_commit"]  # somebody may commit between two runs
    for entry in document["all_results"]:
        for timed in (entry, *entry["fits"]):
            del timed["seconds"]
    return document
