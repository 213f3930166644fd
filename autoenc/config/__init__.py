"""Options from YAML files, in layers: defaults, base, experiment, cluster, search, command line."""

from __future__ import annotations

from autoenc.config.layers import Layer, load_layers
from autoenc.config.resolve import Resolution, resolve

__all__ = ["Layer", "Resolution", "load_layers", "resolve"]
