"""``config show``: the options of a command, and where each came from."""

from __future__ import annotations

from typing import Any

from autoenc.config import Resolution
from autoenc.settings import Settings

__all__ = ["show"]

_WIDEST_VALUE = 40


def show(command: str, resolution: Resolution[Settings]) -> list[str]:
    """Return a line per option, and a line per key of the files that this command has no use for."""
    options = {name: _text(getattr(resolution.settings, name)) for name in resolution.origins}
    name_width = max(map(len, options), default=0)
    value_width = min(max(map(len, options.values()), default=0), _WIDEST_VALUE)
    lines = [
        f"{name:<{name_width}}  {value:<{value_width}}  {resolution.origins[name]}"
        for name, value in options.items()
    ]
    if resolution.unused:
        unused = sorted(resolution.unused, key=lambda entry: (entry.path, entry.line))
        width = max(len(entry.key) for entry in unused)
        lines += ["", f"not used by {command}:"]
        lines += [f"{entry.key:<{width}}  {entry.place()}" for entry in unused]
    return lines


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
