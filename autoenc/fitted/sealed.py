"""Files of tensors and plain values, with a digest that shows any change of them."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoenc.errors import InputError
from autoenc.system.paths import write_atomically

__all__ = ["check_digest", "check_tensor", "read_archive", "sealed", "write_sealed"]

_DIGEST = "digest"
_MOST_VALUES = 1_000_000
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_END = b"PK\x05\x06" + bytes(18)  # the last record of an archive, its signature first
# What torch writes into the one folder of an archive.
_PARTS = re.compile(
    r"data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id"
)


def write_sealed(path: Path, content: Mapping[str, Any], keep_earlier: bool = False) -> Path | None:
    """Write tensors and plain values together with their digest.

    Args:
        path: The file.
        content: Tensors, numbers, text, None, and lists and mappings of them.
        keep_earlier: Keep a file that is replaced under another name.

    Returns:
        What the earlier file is called now; None if none was kept.

    Raises:
        ValueError: If there is anything else in ``content``, which no file could give back safely.
        OSError: If the file cannot be written; an earlier one is then as it was.
    """
    whole = sealed(content)

    def write(file: Any) -> None:
        buffer = io.BytesIO()  # torch hides why a file cannot be written
        torch.save(whole, buffer)
        file.write(buffer.getbuffer())

    return write_atomically(path, write, keep_earlier=keep_earlier)


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors and plain values with their digest, lists for all sequences.

    Raises:
        ValueError: If there is anything else in ``content``.
    """
    plain = {name: _plain(value) for name, value in content.items()}
    return {**plain, _DIGEST: _digest(plain)}


def read_archive(path: Path) -> Any:
    """Return the content of a torch file; nothing in it is run, and its checksums must be right.

    Raises:
        InputError: If there is no such file, or it is damaged, foreign, or holds more than tensors and plain
            values.
    """
    raw = _read(path)
    try:
        if raw.startswith(_ZIP):
            _check_archive(path, raw)
        with torch.inference_mode(False), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever torch says of a foreign file, it is read or refused
            return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except InputError:
        raise
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: was refused: it is not a model file, or it holds more than tensors and plain values"
        ) from None
    except MemoryError:
        raise InputError(f"{path}: is damaged, or too large for the memory of this machine") from None
    except Exception as error:  # torch raises many kinds on damaged archives
        reason = str(error).split(". ")[0].splitlines()[0] if str(error).strip() else "it ends too early"
        raise InputError(f"{path}: is truncated or not a model file ({reason})") from None


def check_digest(content: Mapping[str, Any]) -> None:
    """See that content is what was written. A file without a digest, of an earlier version, is believed.

    Raises:
        ValueError: If it is not.
    """
    if _DIGEST not in content:
        return
    unsealed = {name: value for name, value in content.items() if name != _DIGEST}
    if content[_DIGEST] != _digest(unsealed):
        raise ValueError("its parameters or its description are not those that were written")


def _read(path: Path) -> bytes:
    if not path.exists():
        raise InputError(f"{path}: there is no such file; search --save_models and train-best make one")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a model file")
    if not path.is_file():
        raise InputError(f"{path}: is a device or a pipe, not a model file")
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP))
            if not start.startswith((_ZIP, _PICKLE)):
                raise InputError(f"{path}: is truncated or not a model file")
            return start + file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise InputError(f"{path}: is too large for the memory of this machine") from None


def _check_archive(path: Path, raw: bytes) -> None:
    """See that the checksums of all parts are right, which torch does not do."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise InputError(f"{path}: is damaged: a part of it is there twice")
        foreign = [name for name in names if not _PARTS.fullmatch(name.partition("/")[2])]
        if foreign:
            raise InputError(f"{path}: is damaged: {foreign[0]!r} is no part of a model file")
        if raw[-len(_END) : -len(_END) + 4] != _END[:4]:
            raise InputError(f"{path}: is damaged: something stands behind its end")
        for part in archive.infolist():
            if part.compress_type != zipfile.ZIP_STORED:  # a small file could fill the memory
                raise InputError(f"{path}: is not a model file, whose parts are never compressed")
        try:
            damaged = archive.testzip()
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
            raise InputError(f"{path}: is damaged or truncated ({error})") from None
        if damaged is not None:
            raise InputError(f"{path}: is damaged: the checksum of {damaged!r} is wrong")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {_plain(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"a model file holds tensors, numbers, text, lists and mappings; got {value!r}")


def _digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over types, shapes and values, as hexadecimal."""
    digest = hashlib.sha256()
    pending: list[Any] = [content]  # no recursion: a foreign file may be nested as deeply as it likes
    n_values = 0
    while pending:
        value = pending.pop()
        n_values += 1
        if n_values > _MOST_VALUES:
            raise ValueError("it holds too many values")
        if isinstance(value, torch.Tensor):
            check_tensor(value)
            digest.update(f"{value.dtype} {tuple(value.shape)};".encode())
            digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Mapping):
            digest.update(f"mapping {len(value)};".encode())
            pending += [part for item in value.items() for part in item]
        elif isinstance(value, list | tuple):
            digest.update(f"list {len(value)};".encode())
            pending += value
        else:
            text = repr(value).encode(errors="surrogatepass")
            digest.update(f"{type(value).__name__} {len(text)};".encode() + text)
    return digest.hexdigest()


def check_tensor(tensor: torch.Tensor) -> None:
    """See that a tensor of a file holds all the numbers that its shape says, on this machine.

    Raises:
        ValueError: If it does not. A single number may else be spread over terabytes.
    """
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise ValueError("it holds a tensor that is no plain array of numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"it holds fewer numbers than a tensor of shape {list(tensor.shape)} has")
