"""The normal distribution in double precision by ONNX's operations, which have no such function.

The quantile is Wichura's PPND16 (Applied Statistics 37, 1988, algorithm AS 241), the distribution by Cody's
approximations of the error function (Mathematics of Computation 23, 1969). Both are good to about 1e-15 for
probabilities between 1e-10 and 1 - 1e-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from autoenc.exports.onnx_build import Graph

__all__ = ["normal_quantile", "normal_share"]

_MIDDLE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2, 1.4810397642748007459e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_ERF = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
_ERFC = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip


def normal_quantile(graph: Graph, share: str) -> str:
    """Return what a standard normal variable is below with this probability, above 0 and below 1."""
    q = graph.op("Sub", share, _number(graph, 0.5))
    near = graph.op("Sub", _number(graph, 0.180625), graph.op("Mul", q, q))
    middle = graph.op("Mul", q, _ratio(graph, _MIDDLE, near))
    smaller = graph.op("Min", share, graph.op("Sub", _number(graph, 1.0), share))
    root = graph.op("Sqrt", graph.op("Neg", graph.op("Log", smaller)))
    tail = _ratio(graph, _TAIL, graph.op("Sub", root, _number(graph, 1.6)))
    tail = graph.op("Mul", graph.op("Sign", q), tail)
    is_middle = graph.op("LessOrEqual", graph.op("Abs", q), _number(graph, 0.425))
    return graph.op("Where", is_middle, middle, tail)


def normal_share(graph: Graph, value: str) -> str:
    """Return the probability that a standard normal variable is below a value."""
    x = graph.op("Div", value, _number(graph, sqrt(2)))
    square, size = graph.op("Mul", x, x), graph.op("Abs", x)
    erf = graph.op("Mul", x, _ratio(graph, _ERF, square))
    middle = graph.op("Add", _number(graph, 0.5), graph.op("Mul", _number(graph, 0.5), erf))
    erfc = graph.op("Mul", graph.op("Exp", graph.op("Neg", square)), _ratio(graph, _ERFC, size))
    below = graph.op("Mul", _number(graph, 0.5), erfc)
    above = graph.op("Sub", _number(graph, 1.0), below)
    tail = graph.op("Where", graph.op("Greater", x, _number(graph, 0.0)), above, below)
    is_middle = graph.op("LessOrEqual", size, _number(graph, 0.46875))
    return graph.op("Where", is_middle, middle, tail)


def _ratio(graph: Graph, coefficients: tuple[Sequence[float], Sequence[float]], x: str) -> str:
    """Return one polynomial over another, both by Horner's rule, highest power first."""
    parts = []
    for polynomial in coefficients:
        total = _number(graph, polynomial[0])
        for coefficient in polynomial[1:]:
            total = graph.op("Add", graph.op("Mul", total, x), _number(graph, coefficient))
        parts.append(total)
    return graph.op("Div", *parts)


def _number(graph: Graph, value: float) -> str:
    return graph.constant(value, np.float64)
