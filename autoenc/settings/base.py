"""Types of options, their checks, and the messages for wrong ones.

Command line and Python both read the options from here. Problems are collected, so that all wrong options
are reported at once.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.fields import FieldInfo

from autoenc.engines.recipe import Activation, InputNorm, LossKind, Missing, Norm, ScalingKind, Start
from autoenc.errors import InputError
from autoenc.settings.dialects import Decimal, Delimiter, Dialect, SheetName, TextEncoding
from autoenc.settings.options import aliases_of, option
from autoenc.system.secrets import masked_values

__all__ = [
    "DISTINCT",
    "METHOD",
    "ColumnName",
    "ColumnOrNone",
    "PathText",
    "SOME",
    "SPLIT",
    "Activations",
    "Count",
    "Counts",
    "DataSettings",
    "Dropouts",
    "InputNorms",
    "Missings",
    "LatentSizes",
    "Losses",
    "Names",
    "NamesOrNone",
    "Norms",
    "Problem",
    "Positive",
    "Rates",
    "ReadingSettings",
    "Scalings",
    "Settings",
    "Starts",
    "StorageURL",
    "WORDS",
    "WeightDecays",
    "Width",
    "Widths",
    "available_cores",
    "check_settings",
    "is_path",
    "comma_list",
    "name_list",
    "parse_settings",
    "require_settings",
]


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def comma_list(value: Any) -> Any:
    """Return ``"16,32"`` as ``["16", "32"]``; empty pieces stay, to be reported as wrong."""
    if isinstance(value, str):
        return [piece.strip() for piece in value.split(",")]
    if getattr(value, "shape", ()) and hasattr(value, "tolist"):  # an array, or labels of pandas
        return value.tolist()
    return list(value) if isinstance(value, list | tuple | range) else [value]


WORDS = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
"""Words that are given one by one."""


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    repeated = sorted(value for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"must not repeat a value, got {', '.join(map(str, repeated))} twice")
    return values


# A comma-separated list of distinct values; where one is usual, one alone is written out alone again.
SPLIT, SOME, DISTINCT = BeforeValidator(comma_list), Field(min_length=1), AfterValidator(_distinct)
_ALONE = PlainSerializer(lambda values: values[0] if len(values) == 1 else list(values))
Width = Annotated[int, Field(ge=1, le=65536)]
Widths = Annotated[tuple[Width, ...], SPLIT, SOME, DISTINCT]
LatentSizes = Annotated[tuple[Width, ...], SPLIT, SOME, DISTINCT, _ALONE]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Dropouts = Annotated[tuple[Dropout, ...], SPLIT, SOME, DISTINCT, _ALONE]
WeightDecay = Annotated[FiniteFloat, Field(ge=0)]
WeightDecays = Annotated[tuple[WeightDecay, ...], SPLIT, SOME, DISTINCT, _ALONE]
Norms = Annotated[tuple[Norm, ...], SPLIT, SOME, DISTINCT, _ALONE]
InputNorms = Annotated[tuple[InputNorm, ...], SPLIT, SOME, DISTINCT, _ALONE]
Activations = Annotated[tuple[Activation, ...], SPLIT, SOME, DISTINCT, _ALONE]
Starts = Annotated[tuple[Start, ...], SPLIT, SOME, DISTINCT, _ALONE]
Missings = Annotated[tuple[Missing, ...], SPLIT, SOME, DISTINCT, _ALONE]
Losses = Annotated[tuple[LossKind, ...], SPLIT, SOME, DISTINCT, _ALONE]
Scalings = Annotated[tuple[ScalingKind, ...], SPLIT, SOME, DISTINCT, _ALONE]
Counts = Annotated[tuple[Count, ...], SPLIT, SOME, DISTINCT, _ALONE]
Rates = Annotated[tuple[Positive, ...], SPLIT, SOME, DISTINCT, _ALONE]


METHOD = BeforeValidator(lambda name: "tpe" if name == "bayesian" else name)
"""Search files call the TPE sampler bayesian."""


def _named(text: str) -> str:
    if not text.strip():
        raise ValueError(f"must be the URL of a storage, such as sqlite:///study.db, got {text!r}")
    return text


def _path(text: str) -> str:
    if not text.strip():
        raise ValueError(f"must be the name of a file or folder, got {text!r}")
    if "\0" in text:
        raise ValueError(f"must be the name of a file or folder, which holds no NUL character, got {text!r}")
    return text


def _column(text: str) -> str:
    if not text:
        raise ValueError("must be the name of a column, got ''")
    return text


StorageURL = Annotated[str, AfterValidator(_named)]
_PATH = AfterValidator(_path)
PathText = Annotated[str, _PATH]
"""The name of a file or folder; in a configuration its ``~`` and ``$NAME`` are expanded."""


_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(,|$)')


def _as_written(item: Any) -> Any:
    """Return a number as text: names and markers are texts, but Python may well give numbers."""
    return str(item) if not isinstance(item, bool) and isinstance(item, Real) else item


ColumnOrNone = Annotated[str, BeforeValidator(_as_written)]
ColumnName = Annotated[ColumnOrNone, AfterValidator(_column)]


def name_list(value: Any) -> Any:
    """Return ``'L,"length, cm"'`` as ``["L", "length, cm"]``: names as in a line of CSV."""
    if not isinstance(value, str):
        return [_as_written(item) for item in comma_list(value)]
    names, place, more = [], 0, True
    while more:
        match = _NAME.match(value, place)
        if match is None:
            raise ValueError(f"must be names as in CSV, each in double quotes or without any, got {value!r}")
        quoted, plain, comma = match.groups()
        names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        place, more = match.end(), bool(comma)
    return names


Names = Annotated[tuple[str, ...], BeforeValidator(name_list)]
NamesOrNone = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: () if value == "" else name_list(value)), DISTINCT
]


def is_path(field: FieldInfo) -> bool:
    """Return whether an option is the name of a file or folder."""
    inner = (getattr(kind, "__metadata__", ()) for kind in get_args(field.annotation))
    return _PATH in field.metadata or any(_PATH in metadata for metadata in inner)


class Settings(BaseModel):
    """Options of a command, checked and frozen.

    As plain values, which is how they are stored and hashed, they hold no password: that of a URL is masked.
    """

    # Built where it is used: most settings are there for others to be made of, or for other commands.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    _instead: ClassVar[Mapping[str, str]] = {}
    """For options that other searches have and this one has no meaning for: what to do instead."""

    @classmethod
    def instead_of(cls, name: str) -> str | None:
        """Return what to do instead of giving an option that only other commands have; None if that is open.

        Example:
            >>> from autoenc.settings import TuneSettings
            >>> TuneSettings.instead_of("shard")[:44]
            'let several processes share one --storage, e'
        """
        return cls._instead.get(name)

    @model_serializer(mode="wrap")
    def _masked(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: masked_values(value) for name, value in serialize(self).items()}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Yield what a traceback shows."""
        for name, value in super().__repr_args__():
            yield name, masked_values(value)

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """Return options that are right by themselves but not together: their names and what is wrong."""
        return []


