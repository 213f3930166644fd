"""Files for other programs, by format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autoenc.errors import InputError
from autoenc.exports.describe import description
from autoenc.system.paths import write_atomically

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["SUFFIXES", "exported", "format_of", "write_export"]

SUFFIXES = {".onnx": "onnx", ".pt2": "torch", ".safetensors": "safetensors"}
"""Formats by the suffix of a file."""


def format_of(path: str, given: str | None) -> str:
    """Return the format of a file: the one that is given, else what the suffix says.

    Raises:
        InputError: If that is none.
    """
    if given is not None:
        if given not in SUFFIXES.values():
            raise InputError(f"--format must be one of {', '.join(SUFFIXES.values())}, got {given!r}")
        return given
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: must end in {', '.join(SUFFIXES)}, or --format must say what is written")
    return SUFFIXES[suffix]


def exported(model: FittedAutoencoder | FittedEnsemble, format: str) -> bytes:
    """Return what a file of this format holds.

    Raises:
        InputError: If a package is not installed, or the model lacks what the format needs.
    """
    if format == "onnx":
        from autoenc.exports.onnx_file import onnx_bytes

        return onnx_bytes(model)
    if format == "torch":
        from autoenc.exports.torch_module import program_bytes

        return program_bytes(model)
    from autoenc.exports.tensors import tensors_bytes

    try:
        content = model.sealed_content()
    except ValueError as error:
        raise InputError(f"safetensors: {error}") from None
    return tensors_bytes(content, description(model))


def write_export(model: FittedAutoencoder | FittedEnsemble, path: Path, format: str | None) -> None:
    """Write a model for other programs; see :meth:`.FittedAutoencoder.export`."""
    try:
        content = exported(model, format_of(str(path), format))
    except InputError as error:
        raise InputError([problem.replace("--format", "format") for problem in error.problems]) from None
    write_atomically(path, content, follow_link=True)
