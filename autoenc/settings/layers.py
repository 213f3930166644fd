"""Options that every command has: the files with its other options."""

from __future__ import annotations

from autoenc.settings.base import Settings
from autoenc.settings.options import option

__all__ = ["LayerSettings"]


class LayerSettings(Settings):
    """Files with options; they are no options of a command themselves."""

    config: str | None = option(
        None,
        role="place",
        description="YAML file with options, e.g. configs/copus.yaml; flags override it, and --no_NAME "
        "turns off what it turns on",
    )
    search_config: str | None = option(
        None, role="place", description="YAML file with a search space and method, which overrides --config"
    )
