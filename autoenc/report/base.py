"""The base of the results of every search."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from autoenc.system.paths import utf8, write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Results"]


class Results(ABC):
    """The results of a search: a table, best row first, the best model, pictures, and an answer in words.

    Attributes:
        is_of_table: Whether its models are of a table, whose rows and columns can be shown.
    """

    is_of_table: ClassVar[bool] = True

    @property
    @abstractmethod
    def leaderboard(self) -> pd.DataFrame:
        """What was tried, a row each, best first."""

    @abstractmethod
    def best_model(self) -> Any:
        """Train the best one again and return its model.

        Raises:
            InputError: If there is none, or the table cannot be read again.
        """

    @property
    @abstractmethod
    def plot(self) -> Any:
        """Pictures, each a method that returns matplotlib axes."""

    def _shown_table(self) -> pd.DataFrame:
        """Return the leaderboard as notebooks and reports show it."""
        return self.leaderboard

    @abstractmethod
    def _title(self) -> str:
        """Return what was searched."""

    @abstractmethod
    def _answer(self) -> list[str]:
        """Return what was found, a sentence a line."""

    def report(self, path: str | os.PathLike[str], data: Any = None) -> None:
        """Write one HTML file with the answer, tables, interactive pictures and the quality of each column.

        It opens without a network.

        Args:
            path: The file.
            data: Rows for the best model, where the table that was searched is not at hand: a frame, whose
                other columns are labels to colour by, an array, or the path of a table.

        Raises:
            InputError: If packages are not installed.
            OSError: If the file cannot be written; an earlier one is then as it was.
        """
        from autoenc.report.page.content import content_of
        from autoenc.report.page.write import page_of

        write_atomically(Path(path), utf8(page_of([content_of(self, data)])), follow_link=True)

    def __repr__(self) -> str:
        """Return the answer in words."""
        return "\n".join([self._title(), *self._answer()])

    def _repr_html_(self) -> str:
        from autoenc.report.notebook import html_of

        return html_of(self._title(), self._answer(), self._shown_table())
