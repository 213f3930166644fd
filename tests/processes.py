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
    ["autoenc.commands.search", "autoenc.engines.native", "autoenc.baselines", "sklearn.model_selection",
     "sklearn.decomposition", "sklearn.preprocessing"]
)  # fmt: skip


def _die_at_write(n: int) -> None:
    """Have this process killed as it puts its ``n``-th write on the disk, counted from 1."""
    sync, n_writes = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal n_writes
        n_writes += 1
        if n_writes == n:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)

    os.fsync = counted


def _main(arguments: list[str], log: str, dies_at_write: int | None) -> None:
    from autoenc.cli import main

    if dies_at_write is not None:
        _die_at_write(dies_at_write)
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)


def start(arguments: list[str], log: Path, dies_at_write: int | None = None) -> Any:
    """Run the command line in a process; its output is appended to ``log``.

    With ``dies_at_write`` it is killed at that write to its record or to any other of its files: a moment
    that no machine is too fast or too slow for.
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
