"""How tables are written: separators of columns and decimals, encoding; which of several a file holds."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator

__all__ = ["WHITE_SPACE", "Decimal", "Delimiter", "Dialect", "SheetName", "TextEncoding"]

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


def _is_sheet(text: str) -> str:
    if not text.strip():
        raise ValueError("must be the name of a sheet, or its number from 1, got nothing")
    return text


def _sheet(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Delimiter = Annotated[str, BeforeValidator(_delimiter), AfterValidator(_is_delimiter)]
TextEncoding = Annotated[str, AfterValidator(_is_encoding)]
SheetName = Annotated[str, BeforeValidator(_sheet), AfterValidator(_is_sheet)]
Decimal = Annotated[Literal[".", ","], BeforeValidator(_decimal)]


class Dialect(NamedTuple):
    """How a table is written; what is None is recognized.

    Attributes:
        delimiter: A character between columns, or :data:`WHITE_SPACE`.
        decimal: What separates the decimals of numbers.
        encoding: Of the characters, as Python calls it.
        sheet: Of a workbook, its name or its number from 1; of an annotated matrix, the layer.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None
