"""Options of the commands that look back at runs."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from autoenc.settings.base import PathText, Settings

__all__ = ["CONDITION", "RunsDiffSettings", "RunsSettings"]

CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)(?![<>=])\s*(.*?)\s*")
"""A name, how it is compared, and with what."""


def _alone(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _condition(text: str) -> str:
    if not CONDITION.fullmatch(text):
        raise ValueError(f'must compare a name, e.g. "epochs=20" or "best_loss<0.1", got {text!r}')
    return text


Condition = Annotated[str, AfterValidator(_condition)]


class RunsSettings(Settings):
    """Options of ``runs``."""

    folders: tuple[PathText, ...] = Field(
        min_length=1, description="output folders", json_schema_extra={"positional": True}
    )
    where: Annotated[tuple[Condition, ...], BeforeValidator(_alone)] = Field(
        (),
        description='only runs of which this is true, e.g. "epochs=20" or "best_loss<0.1" (=, !=, <, <=, >, '
        ">=; of an option, a metric, state, command or commit); may be given several times",
        json_schema_extra={"repeated": True},
    )
    sort: str = Field(
        "started", description="name to sort by, e.g. best_loss; -best_loss turns the order round"
    )


class RunsDiffSettings(Settings):
    """Options of ``runs diff``."""

    first: str = Field(
        description="a run: its file, its id, or the beginning of either",
        json_schema_extra={"positional": True},
    )
    second: str = Field(description="another run", json_schema_extra={"positional": True})
    output_dir: PathText = Field("output", description="folder whose runs are known by their ids alone")
