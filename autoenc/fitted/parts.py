"""The parts of a model file, each refused unless it makes sense."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray

from autoenc.data.curves import BENDING, Curve
from autoenc.data.encoding import Encoding
from autoenc.data.scaling import BY_KIND, Scaling, ScalingKind
from autoenc.engines import Recipe
from autoenc.fitted.sealed import check_tensor

__all__ = [
    "REAL",
    "check_keys",
    "columns_of",
    "encoding_of",
    "info_of",
    "parameters_of",
    "recipe_of",
    "scaling_content",
    "scaling_of",
]

REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Precisions that the state dicts of other code may have."""


def check_keys(content: Mapping[str, Any], known: Collection[str]) -> None:
    """See that a file without a digest holds nothing else, such as a part whose name was damaged.

    Raises:
        ValueError: If it does.
    """
    unknown = [name for name in content if name not in known]
    if unknown and "digest" not in content:
        raise ValueError(f"{unknown[0]!r} is no part of such a file")


def parameters_of(state: Any, dtypes: Collection[torch.dtype] = (torch.float32,)) -> dict[str, torch.Tensor]:
    """Return parameters by name in single precision, in memory of their own.

    Raises:
        ValueError: If they are no finite real numbers by name.
    """
    if not isinstance(state, Mapping):
        raise ValueError("it must hold tensors by name, and does not")
    tensors = {}
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ValueError("it must hold tensors by name, and does not")
        check_tensor(value)
        if value.dtype not in dtypes:
            kinds = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
            got = str(value.dtype).removeprefix("torch.")
            raise ValueError(f"{name} must hold {kinds} numbers, got {got}")
        single = value.detach().to(torch.float32, copy=True)
        if not torch.isfinite(single).all():
            raise ValueError(f"{name} must hold finite numbers, got NaN or infinite ones")
        tensors[name] = single
    return tensors


def columns_of(columns: Any) -> list[str]:
    """Return names of columns.

    Raises:
        ValueError: If they are no distinct texts.
    """
    if not isinstance(columns, list | tuple) or not all(isinstance(name, str) for name in columns):
        raise ValueError("the names of its columns must be text")
    if len(set(columns)) != len(columns):
        raise ValueError("the names of its columns must differ")
    return list(columns)


def encoding_of(plain: Any, columns: Sequence[str]) -> Encoding:
    """Return what columns of numbers stand for.

    Raises:
        ValueError, KeyError: If it makes no sense, or is none of these columns.
    """
    encoding = Encoding.of_plain(plain)
    if encoding.encoded != list(columns):
        raise ValueError("its encoding must be of its columns")
    return encoding


