"""Options from YAML files, in layers: defaults, base, experiment, cluster, search, command line."""

from __future__ import annotations

from pathlib import Path

from autoenc.config.layers import Layer, load_layers
from autoenc.config.resolve import Resolution, resolve

__all__ = ["Layer", "Resolution", "load_layers", "resolve", "shipped_search"]


def shipped_search(name: str) -> str:
    """Return the path of a search file that comes with the package, e.g. ``coarse_search``."""
    return str(Path(__file__).parent / "searches" / f"{name}.yaml")
