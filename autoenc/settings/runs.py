"""Options of the commands that look back at runs."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from autoenc.settings.base import WORDS, PathText, Settings
from autoenc.settings.options import again, option
from autoenc.settings.shared import FoldersSettings
from autoenc.settings.training import TrainingSettings

__all__ = ["CONDITION", "RunsDiffSettings", "RunsSettings"]

CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)(?![<>=])\s*(.*?)\s*")
"""A name, how it is compared, and with what."""


def _condition(text: str) -> str:
    if not CONDITION.fullmatch(text):
        raise ValueError(f'must compare a name, e.g. "epochs=20" or "best_loss<0.1", got {text!r}')
    return text


Condition = Annotated[str, AfterValidator(_condition)]


class RunsSettings(FoldersSettings):
    """Options of ``runs``."""

    where: Annotated[tuple[Condition, ...], WORDS] = option(
        (),
        role="display",
        words={"repeated": True},
        description='only runs of which this is true, e.g. "epochs=20" or "best_loss<0.1" (=, !=, <, <=, >, '
        ">=; of an option, a metric, state, command or commit); may be given several times",
    )
    sort: str = option(
        "started",
        role="display",
        description="name to sort by, e.g. best_loss; -best_loss turns the order round",
    )


class RunsDiffSettings(Settings):
    """Options of ``runs diff``."""

    first: str = option(
        role="place",
        words={"positional": True},
        description="a run: its file, its id, or the beginning of either",
    )
    second: str = option(role="place", words={"positional": True}, description="another run")
    output_dir: PathText = again(
        TrainingSettings, "output_dir", "output", description="folder whose runs are known by their ids alone"
    )
