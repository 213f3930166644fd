"""Model files as safetensors: tensors by name, and everything else as JSON in the header.

A model file holds nested mappings and lists of tensors and plain values. Here each tensor has the name of its
place, such as ``state_dict.encoder.0.weight``, and the JSON has that name in its stead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from autoenc.errors import InputError, needing
from autoenc.system.text import json_text

__all__ = ["SUFFIX", "content_of_tensors", "tensors_bytes"]

_NOTE = "autoenc"
_PLACE = "__tensor__"
SUFFIX = ".safetensors"


def tensors_bytes(content: Mapping[str, Any], description: Mapping[str, Any]) -> bytes:
    """Return a file of safetensors.

    Args:
        content: What a model file holds.
        description: What people and other programs may want to know, as plain values.

    Raises:
        InputError: If the package safetensors is not installed.
    """
    package = _package()
    tensors: dict[str, torch.Tensor] = {}
    plain = _taken_out(dict(content), "", tensors)
    notes = {_NOTE: json.dumps(plain), "description": json_text(dict(description))}
    saved: bytes = package.save(tensors, metadata=notes)
    return saved


def _taken_out(value: Any, place: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Return a value with the names of tensors in their stead, which are collected."""
    if isinstance(value, torch.Tensor):
        tensors[place] = value.detach().cpu().contiguous().clone()
        return {_PLACE: place}
    if isinstance(value, Mapping):
        places = {name: f"{place}.{name}" if place else name for name in value}
        return {name: _taken_out(item, places[name], tensors) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_taken_out(item, f"{place}.{i}", tensors) for i, item in enumerate(value)]
    return value


def content_of_tensors(path: Path) -> Mapping[str, Any]:
    """Return what :func:`tensors_bytes` wrote.

    Raises:
        InputError: If there is no such file, it is damaged, or another program's.
    """
    package = _package()
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; export --format safetensors makes one")
    try:
        tensors = package.load_file(path)
        with package.safe_open(path, "pt") as file:
            notes = file.metadata() or {}
        if _NOTE not in notes:
            raise InputError(f"{path}: is not a model file of this program, though of safetensors")
        content = _put_in(json.loads(notes[_NOTE]), tensors)
    except (package.SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is a damaged file of safetensors: {str(error).splitlines()[0]}") from None
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: is a damaged file of safetensors: its description is no mapping")
    return content


def _put_in(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {_PLACE}:
            return tensors[value[_PLACE]]
        return {name: _put_in(item, tensors) for name, item in value.items()}
    if isinstance(value, list):
        return [_put_in(item, tensors) for item in value]
    return value


def _package() -> Any:
    with needing("safetensors is a package that is not installed", "safetensors"):
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import load_file, save

    return SimpleNamespace(
        SafetensorError=SafetensorError, safe_open=safe_open, load_file=load_file, save=save
    )