def recipe_of(values: Any) -> Recipe:
    """Return a recipe.

    Raises:
        ValueError, TypeError: If an option is unknown, or its value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValueError("its recipe must hold options by name")
    recipe = Recipe(**values)
    kinds_of = get_type_hints(Recipe)
    for field in dataclasses.fields(Recipe):
        value, default = getattr(recipe, field.name), field.default
        choices = get_args(kinds_of[field.name])
        if choices and value not in choices:
            raise ValueError(f"{field.name} in its recipe must be one of {', '.join(choices)}, got {value!r}")
        kinds = (int, float) if type(default) is float else (type(default),)
        if type(value) not in kinds or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{field.name} in its recipe must be a {type(default).__name__}, got {value!r}")
    return recipe


def scaling_content(scaling: Scaling) -> dict[str, Any]:
    """Return a scaling as a file holds it; what not every scaling has has names that old files lack."""
    arrays = {name: getattr(scaling, name) for name in ("center", "scale", "low", "high", "constant")}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}
    content: dict[str, Any] = {"kind": scaling.kind, **tensors}
    return content | ({"curves": list(map(_curve_content, scaling.curves))} if scaling.curves else {})


def _curve_content(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    if curve.knots is None:
        return {"kind": curve.kind, "unit": curve.unit}
    return {"kind": curve.kind, "knots": torch.from_numpy(curve.knots)}


def _curves_of(content: Any, kind: ScalingKind, n_columns: int) -> tuple[Curve | None, ...]:
    """Return curves of columns.

    Raises:
        ValueError, KeyError: If they are none that this kind of scaling fits.
    """
    if kind not in BENDING:
        raise ValueError(f"scaling {kind!r} has no curves, got some")
    if not isinstance(content, list) or len(content) != n_columns:
        raise ValueError("its scaling must have a curve or None for each column")
    return tuple(map(_curve_of, content))


def _curve_of(content: Any) -> Curve | None:
    if content is None:
        return None
    if not isinstance(content, Mapping):
        raise ValueError("a curve of its scaling must hold kind and unit or knots")
    if content["kind"] == "log1p":
        unit = content["unit"]
        if not isinstance(unit, float) or not (math.isfinite(unit) and unit > 0):
            raise ValueError(f"the unit of a curve of its scaling must be above 0, got {unit!r}")
        return Curve("log1p", unit)
    if content["kind"] != "quantile":
        raise ValueError(f"a curve of its scaling must be log1p or quantile, got {content['kind']!r}")
    knots = content["knots"]
    n_knots = knots.numel() if isinstance(knots, torch.Tensor) else 0
    values = _numbers(knots, "knots", n_knots)
    if n_knots < 2 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
        raise ValueError("the knots of a curve of its scaling must be finite and ascending, at least 2")
    return Curve("quantile", knots=values)


def scaling_of(content: Any, n_columns: int, groups: NDArray[np.int64] | None = None) -> Scaling:
    """Return a scaling.

    Args:
        content: As :func:`scaling_content` gave it.
        n_columns: Of how many columns.
        groups: See :class:`.Scaling`.

    Raises:
        ValueError, KeyError: If its kind is unknown, or a centre, scale or range is impossible.
    """
    if not isinstance(content, Mapping):
        raise ValueError("its scaling must hold kind, center and scale")
    kind = content["kind"]
    if kind not in get_args(ScalingKind):
        raise ValueError(f"its scaling must be one of {', '.join(get_args(ScalingKind))}, got {kind!r}")
    center, scale = (_numbers(content[name], name, n_columns) for name in ("center", "scale"))
    if not np.isfinite(center).all() or not np.isfinite(scale).all() or not (scale >= 0).all():
        raise ValueError("its scaling must have finite centers, and finite scales of at least 0")
    scaled = scale > 0
    if not scaled.any():
        raise ValueError("its scaling must have a scale above 0 for some column")
    by_kind = scaled if groups is None else scaled & (groups == BY_KIND)
    if kind in ("none", "maxabs") and (center[by_kind] != 0).any():
        raise ValueError(f"scaling {kind!r} has centers of 0, got others")
    if kind == "none" and (scale[by_kind] != 1).any():
        raise ValueError("scaling 'none' has scales of 1, got others")
    share = scaled & (groups >= 0) if groups is not None else np.zeros(n_columns, bool)
    if (center[share] <= 0).any() or (np.sqrt(center[share]) != scale[share]).any():
        raise ValueError("its categories must be scaled by the roots of their shares")
    if "low" not in content and "high" not in content:
        if not scaled.all():  # as no version wrote it that left out the range
            raise ValueError("its scaling must have scales above 0")
        return Scaling(kind, center, scale, groups=groups)
    low, high = (_numbers(content[name], name, n_columns) for name in ("low", "high"))
    missing = np.isnan(low) & np.isnan(high)
    if not (missing | (np.isfinite(low) & np.isfinite(high) & (low <= high))).all():
        raise ValueError("its scaling must have finite ranges, from low to high")
    constant = content.get("constant")
    if constant is not None:
        constant = _array(constant, "constant", n_columns, torch.bool)
    if constant is not None and (missing[constant].any() or not scaled[constant].all() or kind != "maxabs"):
        raise ValueError("its scaling must have a range and a scale of maxabs for columns that are constant")
    curves = _curves_of(content["curves"], kind, n_columns) if "curves" in content else ()
    return Scaling(kind, center, scale, low, high, constant, curves, groups)


def _numbers(tensor: Any, name: str, n_columns: int) -> NDArray[np.float64]:
    return _array(tensor, name, n_columns, torch.float64)


def _array(tensor: Any, name: str, n_columns: int, dtype: torch.dtype) -> NDArray[Any]:
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{name} of its scaling must be a tensor")
    check_tensor(tensor)
    if tensor.dtype != dtype or tuple(tensor.shape) != (n_columns,):
        wanted, got = (str(kind).removeprefix("torch.") for kind in (dtype, tensor.dtype))
        raise ValueError(
            f"{name} of its scaling must be {wanted} [{n_columns}], got {got} {list(tensor.shape)}"
        )
    return np.array(tensor.detach().numpy())


def info_of(info: Any, derived: Collection[str]) -> dict[str, Any]:
    """Return what else is known of a model.

    Raises:
        ValueError: If it is no mapping by text, contradicts what follows from the rest of the file, or
            names markers of missing cells that are no texts.
    """
    if not isinstance(info, Mapping) or not all(isinstance(name, str) for name in info):
        raise ValueError("its info must hold values by name")
    markers = info.get("na_values", [])
    if not isinstance(markers, list) or not all(isinstance(marker, str) for marker in markers):
        raise ValueError("na_values in its info must be a list of texts")
    twice = [name for name in info if name in derived]
    if twice:
        raise ValueError(f"{twice[0]!r} follows from its parameters, and must not stand in its info")
    return dict(info)