class ReadingSettings(Settings):
    """How a table is written."""

    delimiter: Delimiter | None = option(
        None,
        role="data",
        description='what separates columns of a text table, e.g. ";", tab or space; by default recognized',
    )
    decimal: Decimal | None = option(
        None,
        role="data",
        description="what separates decimals in a text table, point or comma; by default recognized",
    )
    encoding: TextEncoding | None = option(
        None,
        role="data",
        description="encoding of a text table, e.g. cp1252; by default UTF-8, or what its first bytes say",
    )

    sheet: SheetName | None = option(
        None,
        role="data",
        description="sheet of a workbook, its name or its number from 1, by default the first; or layer of "
        "an .h5ad, by default X",
    )

    @property
    def dialect(self) -> Dialect:
        """What was said of how the table is written."""
        return Dialect(self.delimiter, self.decimal, self.encoding, self.sheet)


class DataSettings(ReadingSettings):
    """The table, and how it is read."""

    na_values: NamesOrNone = option(
        (),
        role="data",
        description='words and numbers that stand for a missing cell, e.g. "-999,?"; an empty cell, NA, NaN '
        "and null always do",
    )
    data_path: PathText = option(
        "data/stains.csv",
        role="data",
        description="table to learn from: CSV (also compressed), Parquet, Feather, Excel, NPY, NPZ or .h5ad; "
        "- for standard input",
    )
    columns: Names | None = option(
        None,
        role="data",
        description='columns to use, e.g. "L,Lec,CG"; by default the 24 COPUS columns if they are all '
        "there, else all numeric ones; a name with a comma stands in double quotes",
    )
    exclude: NamesOrNone = option((), role="data", description='columns not to learn from, e.g. "id,year"')


