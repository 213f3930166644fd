"""Declaration of options: once each, with a role from which lists of options follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

__all__ = ["ROLES", "Role", "again", "aliases_of", "option", "options_of", "options_that_need", "words_of"]

Role = Literal["data", "judging", "training", "space", "progress", "place", "display"]
"""What an option decides.

data: which table is learned from, and how it is read; a record knows its content.
judging: which rows judge a trial, and by what.
training: how a trial is trained.
space: what is tried, and how the next trial is chosen.
progress: how far a search goes; may change while it goes on.
place: where it runs, and where files are.
display: what is shown of it.
"""
Need = Literal["output_dir", "command line"]
"""Where an option has a meaning: with a folder for results, or on the command line and in its files alone."""

ROLES: tuple[Role, ...] = get_args(Role)

_SAME: Any = object()


def option(
    default: Any = ...,
    *,
    role: Role,
    description: str,
    words: Mapping[str, Any] | None = None,
    aliases: Sequence[str] = (),
    needs: Need | None = None,
    **rules: Any,
) -> Any:
    """Declare an option of a command.

    Args:
        default: Its default; ``...`` for a required option.
        role: What it decides.
        description: Its help.
        words: What the command line makes of it: ``positional``; ``positional_too`` where the flag may be
            left out; ``repeated``; a ``flag`` of another name; or the ``name`` that it has where other
            commands have it, too, and records call it otherwise.
        aliases: Other names by which it may be given.
        needs: What it has no meaning without, in a call from Python.
        **rules: Its bounds, as pydantic knows them.
    """
    bounds = {rule: value for rule, value in rules.items() if rule != "default_factory"}
    extra = {**(words or {}), "role": role, "aliases": list(aliases), "needs": needs, "rules": bounds}
    chosen = rules if bounds != rules else {"default": default, **bounds}
    return Field(**chosen, description=description, json_schema_extra=extra)


def again(
    kind: type[BaseModel],
    name: str,
    default: Any = _SAME,
    *,
    description: str | None = None,
    role: Role | None = None,
    needs: Need | None = None,
    words: Mapping[str, Any] | None = None,
    **rules: Any,
) -> Any:
    """Declare an option of another command again, with what differs here.

    Args:
        kind: The settings that declare it; bounds and all that is not given are taken from there.
        name: The option.
        default: The default here.
        description: The help here.
        role: What it decides here.
        needs: What it has no meaning without here, in a call from Python.
        words: What the command line makes of it beside what it makes of it there.
        **rules: The bounds that differ here.
    """
    field = kind.model_fields[name]
    known = dict(words_of(field))
    first_rules, first_role, aliases = known.pop("rules"), known.pop("role"), known.pop("aliases")
    first_needs = known.pop("needs")
    return option(
        field.default if default is _SAME else default,
        role=role or first_role,
        description=description or field.description or "",
        words={**known, **(words or {})},
        aliases=aliases,
        needs=needs or first_needs,
        **{**first_rules, **rules},
    )


def words_of(field: FieldInfo) -> dict[str, Any]:
    """Return what is known of an option beside its type and default."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def options_of(kind: type[BaseModel], *roles: Role) -> tuple[str, ...]:
    """Return names of the options that have one of these roles, in the order in which they are declared."""
    return tuple(name for name, field in kind.model_fields.items() if words_of(field)["role"] in roles)


def options_that_need(kind: type[BaseModel], need: Need) -> tuple[str, ...]:
    """Return names of the options that have no meaning without something, in a call from Python."""
    return tuple(name for name, field in kind.model_fields.items() if words_of(field)["needs"] == need)


def aliases_of(kind: type[BaseModel]) -> dict[str, str]:
    """Return other names by which options may be given, and the options that they stand for."""
    fields = kind.model_fields
    aliases = {alias: name for name in fields for alias in words_of(fields[name]).get("aliases", ())}
    return {alias: name for alias, name in aliases.items() if alias not in fields}
