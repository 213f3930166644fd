"""Scaling as operations of ONNX: the maps and curves of :class:`.Scaling`, in double precision."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from autoenc.data.curves import EDGE
from autoenc.data.scaling import Scaling
from autoenc.exports.onnx_build import Graph
from autoenc.exports.onnx_normal import normal_quantile, normal_share

__all__ = ["scaled_rows", "unscaled_rows"]


def scaled_rows(graph: Graph, rows: str, scaling: Scaling) -> str:
    """Return scaled rows in single precision, NaN where a cell is missing, from raw double-precision ones."""
    bent = _by_curves(graph, rows, scaling, is_bending=True)
    scale = np.where(scaling.left_out, 1.0, scaling.scale)
    moved = graph.op("Sub", bent, graph.constant(scaling.center, np.float64))
    scaled = graph.cast(graph.op("Div", moved, graph.constant(scale, np.float64)), np.float32)
    for missing in _missing(graph, rows, scaling):
        scaled = graph.op("Where", missing, graph.constant(np.nan, np.float32), scaled)
    return scaled


def _missing(graph: Graph, rows: str, scaling: Scaling) -> list[str]:
    """Return which cells count as missing besides NaN, each broadcasts to ``[rows, columns]``."""
    conditions = []
    if scaling.left_out.any():
        conditions.append(graph.constant(scaling.left_out[None, :]))
    limits = scaling.constant_limits()
    if limits is not None:
        low, high = (graph.constant(limit, np.float64) for limit in limits)
        outside = graph.op("Or", graph.op("Less", rows, low), graph.op("Greater", rows, high))
        is_zero = graph.op("Equal", rows, graph.constant(0.0, np.float64))
        conditions.append(graph.op("And", outside, graph.op("Not", is_zero)))
    for group, unseen in scaling.unseen_groups():
        has = graph.op("Gather", rows, graph.constant(unseen, np.int64), axis=1)
        is_one = graph.cast(graph.op("Equal", has, graph.constant(1.0, np.float64)), np.int64)
        n_ones = graph.op("ReduceSum", is_one, graph.constant([1], np.int64), keepdims=1)
        any_one = graph.op("Greater", n_ones, graph.constant(0, np.int64))
        conditions.append(graph.op("And", any_one, graph.constant(group[None, :])))
    return conditions


def unscaled_rows(graph: Graph, scaled: str, scaling: Scaling) -> str:
    """Return raw rows in double precision from scaled ones."""
    wide = graph.cast(scaled, np.float64)
    stretched = graph.op("Mul", wide, graph.constant(scaling.scale, np.float64))
    values = graph.op("Add", stretched, graph.constant(scaling.center, np.float64))
    if scaling.left_out.any():
        center = graph.constant(scaling.center[None, :], np.float64)
        values = graph.op("Where", graph.constant(scaling.left_out[None, :]), center, values)
    return _by_curves(graph, values, scaling, is_bending=False)


def _by_curves(graph: Graph, values: str, scaling: Scaling, is_bending: bool) -> str:
    """Return the columns that have a curve bent by it, or unbent; the others as they are."""
    curves = {j: curve for j, curve in enumerate(scaling.curves) if curve is not None and scaling.scale[j]}
    units = {j: curve.unit for j, curve in curves.items() if curve.kind == "log1p"}
    knots = {j: curve.knots for j, curve in curves.items() if curve.knots is not None}
    if units:
        bent = (_log1p if is_bending else _expm1)(graph, _columns(graph, values, units), list(units.values()))
        values = _put_back(graph, values, bent, list(units))
    if knots:
        part = _columns(graph, values, knots)
        bent = (_to_normal if is_bending else _from_normal)(graph, part, list(knots.values()))
        values = _put_back(graph, values, bent, list(knots))
    return values


def _columns(graph: Graph, values: str, places: Iterable[int]) -> str:
    return graph.op("Gather", values, graph.constant(list(places), np.int64), axis=1)


def _put_back(graph: Graph, values: str, part: str, places: list[int]) -> str:
    """Return the values with the columns at these places replaced."""
    zero, one = (graph.constant([k], np.int64) for k in (0, 1))
    n_rows = graph.op("Slice", graph.op("Shape", values), zero, one)
    shape = graph.op("Concat", n_rows, graph.constant([len(places)], np.int64), axis=0)
    index = graph.op("Expand", graph.constant([places], np.int64), shape)
    return graph.op("ScatterElements", values, index, part, axis=1)


def _log1p(graph: Graph, values: str, units: list[float]) -> str:
    share = graph.op("Div", graph.op("Abs", values), graph.constant(units, np.float64))
    grown = graph.op("Log", graph.op("Add", share, graph.constant(1.0, np.float64)))
    return graph.op("Mul", graph.op("Sign", values), grown)


def _expm1(graph: Graph, values: str, units: list[float]) -> str:
    grown = graph.op("Sub", graph.op("Exp", graph.op("Abs", values)), graph.constant(1.0, np.float64))
    sized = graph.op("Mul", grown, graph.constant(units, np.float64))
    return graph.op("Mul", graph.op("Sign", values), sized)


class _Knots:
    """The knots of some columns in one array, those of shorter columns followed by infinity."""

    def __init__(self, graph: Graph, knots: list[NDArray[np.float64]]) -> None:
        self.graph = graph
        self.last = np.array([own.size - 1 for own in knots])
        width = int(self.last.max()) + 1
        padded = np.full((len(knots), width), np.inf)
        for row, own in zip(padded, knots, strict=True):
            row[: own.size] = own
        self.width = width
        self.flat = graph.constant(padded.reshape(-1), np.float64)
        self.offsets = graph.constant(np.arange(len(knots)) * width, np.int64)
        self.lasts = graph.constant(self.last, np.int64)

    def at(self, index: str) -> str:
        """Return the knots at these places of their columns."""
        return self.graph.op("Gather", self.flat, self.graph.op("Add", index, self.offsets))

    def limited(self, index: str, last: str) -> str:
        """Places between 0 and ``last``."""
        zero = self.graph.constant(0, np.int64)
        return self.graph.op("Max", zero, self.graph.op("Min", index, last))

    def count_of(self, values: str, comparison: str) -> str:
        """How many knots of its column each value is above (``Greater``), or not below, by bisection."""
        graph, step = self.graph, 1 << (self.width.bit_length() - 1)
        count = graph.cast(graph.op("ConstantOfShape", graph.op("Shape", values)), np.int64)
        while step:
            tried = graph.op("Add", count, graph.constant(step, np.int64))
            place = graph.op("Min", graph.op("Sub", tried, graph.constant(1, np.int64)), self.lasts)
            fits = graph.op(comparison, values, self.at(place))
            inside = graph.op("LessOrEqual", graph.op("Sub", tried, graph.constant(1, np.int64)), self.lasts)
            count = graph.op("Where", graph.op("And", fits, inside), tried, count)
            step //= 2
        return count

    def share(self, values: str, comparison: str) -> str:
        """Where values lie among the knots, from 0 to 1, by linear interpolation."""
        graph, one = self.graph, self.graph.constant(1, np.int64)
        count = self.count_of(values, comparison)
        below = self.limited(graph.op("Sub", count, one), graph.op("Sub", self.lasts, one))
        first, second = self.at(below), self.at(graph.op("Add", below, one))
        width = graph.op("Sub", second, first)
        is_step = graph.op("Equal", width, graph.constant(0.0, np.float64))
        width = graph.op("Where", is_step, graph.constant(1.0, np.float64), width)
        part = graph.op("Div", graph.op("Sub", values, first), width)
        place = graph.op("Add", graph.cast(below, np.float64), part)
        share = graph.op("Div", place, graph.constant(self.last, np.float64))
        none = graph.op("Equal", count, graph.constant(0, np.int64))
        every = graph.op("Greater", count, self.lasts)
        share = graph.op("Where", none, graph.constant(0.0, np.float64), share)
        return graph.op("Where", every, graph.constant(1.0, np.float64), share)


def _to_normal(graph: Graph, values: str, knots: list[NDArray[np.float64]]) -> str:
    table = _Knots(graph, knots)
    is_missing = graph.op("IsNaN", values)
    values = graph.op("Where", is_missing, graph.constant(0.0, np.float64), values)
    # Where quantiles coincide both ends of the step are met halfway.
    both = graph.op("Add", table.share(values, "GreaterOrEqual"), table.share(values, "Greater"))
    share = graph.op("Div", both, graph.constant(2.0, np.float64))
    edges = (graph.constant(edge, np.float64) for edge in (EDGE, 1 - EDGE))
    bent = normal_quantile(graph, graph.op("Clip", share, *edges))
    return graph.op("Where", is_missing, graph.constant(np.nan, np.float64), bent)


def _from_normal(graph: Graph, bent: str, knots: list[NDArray[np.float64]]) -> str:
    table, one = _Knots(graph, knots), graph.constant(1, np.int64)
    share = normal_share(graph, bent)
    for edge, end, comparison in ((EDGE, 0.0, "LessOrEqual"), (1 - EDGE, 1.0, "GreaterOrEqual")):
        is_beyond = graph.op(comparison, share, graph.constant(edge, np.float64))
        share = graph.op("Where", is_beyond, graph.constant(end, np.float64), share)
    place = graph.op("Mul", share, graph.constant(table.last, np.float64))
    whole = graph.cast(graph.op("Floor", place), np.int64)
    below = table.limited(whole, graph.op("Sub", table.lasts, one))
    first, second = table.at(below), table.at(graph.op("Add", below, one))
    part = graph.op("Sub", place, graph.cast(below, np.float64))
    return graph.op("Add", first, graph.op("Mul", part, graph.op("Sub", second, first)))