S = TypeVar("S", bound=Settings)


class Problem(NamedTuple):
    """A problem with options.

    Attributes:
        names: The options; several where they contradict each other.
        text: A sentence that names them as flags.
        item: Which value of a list, None where that does not matter.
    """

    names: tuple[str, ...]
    text: str
    item: int | None = None


def check_settings(kind: type[S], given: Mapping[str, Any]) -> tuple[S | None, list[Problem]]:
    """Check options; the rest take their defaults.

    Args:
        kind: Which settings.
        given: Values by option name, as text or already typed.

    Returns:
        The settings, None where there are problems, and all problems.
    """
    given, problems = _by_own_names(kind, given)
    wrong: set[str] = set()
    try:
        settings = kind.model_validate(given)
    except ValidationError as error:
        for detail in error.errors():
            name, *rest = detail["loc"]
            wrong.add(str(name))
            if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
                continue  # pydantic before 2.14 counts only what is right, and told what is wrong already
            item = rest[0] if rest and isinstance(rest[0], int) else None
            problem = Problem((str(name),), _sentence(detail, given, kind), item)
            if problem.text not in [
                known.text for known in problems
            ]:  # both ends of a range may be wrong alike
                problems.append(problem)
        # Contradictions among the options that are right by themselves are reported, too.
        try:
            settings = kind.model_validate({name: given[name] for name in given if name not in wrong})
        except ValidationError:  # a required option is missing
            return None, problems
    contradictions = settings.contradictions()
    problems += [Problem(names, text) for names, text in contradictions if not wrong.intersection(names)]
    return (None if problems else settings), problems


def _by_own_names(kind: type[S], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return options by their own names; one that was given by two names is a problem."""
    own, problems = dict(given), []
    for alias, name in aliases_of(kind).items():
        if alias in own:
            value = own.pop(alias)
            if name in own:
                problems.append(Problem((name,), f"--{name} and --{alias} are the same option; give one"))
            own.setdefault(name, value)
    return own, problems


def parse_settings(kind: type[S], given: Mapping[str, Any]) -> tuple[S | None, list[str]]:
    """Check options as :func:`check_settings` does, with a sentence for each problem."""
    settings, problems = check_settings(kind, given)
    return settings, [problem.text for problem in problems]


_RIGHT = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "literal_error": "one of {expected}",
    "too_short": "one value or more",
    "too_long": "one value or two, low,high",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
}


def _did_you_mean(name: str, kind: type[Settings]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [f"--{other.rstrip('_')}" for other in kind.model_fields], 1)
    return f"; did you mean {near[0]}?" if near else ""


def _sentence(detail: Any, given: Mapping[str, Any], kind: type[Settings]) -> str:
    """Return one of pydantic's findings in a user's words."""
    name = f"--{str(detail['loc'][0]).rstrip('_')}"
    if detail["type"] == "value_error":
        return f"{name} {detail['ctx']['error']}"
    if detail["type"] == "missing":
        return f"{name} is required"
    if detail["type"] == "extra_forbidden":
        instead = kind.instead_of(str(detail["loc"][0]))
        return f"{name} is not an option" + (f" here; {instead}" if instead else _did_you_mean(name, kind))
    right = _RIGHT.get(detail["type"])
    rule = f"must be {right.format(**detail.get('ctx', {}))}" if right else str(detail["msg"])
    whole = given.get(str(detail["loc"][0]))
    is_part = len(detail["loc"]) > 1 and isinstance(whole, str) and whole != detail["input"]
    piece = f" in {whole!r}" if is_part else ""
    return f"{name} {rule}, got {_shortened(repr(detail['input']))}{_shortened(piece)}"


def _shortened(text: str, longest: int = 200) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def require_settings(kind: type[S], given: Mapping[str, Any]) -> S:
    """Check options as :func:`parse_settings` does, with problems raised.

    Raises:
        InputError: If an option is wrong; it names all of them.
    """
    settings, problems = parse_settings(kind, given)
    if settings is None:
        raise InputError(problems)
    return settings
