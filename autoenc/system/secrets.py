"""Passwords and tokens in URLs: used as they are given, masked wherever they are shown or stored."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

__all__ = ["MASK", "is_masked", "masked", "masked_command", "masked_error", "masked_storage", "masked_url",
           "masked_values"]  # fmt: skip

MASK = "***"

_SECRET = re.compile(r"pass|pwd|secret|token|credential|signature|odbc_connect|^(api|access|auth)?_?key$")
_SECRET_INSIDE = re.compile(r"(pass\w*|pwd|secret|token)\s*=")
_NAMED = re.compile(r"(?P<name>[\w.%-]+)=(?P<value>[^&]*)")
_LOGIN = re.compile(r"(?P<before>[A-Za-z][\w.+-]*://[^:/@\s]*):(?P<password>.*)@", re.DOTALL)
_URL = re.compile(r"[A-Za-z][\w.+-]*://\S+")
# A password with spaces in it, in the middle of a sentence; a port is none.
_SPACED = re.compile(r"([A-Za-z][\w.+-]*://[^:/@\s]*):(?!\d{1,5}\b)[^@\n]* [^@\n]*@(?=[\w\[])")


def masked_url(url: str) -> str:
    """Return the URL with ``***`` in the place of its password and of what its query keeps secret.

    The password ends at the last ``@`` before the query, so that one whose special characters were not
    percent-encoded is masked as a whole. A text without ``://`` is no URL and stays as it is.

    Example:
        >>> masked_url("postgresql://me:p%40ss@host/db?sslpassword=x&sslmode=require")
        'postgresql://me:***@host/db?sslpassword=***&sslmode=require'
    """
    if "://" not in url:
        return url
    place, mark, query = url.rpartition("?")
    if not mark or "=" not in query or ("@" in query and "@" not in place):
        place, mark, query = url, "", ""
    return _without_values(_LOGIN.sub(rf"\g<before>:{MASK}@", place) + mark + query)


def masked_storage(text: str) -> str:
    """Mask the password in a storage's URL, also in one that was mistyped.

    Example:
        >>> masked_storage("postgresql:/me:word@host/db")
        'postgresql:***@host/db'
    """
    return masked_url(text) if "://" in text else re.sub(r":.*@", f":{MASK}@", text, flags=re.DOTALL)


def _without_values(text: str) -> str:
    def shown(match: re.Match[str]) -> str:
        is_secret = _is_secret(match["name"]) or _SECRET_INSIDE.search(unquote(match["value"]).lower())
        return f"{match['name']}={MASK}" if match["value"] and is_secret else match[0]

    return _NAMED.sub(shown, text)


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(unquote(name).lower()))


def masked(text: str) -> str:
    """Return a text that may hold URLs, with their secrets masked."""
    if "://" not in text:
        return text
    return _URL.sub(lambda match: masked_url(match[0]), _SPACED.sub(rf"\1:{MASK}@", text))


def masked_error(error: BaseException, url: str) -> str:
    """Return the first line of what a driver says about a URL, without any part of its password.

    Drivers quote what they could not make sense of, decoded and cut at any special character.
    """
    text = str(error).strip().replace(url, masked_url(url))
    words = [match["password"] for match in [_LOGIN.search(url)] if match]
    words += [match["value"] for match in _NAMED.finditer(url) if _is_secret(match["name"])]
    whole = [word for given in words for word in (given, unquote(given)) if word]
    pieces = [piece for word in whole for piece in re.split(r"[@:/?#\s]", word) if len(piece) > 2]
    for word in sorted({*whole, *pieces}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", MASK, text)
    return (masked(text).splitlines() or [type(error).__name__])[0]


def masked_command(words: Sequence[str]) -> str:
    """Return a command line as one would type it, without secrets."""
    return shlex.join([masked_url(word) for word in words])


def masked_values(value: Any) -> Any:
    """Return plain values with all texts in them masked."""
    if isinstance(value, str):
        return masked_url(value)
    if isinstance(value, dict):
        return {key: masked_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked_values(item) for item in value)
    return value


def is_masked(url: str) -> bool:
    """Return whether a secret of this URL was masked, so that nothing can be opened with it."""
    return f":{MASK}@" in url or f"={MASK}" in url
