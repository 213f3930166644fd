"""How text tables are written: what separates columns, decimals, and the characters' encoding."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator

__all__ = ["WHITE_SPACE", "Decimal", "Delimiter", "Dialect", "TextEncoding"]

WHITE_SPACE = "space"
"""The delimiter that stands for any number of spaces."""

_WORDS = {
    "tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "colon": ":", " ": WHITE_SPACE,
}  # fmt: skip


def _delimiter(text: object) -> object:
    """Return a delimiter that was given as a word as the character."""
    return _WORDS.get(text, text) if isinstance(text, str) else text


def _decimal(text: object) -> object:
    return {"point": ".", "comma": ","}.get(text, text) if isinstance(text, str) else text


def _is_delimiter(text: str) -> str:
    is_mark = len(text) == 1 and text.isascii() and text.isprintable() and not text.isalnum()
    if text in (WHITE_SPACE, "\t") or (is_mark and text not in "\"'.+-_"):
        return text
    words = "tab, space, comma, semicolon, bar, colon"
    raise ValueError(f"must be one mark such as ; or |, or a word among {words}, got {text!r}")


def _is_encoding(text: str) -> str:
    try:
        codec = codecs.lookup(text)
        "a,b\n".encode(text).decode(text)
    except (LookupError, ValueError):
        raise ValueError(
            f"must be the name of a text encoding, such as cp1252 or utf-16, got {text!r}"
        ) from None
    return codec.name


Delimiter = Annotated[str, BeforeValidator(_delimiter), AfterValidator(_is_delimiter)]
TextEncoding = Annotated[str, AfterValidator(_is_encoding)]
Decimal = Annotated[Literal[".", ","], BeforeValidator(_decimal)]


class Dialect(NamedTuple):
    """How a text table is written; what is None is recognized.

    Attributes:
        delimiter: A character between columns, or :data:`WHITE_SPACE`.
        decimal: What separates the decimals of numbers.
        encoding: Of the characters, as Python calls it.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
