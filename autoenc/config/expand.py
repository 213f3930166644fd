"""``~`` and ``$NAME`` in the paths of a configuration, as a shell would write them out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

__all__ = ["expanded_path"]

_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w*)\})", re.ASCII)


def expanded_path(text: str, environment: Mapping[str, str]) -> str:
    """Return a path with home folder and variables filled in; ``$$`` is a dollar sign.

    Args:
        text: As it stands in the file.
        environment: Variables by name.

    Raises:
        ValueError: If a variable is not set, or there is no such home folder; it says which.
    """

    def value(match: re.Match[str]) -> str:
        dollar, bare, braced = match.groups()
        name = bare or braced
        if dollar:
            return "$"
        if not name or name not in environment:
            raise ValueError(f"uses {match[0]}, which is not set in the environment; $$ is a dollar sign")
        return environment[name]

    # What a variable holds is not looked at again.
    begin, slash, rest = text.partition("/")
    if begin.startswith("~"):
        home = environment.get("HOME") if begin == "~" else None
        home = home or os.path.expanduser(begin)
        if home == begin:
            raise ValueError(f"begins with {begin}, which is no home folder known here; ./{begin} is a file")
        return home + slash + _VARIABLE.sub(value, rest)
    return _VARIABLE.sub(value, text)
