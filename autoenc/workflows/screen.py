"""Screens, where a search shows its progress: a terminal, a notebook, or nowhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from typing import Any

from autoenc.searching.trials import TrialResult
from autoenc.system.text import escaped, say, warn

__all__ = ["Python", "Screen"]


class Screen:
    """A terminal: standard output for what goes on, standard error for warnings and the bar.

    Args:
        quiet: Show nothing but warnings.
        verbose: Show a line for each stack.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.is_quiet, self._is_verbose = quiet, verbose

    def warn(self, warnings: Iterable[str]) -> None:
        """Show what looks odd."""
        for warning in warnings:
            warn(f"warning: {warning}")

    def note(self, line: str) -> None:
        """Show what is worth to know, also where the screen is quiet."""
        warn(line)

    def say(self, *lines: str, flush: bool = False) -> None:
        """Show what goes on, a sentence a line; with ``flush`` at once."""
        if not self.is_quiet:
            say(*lines, flush=flush)

    def bar(self, unit: str, total: int | None, n_done: int) -> AbstractContextManager[Any]:
        """Return a progress bar as tqdm's."""
        shown: AbstractContextManager[Any] = _bar()(
            unit=unit, total=total, initial=n_done, disable=self.is_quiet or sys.stderr is None
        )
        return shown

    def trained(self, bar: Any, result: TrialResult, n_parameters: int) -> None:
        """Show that a stack is trained, while this bar is shown."""
        if self._is_verbose:
            text = result.failure or f"test loss {result.loss:.5f}"
            size = f"{n_parameters:,} parameters"
            bar.write(escaped(f"{result.trial.name:>20}  {text}  {size}  {result.seconds:.2f} s"))

    def trials(self, n_trials: int, n_done: int) -> AbstractContextManager[Callable[[str], None]]:
        """Return what is called with a line for each trial of an adaptive search that ends."""
        return nullcontext(partial(self.say, flush=True))


class Python(Screen):
    """A caller in Python: warnings are Python's, and all that is shown is a bar, in a notebook a widget."""

    def warn(self, warnings_: Iterable[str]) -> None:
        """See :class:`Screen`."""
        for warning in warnings_:
            warnings.warn(escaped(warning), UserWarning, stacklevel=_stacklevel())

    def note(self, line: str) -> None:
        """See :class:`Screen`."""
        self.warn([line])

    def say(self, *lines: str, flush: bool = False) -> None:
        """Show nothing: the result says it."""

    def bar(self, unit: str, total: int | None, n_done: int) -> AbstractContextManager[Any]:
        """See :class:`Screen`."""
        if "ipykernel" in sys.modules and find_spec("ipywidgets"):
            from tqdm.notebook import tqdm

            shown: AbstractContextManager[Any] = tqdm(
                unit=unit, total=total, initial=n_done, disable=self.is_quiet
            )
            return shown
        return super().bar(unit, total, n_done)

    @contextmanager
    def trials(self, n_trials: int, n_done: int) -> Iterator[Callable[[str], None]]:
        """See :class:`Screen`."""
        with self.bar("trial", n_trials, n_done) as bar:
            yield lambda line: bar.update()


def _bar() -> Any:
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread beside, which may be one too many

    return Bar


def _stacklevel() -> int:
    """Return how far up the first caller outside of this package is, for the place that a warning names."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("autoenc"):
        level, frame = level + 1, frame.f_back
    return level
