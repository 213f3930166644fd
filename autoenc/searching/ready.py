"""Making an engine ready before anything is timed, and telling people why they wait."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress

from autoenc.engines import Engine, StopFlag
from autoenc.engines.compiling import announced, take_notes
from autoenc.system.text import warn

__all__ = ["make_ready", "prepare_ahead"]


def prepare_ahead(engine: Engine) -> Future[None]:
    """Begin to compile in a thread of its own, which takes seconds the first time.

    Returns:
        Done when it is; whoever does not ask for its error meets it again with the first fit.
    """
    prepared: Future[None] = Future()

    def prepare() -> None:
        try:
            engine.prepare()
        except Exception as error:
            prepared.set_exception(error)
        else:
            prepared.set_result(None)

    try:
        threading.Thread(target=prepare, daemon=True).start()
    except RuntimeError as error:  # no further thread can be started
        prepared.set_exception(error)
    return prepared


def make_ready(engine: Engine, stop: StopFlag, quiet: bool) -> None:
    """Wait until the engine is compiled, and say so where that takes long.

    Args:
        engine: What will train.
        stop: Ends the waiting.
        quiet: Whether to say nothing but warnings.

    Raises:
        MachineError: If the machine cannot compile it.
    """

    def announce() -> None:
        if not quiet:
            warn("compiling, once per machine ...")

    with announced(announce):
        prepared = prepare_ahead(engine)
        while not stop.is_set():
            with suppress(TimeoutError):
                prepared.result(timeout=0.1)
                break
    for note in take_notes():
        warn(f"warning: {note}")
