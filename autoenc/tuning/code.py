"""Hashes of the code of classes and functions, by which a changed body is noticed."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

__all__ = ["code_hash"]

_LIBRARIES = {"torch", "abc", "typing"}  # whose versions are another matter
_HEAP_TYPE = 1 << 9  # a class that Python code made
_PLAIN = bool | int | float | complex | str | bytes | None


def code_hash(value: Any) -> str | None:
    """Hash the code of a class, with the classes it builds on, or of a function, with its defaults.

    Comments and blank lines do not count. What they call and the variables around them are not looked into.

    Returns:
        16 hexadecimal digits; None where the code is that of a library.
    """
    parts = list(_parts(value))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else None


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, functools.partial):
        yield from _parts(value.func)
        yield from map(_plain, [*value.args, *sorted(value.keywords.items())])
    elif inspect.isclass(value):
        for part in value.__mro__:
            if part.__flags__ & _HEAP_TYPE and not _of_library(part):
                yield part.__qualname__
                for name, member in sorted(vars(part).items()):
                    yield from _member(name, member)
    elif isinstance(value, FunctionType):
        if not _of_library(value):
            yield _source(value)
            yield from map(_plain, value.__defaults__ or ())
    elif inspect.ismethod(value):
        yield from _parts(value.__func__)
    elif not isinstance(value, _PLAIN) and not inspect.isbuiltin(value):
        yield from _parts(type(value))


def _of_library(value: Any) -> bool:
    return str(value.__module__).partition(".")[0] in _LIBRARIES


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, property):
        functions = [member.fget, member.fset, member.fdel]
    else:
        functions = [getattr(member, "__func__", member)]
    for function in functions:
        if isinstance(function, FunctionType):
            yield _source(function)
        elif not name.startswith("__") and isinstance(function, _PLAIN | tuple):
            yield f"{name} = {_plain(function)}"


def _source(function: FunctionType) -> str:
    # Python 3.13 gives whatever exec made of a text the source of the program that ``-c`` was given.
    if function.__code__.co_filename == "<string>":
        return repr(_bytecode(function.__code__))
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, made by exec, a lambda within a call
        return repr(_bytecode(function.__code__))


def _bytecode(code: CodeType) -> tuple[Any, ...]:
    constants = [
        _bytecode(constant) if isinstance(constant, CodeType) else constant for constant in code.co_consts
    ]
    return code.co_name, code.co_code, code.co_names, constants


def _plain(value: Any) -> str:
    """Return a value as text; of what is no plain value its type alone, as its text may hold an address."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_plain, value))})"
    return repr(value) if isinstance(value, _PLAIN) else code_hash(value) or type(value).__qualname__
